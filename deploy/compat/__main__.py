"""`make compat`: runs the suite on Debian's servers, on Postgres 17 and on the embedded ones.

`--short` runs what depends most on the servers, on Debian's alone: that is a part of the gate.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.compat.servers import ALL, Servers
from engine.errors import CadenzaError

#: Where the repository is.
ROOT: Final = Path(__file__).parents[2]

#: What depends most on the servers: PgBouncer, the forms of Redis, claims, delivery, plans, enrollment, callbacks, and
#: the demo with its audit.
SHORT: Final = (
    "tests/stock",
    "tests/integration/test_outbox_claim.py",
    "tests/integration/test_outbox_settle.py",
    "tests/integration/test_outbox_sweep.py",
    "tests/integration/test_plan_shapes.py",
    "tests/integration/test_callback_plans.py",
    "tests/integration/test_stuck_rows.py",
    "tests/integration/test_delivery.py",
    "tests/integration/test_enroll.py",
    "tests/integration/test_api_webhooks.py",
    "tests/integration/test_api_inbound.py",
    "tests/integration/test_report_groups.py",
    "tests/integration/test_stop_waits.py",
    "tests/integration/test_news.py",
    "tests/acceptance/test_demo.py::test_all_goes_out_once_though_redis_is_emptied",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests on each pair of servers; return 0 if they pass on all."""
    parser = argparse.ArgumentParser(prog="make compat", description=__doc__)
    parser.add_argument("--short", action="store_true", help="what depends most on the servers, on Debian's alone")
    parser.add_argument("--list", action="store_true", help="print the servers, and test nothing")
    given, more = parser.parse_known_args(arguments)
    chosen = ALL[:1] if given.short else ALL
    if given.list:
        sys.stdout.writelines(f"{servers.name}\n" for servers in ALL)
        return 0
    try:
        failed = [servers.name for servers in chosen if not _passes(servers, [*(SHORT if given.short else ()), *more])]
    except CadenzaError as error:
        sys.stderr.write(f"compat: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("compat: interrupted\n")
        return 130
    if failed:
        sys.stderr.write(f"compat: the tests fail on {' and on '.join(failed)}\n")
    return int(bool(failed))


def _passes(servers: Servers, arguments: Sequence[str]) -> bool:
    programs = servers.programs()
    sys.stdout.write(f"\n==> on {servers.name}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    return subprocess.run([*command, *arguments], cwd=ROOT, env={**os.environ, **programs}, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
