"""Sequence files that are right: what they mean, and that nothing of it is lost on the way to the database and back."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.definition import Definition, Delay, EmailStep, QuietHours, SmsStep, Window, parse
from schema.definition.kinds import MODELS
from schema.states import STEP_TYPES, Reentry

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test decides by timing

FULL = """
sequence: demo-follow-up
name: Demo follow-up
tags: [demo, "trial 2026", demo]
reentry: after_exit
exit_on: [goal, replied]
steps:
  - key: hello
    type: sms
    body: "Hi {{ contact.first_name | default: 'there' }}"
    media_url: https://example.com/{{ custom.picture | url_encode }}.jpg
  - key: more
    type: email
    name: The long read
    delay: 1.5 hours
    stop_on_failure: true
    max_lateness: 2 days
    subject: More for you
    text: |
      Hello
    html: <p>Hello</p>
"""


def test_a_full_file_says_all_of_it() -> None:
    definition = parse(FULL)
    assert definition.sequence == "demo-follow-up"
    assert definition.name == "Demo follow-up"
    assert definition.tags == ("demo", "trial 2026")
    assert definition.reentry is Reentry.AFTER_EXIT
    assert definition.exit_on == ("replied", "goal")
    assert definition.needs == {"email", "phone"}
    sms, email = definition.steps
    assert isinstance(sms, SmsStep)
    assert sms.media_url == ("https://example.com/{{ custom.picture | url_encode }}.jpg",)
    assert sms.delay == Delay()
    assert isinstance(email, EmailStep)
    assert email.name == "The long read"
    assert email.delay == Delay(seconds=5_400)
    assert email.max_lateness == timedelta(days=2)
    assert email.stop_on_failure
    assert email.text == "Hello\n"


def test_what_is_left_out_has_its_default() -> None:
    definition = parse("sequence: a\nsteps: [{key: x, type: sms, body: hi}]")
    assert definition.name == "a"
    assert definition.tags == ()
    assert definition.reentry is Reentry.ONCE
    assert definition.exit_on == ("replied", "unsubscribed", "bounced")
    assert definition.needs == {"phone"}
    (step,) = definition.steps
    assert step.name is None
    assert step.max_lateness == timedelta(hours=24)
    assert not step.stop_on_failure


def test_the_canonical_form_has_whole_seconds_and_all_defaults() -> None:
    assert parse("sequence: a\nsteps: [{key: x, type: sms, body: hi, delay: 0.01 hours}]").canonical() == {
        "sequence": "a",
        "name": "a",
        "tags": [],
        "reentry": "once",
        "exit_on": ["replied", "unsubscribed", "bounced"],
        "steps": [
            {
                "key": "x",
                "type": "sms",
                "name": None,
                "delay": 36,
                "stop_on_failure": False,
                "max_lateness": 86_400,
                "body": "hi",
                "media_url": [],
            }
        ],
    }


CALENDAR = """
sequence: hours
timezone: europe/paris
window: {days: [fri, mon], from: 9:00, to: "17:30", holidays: [US, de-by]}
quiet_hours: {from: "21:00"}
steps:
  - {key: a, type: sms, body: hi, at: 10:30, quiet_hours: off, window: none}
  - {key: b, type: email, subject: hi, text: hi, delay: 3 business days, if_late: shift}
  - {key: c, type: sms, body: hi, after_start: 24 hours}
  - {key: d, type: sms, body: hi, at: "09:00", before: {attribute: renewal date, by: 2 weeks}}
