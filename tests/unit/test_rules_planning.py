"""When the steps fall due."""

from engine.rules.planning import PlannedStep, plan
from schema.definition import parse


def test_each_step_keeps_its_delay_after_the_one_before() -> None:
    definition = parse("""
sequence: s
name: S
steps:
  - {key: a, type: sms, body: A}
  - {key: b, type: sms, delay: 90 minutes, body: B}
  - {key: c, type: email, delay: 2 weeks, subject: C, text: C}
""")
    assert plan(definition) == [
        PlannedStep(1, "a", "sms", 0),
        PlannedStep(2, "b", "sms", 5_400),
        PlannedStep(3, "c", "email", 5_400 + 14 * 86_400),
    ]
