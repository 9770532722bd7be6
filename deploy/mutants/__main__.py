"""`python -m deploy.mutants`: one guard off at a time, and a table of what noticed."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.clean import clean
from deploy.local.servers import local_servers
from deploy.mutants.mutant import Mutant
from deploy.mutants.table import MUTANTS
from deploy.mutants.tree import ROOT, Tree, copied_tree
from deploy.mutants.trial import SOUND, Trial, try_mutant, try_tests
from engine.errors import CadenzaError
from engine.settings import Settings


class Failed(CadenzaError):  # noqa: N818 (what it is)
    """The tests fail with all guards on, so they prove nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants; 0: each was caught."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("name", nargs="*", help="only these mutants", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print their names, and try nothing")
    given = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if not given.name or mutant.name in given.name]
    if unknown := set(given.name) - {mutant.name for mutant in chosen}:
        parser.error(f"no mutant is called {', '.join(sorted(unknown))}: --list tells their names")
    if given.list:
        _say(*(f"{mutant.name:<{_width(chosen)}}  {mutant.off}" for mutant in chosen))
        return 0
    try:
        return _try_all(chosen)
    except CadenzaError as error:
        sys.stderr.write(f"mutants: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("mutants: interrupted\n")
        return 130


def _try_all(chosen: Sequence[Mutant]) -> int:
    started = time.monotonic()
    for mutant in chosen:
        mutant.check(ROOT)
    with _servers() as environment, copied_tree(environment) as tree:
        _try_with_all_guards(tree, chosen)
        survivors = [mutant.name for mutant in chosen if not _try(tree, mutant, _width(chosen))]
    _say("", f"{len(chosen) - len(survivors)} of {len(chosen)} caught in {time.monotonic() - started:.0f} seconds")
    if survivors:
        sys.stderr.write(f"mutants: not caught: {', '.join(survivors)}\n")
    return int(bool(survivors))


def _try_with_all_guards(tree: Tree, chosen: Sequence[Mutant]) -> None:
    trial = try_tests(tree, [SOUND, *(test for mutant in chosen for test in mutant.tests)])
    if trial.broken or trial.failed:
        sys.stderr.write(trial.output)
        raise Failed(f"with all guards on: {trial.broken or ', '.join(trial.failed)}")
    _say(f"with all guards on, {len(trial.passed)} tests pass in {trial.seconds:.0f} seconds", "")
    _say(f"{'mutant':<{_width(chosen)}}  seconds  caught by")


def _try(tree: Tree, mutant: Mutant, width: int) -> bool:
    trial = try_mutant(tree, mutant)
    _say(f"{mutant.name:<{width}}  {trial.seconds:7.0f}  {_verdict(trial)}", f"{'':<{width}}           {mutant.off}")
    if trial.broken:
        sys.stderr.write(trial.output)
    return trial.caught


def _verdict(trial: Trial) -> str:
    if trial.broken:
        return f"PROVES NOTHING: {trial.broken}"
    more = f" and {len(trial.failed) - 1} more" if len(trial.failed) > 1 else ""
    return f"{trial.failed[0]}{more}" if trial.failed else "NOT CAUGHT"


def _width(mutants: Sequence[Mutant]) -> int:
    return max(len(mutant.name) for mutant in mutants)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    sys.stdout.flush()


@contextmanager
def _servers() -> Iterator[Mapping[str, str]]:
    """Servers for all the runs, as tests/conftest.py takes them."""
    with tempfile.TemporaryDirectory(prefix="cadenza-mutants-servers-") as folder:
        Path(folder).chmod(0o711)  # as root, the servers run as another user
        settings = Settings(_env_file=None, database_url=None, redis_url=None, data_dir=Path(folder) / "data")
        with local_servers(settings) as running:
            if running.database_url is None or running.redis_url is None:
                raise Failed("the embedded servers have no addresses")
            yield {
                "CADENZA_TEST_DATABASE_URL": running.database_url.get_secret_value(),
                "CADENZA_TEST_REDIS_URL": running.redis_url.get_secret_value(),
            }
        clean(settings.data_dir)


if __name__ == "__main__":
    sys.exit(main())
