"""Conditions and waits in sequence files."""

from datetime import timedelta

import pytest

from schema.definition import ConditionStep, Definition, InvalidDefinition, VariantsStep, WaitStep, parse

WELCOME = """
sequence: welcome
steps:
  - {key: hello, type: email, subject: Hi, text: Hello}
  - key: read
    type: condition
    delay: 1 day
    if: {opened: hello}
    then:
      - {key: content, type: email, subject: More, text: More}
    else:
      - {key: reminder, type: email, subject: Again, text: Again}
      - {key: pause, type: wait, delay: 1 day}
  - {key: answer, type: wait, until: {any: [{replied: true}, {attribute: {seats: [5, true, x]}}], within: 14 days}}
  - {key: follow-up, type: sms, delay: 3 days, body: Bye}
"""


def problems(steps: str) -> list[str]:
    head = "sequence: a\nsteps:\n  - {key: mail, type: email, subject: Hi, text: Hi}\n"
    head += "  - {key: call, type: call, outcomes: [reached]}\n"
    with pytest.raises(InvalidDefinition) as caught:
        parse(head + steps)
    return str(caught.value).splitlines()


def test_conditions_hold_steps_and_waits_wait() -> None:
    definition = parse(WELCOME)
    _, read, answer, _ = definition.steps
    assert isinstance(read, ConditionStep)
    assert str(read.condition) == "opened hello"
    assert [step.key for step in read.then] == ["content"]
    assert [step.key for step in read.otherwise] == ["reminder", "pause"]
    assert isinstance(answer, WaitStep)
    assert answer.until is not None
    assert answer.until.within == timedelta(days=14)
    assert str(answer.until) == "any of (replied, attribute seats 5 or true or x)"
    assert [step.gate for step in definition.walk()] == [False, True, False, False, False, True, False]
    assert definition.needs == {"email", "phone"}
    assert Definition.restore(definition.canonical()) == definition
    assert definition.canonical()["steps"][1]["if"] == {"opened": "hello"}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{key: x, type: condition, then: [{key: y, type: call}]}", "'if' is missing: expected a question"),
        ("{key: x, type: condition, if: {opened: mail}}", "'then' and 'else' are both missing"),
        (
            "{key: x, type: condition, if: [a], then: [{key: y, type: call}]}",
            "'if' can't be a list: expected a question",
        ),
        ("{key: x, type: condition, if: {opned: mail}, then: [{key: y, type: call}]}", "(did you mean 'opened'?)"),
        ("{key: x, type: condition, if: {}, then: [{key: y, type: call}]}", "'if': no question is asked"),
        ("{key: x, type: condition, if: {within: 2 days}, then: [{key: y, type: call}]}", "no question is asked"),
        (
            "{key: x, type: condition, if: {opened: mail, replied: true}, then: [{key: y, type: call}]}",
            "2 questions at once: join them with any or all",
        ),
        ("{key: x, type: condition, if: {opened: mail, within: 2}, then: [{key: y, type: call}]}", "'2' has no unit"),
        (
            "{key: x, type: condition, if: {opened: mal}, then: [{key: y, type: call}]}",
            "no step 'mal' is before it (did you mean 'mail'?)",
        ),
        (
            "{key: x, type: condition, if: {opened: y}, then: [{key: y, type: email, subject: a, text: b}]}",
            "no step 'y' is before it: before it there are mail",
        ),
        ("{key: x, type: condition, if: {opened: call}, then: [{key: y, type: call}]}", "step 'call' is of type call"),
        (
            "{key: x, type: condition, if: {outcome: {call: met}}, then: [{key: y, type: call}]}",
            "call can't come to 'met': it can come to reached",
        ),
        (
            "{key: x, type: condition, if: {not: {any: []}}, then: [{key: y, type: call}]}",
            "expected a list of questions",
        ),
        (
            "{key: x, type: condition, if: {all: [{opened: mail, within: 1 day}]}, then: [{key: y, type: call}]}",
            "unknown question 'within'",
        ),
        ("{key: x, type: condition, if: {replied: false}, then: [{key: y, type: call}]}", "'replied' can't be"),
        (
            "{key: x, type: condition, if: {attribute: plan}, then: [{key: y, type: call}]}",
            "'attribute' can't be 'plan'",
        ),
        (
            "{key: x, type: condition, if: {clicked: {step: mail, lnk: a}}, then: [{key: y, type: call}]}",
            "'clicked' can't",
        ),
        ("{key: x, type: condition, if: {opened: mail}, then: [{key: mail, type: call}]}", "another step has the key"),
        ("{key: x, type: condition, if: {opened: mail}, then: [{type: call}]}", "step #3 then #1: 'key' is missing"),
        ("{key: x, type: condition, if: {opened: mail}, thn: [], else: [{key: y, type: call}]}", "unknown key 'thn'"),
        ("{key: x, type: condition, if: {opened: mail}, then: y}", "'then' can't be 'y': expected a list of steps"),
        ("{key: x, type: variants}", "'variants': expected 2 to 10 of them"),
        ("{key: x, type: variants, variants: {a: {}}}", "'variants': expected 2 to 10 of them"),
        ("{key: x, type: variants, variants: {a: {}, b: 5}}", "a variant is a mapping with weight and steps, not '5'"),
        ("{key: x, type: variants, variants: {a: {}, B!: {}}}", "the variant 'B!' needs another name"),
        ("{key: x, type: variants, variants: {a: {weight: x}, b: {}}}", "'weight' can't be 'x': expected how many"),
        ("{key: x, type: variants, variants: {a: {weight: -1}, b: {}}}", "'weight' can't be '-1'"),
        ("{key: x, type: variants, variants: {a: {wait: 1}, b: {}}}", "unknown key 'wait' (did you mean 'weight'?)"),
        ("{key: x, type: variants, variants: {a: {weight: 0}, b: {weight: 0}}}", "all weights are 0"),
        (
            "{key: x, type: variants, variants: {a: {steps: x}, b: {}}}",
            "'steps' can't be 'x': expected a list of steps",
        ),
        ("{key: x, type: variants, variants: {a: {steps: [{type: call}]}, b: {}}}", "'key' is missing"),
        ("{key: x, type: wait}", "'delay' and 'until' are both missing"),
        ("{key: x, type: action}", "an action does one thing, not nothing: expected one of set, tag, untag"),
        ("{key: x, type: action, tag: a, exit: true}", "an action does one thing, not 'tag' and 'exit'"),
        ("{key: x, type: action, exit: false}", "'exit': it is true, or left out"),
        ("{key: x, type: action, set: {}}", "'set' can't be a mapping: expected attributes of the contact"),
        ("{key: x, type: action, set: {a: [b, c]}}", "'set': an attribute is set to one value"),
        ("{key: x, type: action, tag: 'a,b'}", "'tag' can't be 'a,b': expected a tag"),
        ("{key: x, type: action, enroll_in: a}", "'enroll_in' names this sequence: expected another"),
        ("{key: x, type: wait, until: {replied: true}}", "'within' is missing: expected how long is waited"),
        ("{key: x, type: wait, until: {replied: true, within: x}}", "'within': 'x' is not a duration"),
    ],
)
def test_what_is_wrong_is_told(step: str, expected: str) -> None:
    found = problems(f"  - {step}\n")
    assert any(expected in line for line in found), found
    assert all(line.startswith("line 5: step ") for line in found)