"""


def test_what_is_said_of_the_calendar() -> None:
    definition = parse(CALENDAR.replace("renewal date", "renewal_date"))
    assert definition.timezone == "Europe/Paris"
    assert definition.window == Window.model_validate(
        {"days": ["mon", "fri"], "from": "09:00", "to": "17:30", "holidays": ["US", "DE-BY"]}
    )
    assert definition.quiet_hours == QuietHours.model_validate({"from": "21:00", "to": "09:00"})
    a, b, c, d = definition.steps
    assert (a.at, a.quiet_hours, a.window) == (630, "off", "off")
    assert (b.delay, b.if_late) == (Delay(business_days=3), "shift")
    assert c.after_start == Delay(seconds=86_400)
    assert d.before is not None
    assert (d.before.attribute, d.before.by) == ("renewal_date", Delay(days=14))


def test_what_is_said_of_the_calendar_is_restored() -> None:
    definition = parse(CALENDAR.replace("renewal date", "renewal_date"))
    assert definition.canonical()["steps"][2]["after_start"] == "24 hours"
    assert definition.canonical()["window"] == {
        "days": ["mon", "fri"], "from": "09:00", "to": "17:30", "holidays": ["US", "DE-BY"]
    }  # fmt: skip
    assert Definition.restore(json.loads(json.dumps(definition.canonical()))) == definition


def test_a_day_is_another_thing_than_24_hours_but_was_not_always() -> None:
    def second(delay: str) -> Definition:
        return parse(f"sequence: a\nsteps: [{{key: x, type: sms, body: a, delay: {delay}}}]")

    assert second("1 day").canonical()["steps"][0]["delay"] == 86_400
    assert second("1 day").digest() == second("1.0 days").digest() != second("24 hours").digest()
    assert second("1 week").steps[0].delay == Delay(days=7)
    assert second("1.5 days").steps[0].delay == Delay(seconds=129_600)


def test_what_says_nothing_of_the_calendar_has_the_digest_that_it_always_had() -> None:
    assert parse(FULL).digest() == "820a3aaabf0eddfab40923c7a7ba0fb76f9f944b191f2df7b5e75bdcbd1d77db"
    assert parse(FULL.replace("reentry", "timezone: contact\nreentry")).digest() == parse(FULL).digest()


def test_an_empty_value_is_as_if_it_were_left_out() -> None:
    assert parse("sequence: a\nname:\ntags:\nsteps: [{key: x, type: sms, body: hi, delay:}]").name == "a"


def test_json_is_read_as_it_is_also_with_tabs_and_escapes() -> None:
    data = {"sequence": "a", "steps": [{"key": "x", "type": "sms", "body": '😀 é "q" / \\ \n'}]}
    expected = parse('sequence: a\nsteps: [{key: x, type: sms, body: "😀 é \\"q\\" / \\\\ \\n"}]')
    for text in (json.dumps(data), json.dumps(data, indent="\t"), json.dumps(data, ensure_ascii=False, indent=2)):
        assert parse(text) == expected
        assert parse("\ufeff" + text) == expected
    assert parse(json.dumps(data).replace("/", "\\/")) == expected


def test_the_digest_is_of_the_meaning() -> None:
    digest = parse(FULL).digest()
    assert len(digest) == 64
    assert parse("# a comment\n" + FULL.replace("1.5 hours", "90  minutes")).digest() == digest
    assert parse(FULL.replace("[goal, replied]", "[replied, goal, goal]")).digest() == digest
    assert parse(FULL.replace("Hello\n", "Hallo\n")).digest() != digest
    assert parse(FULL.replace("Demo follow-up", "Another name")).digest() != digest


def test_all_types_are_supported() -> None:
    assert set(MODELS) == set(STEP_TYPES)


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).map(
    lambda text: text.replace("{", "(").replace("}", ")")
)
keys = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,62}\Z")
delays = st.tuples(st.integers(1, 3000), st.sampled_from(["minutes", "minute", "hours", "days"])).map(
    lambda parts: f"{parts[0]} {parts[1]}"
)
texts = words.filter(str.strip)
sms_steps = st.fixed_dictionaries(
    {"type": st.just("sms"), "body": texts, "delay": delays},
    optional={"name": words, "stop_on_failure": st.booleans(), "media_url": st.just(["https://example.com/a.png"])},
)
email_steps = st.fixed_dictionaries(
    {"type": st.just("email"), "subject": texts, "text": texts, "delay": delays},
    optional={"html": texts, "max_lateness": delays},
)


@STEADY
@given(
    keys,
    st.lists(st.one_of(sms_steps, email_steps), min_size=1, max_size=5),
    st.fixed_dictionaries(
        {}, optional={"name": words, "reentry": st.sampled_from(["once", "after_exit", "always", {"after": "30 days"}])}
    ),
)
def test_what_is_published_is_what_is_restored(key: str, steps: list[dict[str, Any]], more: dict[str, str]) -> None:
    file = {"sequence": key, **more, "steps": [{"key": f"s{number}", **step} for number, step in enumerate(steps)]}
    definition = parse(json.dumps(file))
    stored = json.loads(json.dumps(definition.canonical()))
    assert Definition.restore(stored) == definition
    assert Definition.restore(stored).digest() == definition.digest()


def test_a_definition_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(parse(FULL), "name", "other")  # noqa: B010 (mypy refuses the assignment, as it should)
