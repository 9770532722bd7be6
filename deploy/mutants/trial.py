"""Run tests in the copy of the tree, and tell which failed."""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from deploy.mutants.mutant import Mutant
from deploy.mutants.tree import Tree

#: Must pass in every mutant: three messages are claimed, begun, settled and end their enrollment. So what the other
#: tests fail for is the guard that is off, and not code that does not run at all.
SOUND: Final = "tests/integration/test_outbox_settle.py::test_the_last_row_completes_the_enrollment"

#: Real seconds after which a test is given up, and is caught: some guards keep workers from waiting for each other.
TEST_SECONDS: Final = 120

#: A failure for such a reason tells of an edit that is wrong, not of a guard that is missed.
WRONG_EDIT: Final = re.compile(
    r"\b(SyntaxError|NameError|ImportError|AttributeError|TypeError|NotMigrated|Undefined[A-Z]\w+|Ambiguous[A-Z]\w+"
    r"|Indeterminate[A-Z]\w+|DatatypeMismatch|GroupingError|InvalidColumnReference)\b"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a run of tests."""

    passed: Sequence[str]
    failed: Sequence[str]
    seconds: float
    broken: str | None = None
    """Why the run proves nothing."""
    output: str = field(default="", repr=False)

    @property
    def caught(self) -> bool:
        """Whether the tests noticed."""
        return self.broken is None and bool(self.failed)


def try_tests(tree: Tree, tests: Sequence[str]) -> Trial:
    """Run these tests in the tree."""
    report = tree.root.parent / "report.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    run = tree.run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--timeout={TEST_SECONDS}",
        f"--junit-xml={report}",
        *dict.fromkeys(tests),
    )
    seconds = time.monotonic() - started
    output = run.stdout + run.stderr
    if run.returncode not in (0, 1) or not report.exists():
        return Trial((), (), seconds, f"pytest ended with {run.returncode}", output)
    cases = list(_cases(report))
    passed = [name for name, says in cases if says is None]
    failed = [name for name, says in cases if says is not None]
    wrong = [f"{name}: {says}" for name, says in cases if says is not None and WRONG_EDIT.search(says)]
    return Trial(passed, failed, seconds, wrong[0] if wrong else None, output)


def try_mutant(tree: Tree, mutant: Mutant) -> Trial:
    """Run a mutant's tests without its guard.

    Raises:
        Rotten: the edit does not fit.
    """
    with tree.without(mutant):
        trial = try_tests(tree, [SOUND, *mutant.tests])
    sound = SOUND.rpartition("::")[2]
    if trial.broken is None and sound not in trial.passed:
        return Trial(
            trial.passed, trial.failed, trial.seconds, f"{sound} failed: more is off than a guard", trial.output
        )
    return trial


def _cases(report: Path) -> Iterator[tuple[str, str | None]]:
    """The tests of a run by name, each with what it says of its failure."""
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        failures = [*case.iter("failure"), *case.iter("error")]
        yield case.get("name", ""), failures[0].get("message", "") if failures else None