def test_messages_keep_their_distance_through_branches() -> None:
    (found,) = problems(
        "  - {key: m, type: sms, body: a}\n"
        "  - key: c\n"
        "    type: condition\n"
        "    if: {has: plan}\n"
        "    then: [{key: t, type: sms, body: b, delay: 1 day}]\n"
        "    else: [{key: w, type: wait, delay: 1 hour}]\n"
        "  - {key: z, type: sms, body: c}\n"
    )
    assert found.startswith("line 11: step z: delay under one minute between messages: 'delay' is missing")


def nested(depth: int) -> str:
    step = "{key: z, type: call}"
    for number in range(depth):
        step = f"{{key: c{number}, type: condition, if: {{has: a}}, then: [{step}]}}"
    return step


def test_conditions_are_nested_as_deep_as_a_file_is_readable() -> None:
    assert len(list(parse(f"sequence: a\nsteps: [{nested(5)}]").walk())) == 6
    (found,) = problems(f"  - {nested(40)}\n")
    assert found == "line 5: this is nested too deep, or too much, for a sequence file"


def test_variants_have_weights_and_steps() -> None:
    definition = parse("""
sequence: a
steps:
  - key: split
    type: variants
    variants:
      short: {weight: 3, steps: [{key: s, type: sms, body: Hi}]}
      long: {steps: [{key: l, type: sms, body: Hello there}, {key: c, type: call}]}
  - key: which
    type: condition
    if: {outcome: {split: long}}
    then: [{key: z, type: call}]
""")
    split = definition.steps[0]
    assert isinstance(split, VariantsStep)
    assert split.weights == {"short": 3, "long": 1}
    assert [step.key for step in definition.walk()] == ["split", "l", "c", "s", "which", "z"]
    assert Definition.restore(definition.canonical()) == definition


GOAL = """
sequence: goal
goal: QUESTION
steps:
  - {key: mail, type: email, subject: Hi, text: Hi}
  - {key: call, type: call, delay: 1 day, outcomes: [sold]}
"""


def test_a_goal_is_a_question_about_any_step() -> None:
    definition = parse(GOAL.replace("QUESTION", "{any: [{outcome: {call: sold}}, {attribute: {plan: [pro, 5]}}]}"))
    assert str(definition.goal) == "any of (outcome call sold, attribute plan pro or 5)"
    assert Definition.restore(definition.canonical()) == definition
    assert definition.canonical()["goal"]["any"][0] == {"outcome": {"call": "sold"}}
    assert "goal" not in parse(WELCOME).canonical()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "{opened: mial}",
            "'opened': no step 'mial' is in the sequence (did you mean 'mail'?): in the sequence there are",
        ),
        ("{opened: call}", "'opened': step 'call' is of type call"),
        ("{outcome: {call: lost}}", "'outcome': call can't come to 'lost': it can come to sold"),
        ("{event: paid, within: 2 days}", "unknown question 'within'"),
        ("{}", "'goal': no question is asked"),
        ("sold", "'goal' can't be 'sold': expected a question"),
    ],
)
def test_what_is_wrong_with_a_goal(question: str, expected: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse(GOAL.replace("QUESTION", question))
    assert expected in str(caught.value)
    assert caught.value.problems[0].line == 3
