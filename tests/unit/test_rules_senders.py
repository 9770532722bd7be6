"""Who an email is from, and what sequences and steps may say of it."""

import pytest

from engine.rules.senders import Level, sender_of
from schema.definition import EmailStep, InvalidDefinition, SmsStep, parse
from schema.definition.writing import to_yaml
from schema.mailbox import Sender, read_sender

NOTHING: Level = (None, None)
OF_SETTINGS: Level = ("Cadenza <cadenza@example.com>", None)

SAID = """
sequence: said
from: "Acme, Inc. <info@acme.example>"
sender_name: Ana of Acme
max_tries: 5
guarantee: at_least_once
steps:
  - {key: text, type: sms, body: Hi, max_tries: 1}
  - {key: m, type: email, delay: 1 day, subject: A, text: A, from: a@x.example, max_tries: 2, guarantee: at_most_once}
"""


@pytest.mark.parametrize(
    ("levels", "name", "address"),
    [
        ((NOTHING, NOTHING, NOTHING), "Cadenza", "cadenza@example.com"),
        ((("bob@x.example", None), ("Ana <ana@x.example>", None), NOTHING), "", "bob@x.example"),
        ((("Bob <bob@x.example>", None), (None, "Ana"), (None, "Acme")), "Bob", "bob@x.example"),
        ((("bob@x.example", None), (None, "Ana"), (None, "Acme")), "Ana", "bob@x.example"),
        ((NOTHING, (None, "Ana"), ("Acme <hi@acme.example>", "Team")), "Ana", "hi@acme.example"),
        ((NOTHING, NOTHING, (None, "Team")), "Team", "cadenza@example.com"),
        ((("Bob <bob@x.example>", 'The "B", Ltd. \\o/'), NOTHING, NOTHING), 'The "B", Ltd. \\o/', "bob@x.example"),
    ],
)
def test_a_name_comes_from_the_first_that_says_one(levels: tuple[Level, ...], name: str, address: str) -> None:
    assert read_sender(sender_of(*levels, OF_SETTINGS)) == Sender(name, address)


def test_a_mailbox_that_nobody_names_stays_as_it_is_written() -> None:
    assert sender_of(NOTHING, OF_SETTINGS) == "Cadenza <cadenza@example.com>"


def test_a_sequence_and_its_steps_say_who_sends() -> None:
    definition = parse(SAID)
    text, mail = definition.steps
    assert isinstance(text, SmsStep)
    assert isinstance(mail, EmailStep)
    assert (definition.sender, definition.sender_name) == ("Acme, Inc. <info@acme.example>", "Ana of Acme")
    assert (definition.max_tries, definition.guarantee) == (5, "at_least_once")
    assert (text.max_tries, mail.sender, mail.guarantee, mail.max_tries) == (1, "a@x.example", "at_most_once", 2)
    assert definition.canonical()["from"] == "Acme, Inc. <info@acme.example>"
    assert parse(to_yaml(definition)) == definition
    assert type(definition).restore(definition.canonical()) == definition
    plain = parse("sequence: plain\nsteps: [{key: hi, type: email, subject: Hi, text: Hi}]").canonical()
    assert not {"from", "sender_name", "max_tries", "guarantee"} & {*plain, *plain["steps"][0]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("from: nobody", "'from': expected an email address in ASCII"),
        ('from: "{{ custom.owner }}"', "'from': it is no template: mail servers check a sender's domain"),
        ('sender_name: "Ana\\nBcc: eve@example.com"', "'sender_name': it has a control character"),
        ("max_tries: 0", "'max_tries' can't be '0': expected how many answers 'not now' a message may get: 1 to 20"),
        ("max_tries: 1.5", "'max_tries' can't be '1.5'"),
        ("guarantee: exactly_once", "'guarantee' can't be 'exactly_once': expected at_most_once or at_least_once"),
        ("from_name: Ana", "unknown key 'from_name' (did you mean 'sender_name'?)"),
    ],
)
def test_what_can_not_be_used_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as error:
        parse(f"sequence: said\n{line}\nsteps: [{{key: hi, type: email, subject: Hi, text: Hi}}]")
    (found,) = error.value.problems
    assert found.line == 2
    assert problem in found.message
