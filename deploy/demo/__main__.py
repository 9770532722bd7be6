"""`python -m deploy.demo`, as `make demo` runs it. Exit 0: every message was accepted exactly once."""

import argparse
import sys

import psycopg
import redis

from deploy.demo.demo import Options, run_demo
from deploy.demo.interruption import Interrupted, interruptible
from deploy.demo.progress import Progress
from deploy.demo.report import print_report
from engine.database import first_line
from engine.errors import CadenzaError
from engine.settings import read_settings


def main() -> int:
    """Run the demo; what goes wrong is one line."""
    options = _options()
    progress = Progress()
    try:
        with interruptible():
            outcome = run_demo(read_settings(), options, progress)
    except Interrupted as interrupted:
        return _failed("ended before its time; nothing is left running", interrupted.exit_code)
    except CadenzaError as error:
        return _failed(str(error), error.exit_code)
    except psycopg.Error as error:
        return _failed(f"Postgres: {first_line(error)}", 1)
    except redis.RedisError as error:
        return _failed(f"Redis: {first_line(error)}", 1)
    print_report(outcome)
    return 0 if outcome.well else 1


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--rate", type=float, default=86_400, help="sequence seconds in a second (86400: a day)")
    parser.add_argument("--flush-redis", action="store_true", help="empty Redis in the middle of it")
    given = parser.parse_args()
    return Options(rate=given.rate, flush_redis=given.flush_redis)


def _failed(message: str, exit_code: int) -> int:
    sys.stderr.write(f"demo: {message}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
