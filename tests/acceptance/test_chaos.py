"""`make chaos` as people run it, small: what is promised holds through it, and it leaves nothing running."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest

from deploy.chaos.faults import plan_faults

#: Real seconds that anything may take.
PATIENCE = 150

SEED, ROWS, SECONDS = 7, 300, 25


class Storm:
    """A storm that runs, and all the processes that were ever seen of it."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.chaos", "--json", "--processes", "1", *arguments],
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.folder = folder
        self.seen: set[psutil.Process] = set()
        self.said: list[str] = []
        self._watcher = Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def until(self, what: str) -> None:
        """Wait until it says something on standard error."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if what in line:
                return
        pytest.fail(f"it ended without {what!r}: {''.join(self.said)}")

    def ended(self) -> tuple[int, str, str]:
        """Wait until it has ended: the exit code, the report, and what else it said."""
        out, errors = self.process.communicate(timeout=PATIENCE)
        self._watcher.join(PATIENCE)
        return self.process.returncode, out, "".join(self.said) + errors

    def left(self) -> list[object]:
        """What is still there: processes and files."""
        return [*(process for process in self.seen if is_alive(process)), *self.folder.iterdir()]

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE)

    def _watch(self) -> None:
        """Remember the processes that it starts; those that start anew during the storm too."""
        while self.process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))
            time.sleep(0.2)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and that nobody asks for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where it keeps its files: a folder that the servers' user may pass through."""
    with tempfile.TemporaryDirectory(prefix="cadenza-chaos-test-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            folder.chmod(0o711)
        yield folder


def test_what_is_promised_holds(folder: Path) -> None:
    storm = Storm("--seed", str(SEED), "--rows", str(ROWS), "--seconds", str(SECONDS), folder=folder)
    try:
        code, out, said = storm.ended()
    finally:
        storm.kill()
    assert code == 0, out + said
    report = json.loads(out)
    assert (report["seed"], report["holds"], report["broken"], report["lost"]) == (SEED, True, [], 0)
    assert report["rows"] == ROWS + 2  # and one for each worker process that still worked afterwards
    assert report["duplicated"]["SMS"] == report["duplicated"]["email at_most_once"] == 0
    assert sum(report["faults"].values()) + report["faults_missed"] == len(plan_faults(SEED, SECONDS))
    assert len(report["faults"]) > 30
    assert report["time_to_recover"]["rows"] > 0
    assert f"--seed {SEED} --rows {ROWS} --seconds {SECONDS}" in report["again"]
    assert storm.left() == []
    assert len(storm.seen) > 10


def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    storm = Storm("--seed", "8", "--rows", "300", "--seconds", "600", folder=folder)
    try:
        storm.until("people enrolled")
        storm.process.send_signal(signal.SIGINT)
        code, out, said = storm.ended()
    finally:
        storm.kill()
    assert (code, out) == (130, ""), said
    assert "nothing is left running" in said
    assert storm.left() == []
