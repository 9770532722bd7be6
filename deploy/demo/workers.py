"""The demo's worker processes: `python -m deploy.demo.workers PROCESSES THREADS` keeps them going.

It ends on SIGTERM, or when standard input closes, so that it never outlives the demo.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final

from engine.errors import CadenzaError
from engine.logs import set_up_logs
from engine.settings import PREFIX, Settings, read_settings
from workers.supervisor import Supervisor, environment_of

#: Real seconds that the processes have to end in.
STOP_SECONDS: Final = 8


@contextmanager
def running_workers(
    settings: Settings, log: Path, *, processes: int, threads: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run worker processes with these settings and none of this process's; what they say goes to the log."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    with log.open("ab") as said:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.demo.workers", str(processes), str(threads)],
            cwd=log.parent,  # where no .env is
            env={**environment, **environment_of(settings)},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,  # so that Ctrl-C leaves it to the demo when they end
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Have them finish what is in flight; what has not ended by then, or has lost its supervisor, is killed."""
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(STOP_SECONDS)
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; or, on macOS, nobody who is alive
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


def main() -> int:
    """Run them until told to stop."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    Thread(target=_until_the_demo_is_gone, args=(stop,), daemon=True).start()
    try:
        settings = read_settings()
        set_up_logs(settings.log_level)
        Supervisor(settings, processes=int(sys.argv[1]), threads=int(sys.argv[2])).run(stop, lambda _metrics: None)
    except CadenzaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _until_the_demo_is_gone(stop: Event) -> None:
    """Wait for the end of standard input; then Postgres goes as well, and nobody may wait for that to come back."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()
    time.sleep(STOP_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
