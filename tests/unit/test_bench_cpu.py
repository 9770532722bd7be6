"""How the benchmark counts CPU: a tree of processes, those that have ended in it, and nobody else."""

import subprocess
import sys

import pytest

from deploy.bench.children import BrokenChild
from deploy.bench.cpu import Meter, Usage, members, usage_of

#: Starts a child that uses so much CPU, waits for it, and stays.
PARENT = """
import subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", burn], check=True)
print("burnt", flush=True)
sys.stdin.read()
"""


def test_all_below_the_roots_are_members_and_nobody_else() -> None:
    table = {pid: Usage(parent, 1.0) for pid, parent in {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20, 30: 1}.items()}
    assert members(table, [10, 30]) == {10, 11, 12, 30}


def test_a_root_that_has_ended_is_not_taken_for_an_idle_one() -> None:
    with pytest.raises(BrokenChild, match=r"\[7\]"):
        members({1: Usage(0, 1.0)}, [1, 7])


def test_a_process_that_has_ended_has_no_usage() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert usage_of(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_a_child_that_has_ended_is_counted_to_its_parent_and_to_no_other_group() -> None:
    command = [sys.executable, "-c", PARENT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, **pipes) as busy,
        subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"], **pipes
        ) as idle,
    ):
        assert busy.stdout is not None and idle.stdout is not None
        assert idle.stdout.readline() == b"up\n"
        meter = Meter(busy=[busy.pid], idle=[idle.pid])
        assert busy.stdout.readline() == b"burnt\n"
        used = meter.milliseconds(10)
        for process in (busy, idle):
            assert process.stdin is not None
            process.stdin.close()
    assert used["busy"] >= 25  # 0.3 s for 10 messages, less what the clock's ticks leave out
    assert used["idle"] < used["busy"]
