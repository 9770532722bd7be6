"""`python -m deploy.chaos`, as `make chaos` runs it. Exit 0: all that is promised held."""

import argparse
import json
import logging
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psycopg
import redis

from deploy.chaos.outcome import Options
from deploy.chaos.report import print_report
from deploy.chaos.storm import run_storm
from deploy.demo.interruption import Interrupted, interruptible
from engine.database import first_line
from engine.errors import CadenzaError
from engine.logs import set_up_logs

Number = TypeVar("Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a storm; what goes wrong with it is one line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.keep is not None and given.keep.exists() and any(given.keep.iterdir()):
        parser.error("--keep: the folder is not empty")
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    options = Options(seed, given.rows, given.seconds, given.processes)
    set_up_logs("error")
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # that connections are lost is no news here
    _say(f"seed {seed}; {options.command} runs it again")
    try:
        with interruptible():
            outcome = run_storm(options, _say, given.keep)
    except Interrupted as interrupted:
        return _failed("ended before its time; nothing is left running", interrupted.exit_code)
    except CadenzaError as error:
        return _failed(str(error), error.exit_code)
    except psycopg.Error as error:
        return _failed(f"Postgres: {first_line(error)}", 1)
    except redis.RedisError as error:
        return _failed(f"Redis: {first_line(error)}", 1)
    if given.json:
        sys.stdout.write(json.dumps(outcome.to_json(), indent=2) + "\n")
    else:
        print_report(outcome)
    return 0 if outcome.verdict.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make chaos",
        description="Everything fails that can, and then the audit: nothing lost, nothing sent twice.",
    )
    parser.add_argument("--seed", type=int, default=None, help="which storm; drawn, and told, otherwise")
    parser.add_argument("--rows", type=_positive(int), default=5_000, help="messages to send (5000)")
    parser.add_argument("--seconds", type=_positive(float), default=600.0, help="how long it rages (600)")
    parser.add_argument("--processes", type=_positive(int), default=2, help="of each of the two supervisors (2)")
    parser.add_argument(
        "--keep", type=Path, help="an empty folder for the logs and the ledger, which are deleted otherwise"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document, and nothing else")
    return parser


def _positive(kind: Callable[[str], Number]) -> Callable[[str], Number]:
    """Reads a number above zero."""

    def read(text: str) -> Number:
        number = kind(text)
        if not 0 < number < float("inf"):
            raise ValueError(text)
        return number

    read.__name__ = "number above 0"  # as argparse names it
    return read


def _say(what: str) -> None:
    sys.stderr.write(f"chaos: {what}\n")
    sys.stderr.flush()


def _failed(message: str, exit_code: int) -> int:
    _say(message)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
