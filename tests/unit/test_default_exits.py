"""What ends a sequence early unless its file says otherwise."""

import pytest

from schema.definition import Definition, parse
from schema.definition.writing import to_yaml

FILE = "sequence: mail\nsteps:\n  - {key: hello, type: email, subject: Hi, text: Hello}\n"
ASKS = FILE + "  - {key: answer, type: wait, until: {replied: true, within: 3 days}}\n"


@pytest.mark.parametrize(
    ("text", "exits"),
    [
        (FILE, ("replied", "unsubscribed", "bounced")),
        (FILE + "exit_on: []\n", ()),
        (FILE + "exit_on: [goal]\n", ("goal",)),
        (ASKS, ("unsubscribed", "bounced")),
        (ASKS + "exit_on: [replied]\n", ("replied",)),
        (FILE + "goal: {any: [{tag: won}, {replied: true}]}\n", ("unsubscribed", "bounced")),
    ],
)
def test_a_reply_ends_it_unless_the_file_says_otherwise_or_asks_for_one(text: str, exits: tuple[str, ...]) -> None:
    definition = parse(text)
    assert definition.exit_on == exits
    assert parse(to_yaml(definition)) == definition


def test_what_is_stored_says_what_ends_it() -> None:
    assert parse(FILE).canonical()["exit_on"] == ["replied", "unsubscribed", "bounced"]
    stored = {**parse(FILE).canonical(), "exit_on": []}  # as before there was a default
    assert Definition.restore(stored).exit_on == ()
