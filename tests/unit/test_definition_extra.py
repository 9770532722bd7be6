"""What people note on a sequence: a description, and metadata of texts and numbers."""

import pytest

from schema.definition import InvalidDefinition, parse
from schema.definition.writing import to_yaml

STEPS = "\nsteps: [{key: hi, type: sms, body: Hi}]"


def test_a_description_and_metadata_are_kept_as_they_are_written() -> None:
    text = """
sequence: noted
description: |
  For people who signed up.
metadata: {team: sales, quarter: 3, share: 0.25, low: -2, code: "007", delay: 3600, "a name": x}
"""
    definition = parse(text + STEPS)
    assert definition.description == "For people who signed up.\n"
    assert definition.metadata == {
        "team": "sales", "quarter": 3, "share": 0.25, "low": -2, "code": "007", "delay": 3600, "a name": "x",
    }  # fmt: skip
    assert parse(to_yaml(definition)) == definition
    assert type(definition).restore(definition.canonical()) == definition
    assert "metadata" not in parse("sequence: plain" + STEPS).canonical(), "versions stay what they were"


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ("[a]", "'metadata': expected up to 50 names"),
        ("{a: true}", "'metadata': 'a': expected a text or a number"),
        ("{a: [1]}", "'metadata': 'a': expected a text or a number"),
        ("{a: 007}", "'metadata': 'a': YAML takes '007' for a number: write it in quotes"),
        ("{a: .inf}", "write it in quotes"),
        ("{a: 2026-01-01}", "YAML takes '2026-01-01' for a date: write it in quotes"),
        (f"{{{'n' * 64}: 1}}", "a name has 1 to 63 characters"),
        (f"{{a: {'v' * 501}}}", "'a' has 501 characters: at most 500"),
        ("{" + ", ".join(f"n{number}: 1" for number in range(51)) + "}", "it has 51 names: at most 50"),
    ],
)
def test_other_metadata_is_refused_with_its_line(metadata: str, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        parse(f"sequence: noted\nmetadata: {metadata}{STEPS}")
    (found,) = error.value.problems
    assert found.line == 2
    assert problem in found.message


def test_a_description_is_bounded() -> None:
    with pytest.raises(InvalidDefinition, match=r"'description' can't be .*text of 1 to 2,000 characters"):
        parse(f"sequence: noted\ndescription: {'d' * 2001}{STEPS}")
