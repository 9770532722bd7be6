"""`python -m deploy.sandbox`: a sandbox as a child process (process.py starts it; people use `cadenza sandbox`).

It reads its options, one line of JSON, from standard input; writes one line of JSON to standard output, where it
listens or why it can't; and ends on SIGTERM, on SIGINT, or when standard input closes, so that it never outlives the
process that started it.
"""

import asyncio
import json
import os
import sys

from pydantic import ValidationError

from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.server import serve, stop_at_signals
from engine.errors import CadenzaError, InvalidInput


def main() -> int:
    """Run it; the exit code is that of the error."""
    try:
        asyncio.run(_run(_read_options()))
    except CadenzaError as error:
        _say({"error": str(error), "kind": type(error).__name__})
        return error.exit_code
    return 0


def _read_options() -> SandboxOptions:
    try:
        return SandboxOptions.model_validate_json(sys.stdin.buffer.readline())
    except ValidationError as error:
        raise InvalidInput(f"the sandbox's options can't be read: {error.errors()[0]['msg']}") from None


async def _run(options: SandboxOptions) -> None:
    stop = asyncio.Event()
    stop_at_signals(stop)
    _stop_at_end_of_input(stop)
    await serve(options, lambda sandbox: _say({"sandbox": sandbox.model_dump(mode="json")}), stop)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    source = sys.stdin.fileno()

    def read() -> None:
        if not os.read(source, 4096):
            loop.remove_reader(source)
            stop.set()

    loop.add_reader(source, read)


def _say(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
