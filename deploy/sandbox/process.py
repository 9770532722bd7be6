"""A sandbox as a child process."""

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from deploy.sandbox.client import SandboxClient
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.state import AlreadyRunning, Sandbox
from engine.errors import CadenzaError, InvalidInput, StorageFull, Unavailable

LOG_FILE = "sandbox.log"

#: What a child may give as the reason why it can't run.
ERRORS: Final[dict[str, type[CadenzaError]]] = {
    kind.__name__: kind for kind in (AlreadyRunning, InvalidInput, StorageFull, Unavailable)
}

#: Real seconds to wait for a child to be ready, and to end.
READY_SECONDS, STOP_SECONDS = 30, 10


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A sandbox that this process started; it ends with this process at the latest."""

    sandbox: Sandbox
    child: "subprocess.Popen[bytes]"

    @property
    def client(self) -> SandboxClient:
        """Its controls."""
        return self.sandbox.client

    def stop(self) -> None:
        """End it cleanly, and wait until it has ended."""
        if self.child.poll() is None:
            self.child.terminate()
        _wait(self.child)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.child.kill()
        _wait(self.child)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def start_sandbox(options: SandboxOptions) -> SandboxProcess:
    """Start a sandbox in a process of its own, and wait until all its ports answer.

    What it has to complain about goes to sandbox.log in the data folder. It is in a session of its own, so that Ctrl-C
    leaves it to the caller when it ends.

    Raises:
        CadenzaError: it could not start; says why.
    """
    log = options.data_dir / LOG_FILE
    try:
        options.data_dir.mkdir(parents=True, exist_ok=True)
        complaints = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"the sandbox can't use the data folder {options.data_dir}: {error.strerror}") from None
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
    finally:
        os.close(complaints)
    try:
        return SandboxProcess(_first_words(child, options, log), child)
    except BaseException:
        child.kill()
        _wait(child)
        raise


def _first_words(child: "subprocess.Popen[bytes]", options: SandboxOptions, log: Path) -> Sandbox:
    """Tell the child its options, and hear where it listens."""
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 (both are pipes)
    try:
        child.stdin.write(options.model_dump_json().encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        raise Unavailable(f"the sandbox ended before it was ready: see {log}") from None
    heard, _, _ = select.select([child.stdout], [], [], READY_SECONDS)
    if not heard:
        raise Unavailable(f"the sandbox was not ready within {READY_SECONDS} seconds: see {log}")
    line = child.stdout.readline()
    if not line:
        raise Unavailable(f"the sandbox ended before it was ready: see {log}")
    said = json.loads(line)
    if "error" in said:
        raise ERRORS.get(said["kind"], CadenzaError)(said["error"])
    return Sandbox.model_validate(said["sandbox"])


def _wait(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
