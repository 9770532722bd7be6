"""docs/requirements.md: every requirement of the plans once, with tests that exist, or a reason why it is not here."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+a?) \| (.*?) \| (.*?) \| (.*?) \|(.*)\|$")
TEST = re.compile(r"`((?:unit|integration|acceptance)/[\w/]+\.py)`")


def table() -> list[tuple[str, str, str, str]]:
    """The rows: number, what does it here, tests, what differs."""
    lines = (ROOT / "docs/requirements.md").read_text().splitlines()
    found = [match for line in lines if (match := ROW.match(line))]
    return [(match[1], match[3].strip(), match[4].strip(), match[5].strip()) for match in found]


def test_every_requirement_is_there_once() -> None:
    assert sorted(number for number, *_ in table()) == sorted([*map(str, range(1, 264)), "184a"])


def test_the_tests_that_are_named_exist() -> None:
    named = {test for _, _, tests, note in table() for test in TEST.findall(tests + note)}
    assert len(named) > 50
    assert [test for test in sorted(named) if not (ROOT / "tests" / test).is_file()] == []


def test_what_is_here_has_a_test_and_what_is_not_has_a_reason() -> None:
    for number, here, tests, note in table():
        assert bool(TEST.findall(tests)) == (here != "not here"), number
        assert here != "not here" or note, number
