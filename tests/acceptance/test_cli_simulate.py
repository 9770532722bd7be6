"""`cadenza simulate`: what would be, without servers; the timelines of the examples are kept beside this file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cli import Cli, ReadyCli, ready_server

from engine.settings import Settings

EXAMPLES: Final = Path(__file__).parents[2] / "deploy" / "examples"
TIMELINES: Final = Path(__file__).parent / "timelines"

#: A Friday evening in Berlin; in the night to Sunday the clocks are put forward.
START: Final = "2026-03-27T19:30:00+01:00"
ANA: Final = (
    '{"phone": "+4915112345678", "email": "ana@example.com", "timezone": "Europe/Berlin", "renewal_date": "2026-04-22"}'
)

BRANCHES: Final = """
sequence: branches
exit_on: [unsubscribed]
steps:
  - {key: hello, type: email, subject: Hello, text: Hello}
  - key: call
    type: call
    delay: 1 day
    outcomes: [interested, not_now]
  - key: interested
    type: condition
    if: {any: [{outcome: {call: interested}}, {clicked: hello}], within: 2 days}
    then:
      - {key: offer, type: email, delay: 1 hour, subject: Offer, text: Offer}
      - {key: pro, type: action, set: {plan: pro}}
    else:
      - {key: over, type: action, exit: true}
  - {key: last, type: email, delay: 1 day, subject: Last, text: Last}
"""


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


@pytest.fixture
def cli(tmp_path: Path, server: "subprocess.Popen[bytes]") -> Cli:
    return ReadyCli(Settings(_env_file=None), tmp_path, server)


def told(cli: Cli, *options: str) -> list[tuple[Any, ...]]:
    """What becomes of each step of the only way."""
    file = cli.file("branches.yaml", BRANCHES)
    document = cli("simulate", file, "--start", "2026-01-01T12:00:00Z", "--json", *options).check(0).document
    (way,) = document["ways"]
    return [(step["step"], step["status"], step["outcome"], (step["at"] or "")[5:16]) for step in way["steps"]]


@pytest.mark.parametrize("example", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_the_timelines_of_the_examples(cli: Cli, example: str) -> None:
    ran = cli("simulate", EXAMPLES / f"{example}.yaml", "--contact", ANA, "--start", START, "--every-branch").check(0)
    assert ran.out == (TIMELINES / f"{example}.txt").read_text()


def test_nothing_is_heard_and_tasks_are_done_when_they_are_due(cli: Cli) -> None:
    assert told(cli) == [
        ("hello", "sent", None, "01-01T12:00"),
        ("call", "done", None, "01-02T12:00"),
        ("interested", "done", "else", "01-04T12:00"),
        ("offer", "skipped", None, ""),
        ("pro", "skipped", None, ""),
        ("over", "done", None, "01-04T12:00"),
        ("last", "cancelled", None, ""),
    ]


def test_a_condition_is_decided_as_soon_as_it_can_be(cli: Cli) -> None:
    expected = [
        ("offer", "sent", None, "01-03T14:00"),
        ("pro", "done", None, "01-03T14:00"),
        ("over", "skipped", None, ""),
        ("last", "sent", None, "01-04T14:00"),
    ]
    clicked = told(cli, "--event", "clicked:hello@49 hours")
    assert clicked[2:] == [("interested", "done", "then", "01-03T13:00"), *expected]
    called = told(cli, "--outcome", "call=interested", "--tasks-take", "25 hours")
    assert called[1:3] == [("call", "done", "interested", "01-03T13:00"), ("interested", "done", "then", "01-03T13:00")]
    assert called[3:] == expected


def test_who_leaves_is_told_nothing_more(cli: Cli) -> None:
    statuses = [status for _, status, *_ in told(cli, "--event", "unsubscribed@3 hours")]
    assert statuses == ["sent", *["cancelled"] * 6]


def test_who_has_reached_the_goal_is_told_nothing_more(cli: Cli) -> None:
    text = BRANCHES.replace("exit_on: [unsubscribed]", "goal: {any: [{attribute: {plan: pro}}, {event: paid}]}")
    file = cli.file("goal.yaml", text)

    def statuses(*options: str) -> list[str]:
        (way,) = cli("simulate", file, "--json", *options).check(0).document["ways"]
        return [step["status"] for step in way["steps"]]

    assert statuses("--event", "custom:paid@3 hours") == ["sent", *["cancelled"] * 6]
    assert statuses("--contact", '{"email": "ann@example.com", "plan": "pro"}') == ["cancelled"] * 7
    ended = ["sent", "done", "done", "sent", "done", "skipped", "cancelled"]
    assert statuses("--outcome", "call=interested") == ended  # by an action of its own


def test_every_way_is_told_once(cli: Cli) -> None:
    file = cli.file("branches.yaml", BRANCHES)
    document = cli("simulate", file, "--json", "--every-branch").check(0).document
    outcomes = [way["steps"][2]["outcome"] for way in document["ways"]]
    assert outcomes == ["then", "else"]


def test_quiet_hours_are_those_of_the_place(cli: Cli) -> None:
    file = cli.file("text.yaml", "sequence: text\nsteps: [{key: a, type: sms, body: Hi}]")
    simulate = ("simulate", file, "--start", "2026-01-01T23:00:00Z", "--json")
    tokyo = '{"phone": "+12025550123", "timezone": "Asia/Tokyo"}'
    night = cli(*simulate, "--contact", tokyo).check(0).document["ways"][0]["steps"][0]
    assert (night["at"], night["status"]) == ("2026-01-02T09:00:00+09:00", "sent")
    texas = '{"phone": "+15125550123", "timezone": "America/Chicago"}'
    sunday = ("simulate", file, "--start", "2026-06-07T15:00:00Z", "--json", "--contact", texas, "--quiet-hours")
    (held,) = cli(*sunday, "strict").check(0).document["ways"][0]["steps"]
    assert held["at"] == "2026-06-07T12:00:00-05:00"
    assert held["reasons"] == ["quiet hours of Texas: Sunday before 12:00 in America/Chicago"]
    (held,) = cli(*sunday, "20:00-09:00, sun 20:00-11:00").check(0).document["ways"][0]["steps"]
    assert held["reasons"] == ["quiet hours: Sunday before 11:00 in America/Chicago"]
    assert "expected two times of day, such as 20:00-09:00" in cli(*sunday, "sunday").check(2).err
    any_time = cli(*simulate, "--contact", tokyo, "--quiet-hours", "off").check(0).document["ways"][0]["steps"][0]
    assert any_time["at"] == "2026-01-02T08:00:00+09:00"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--contact", "{"], "--contact is no JSON"),
        (["--contact", "[]"], "--contact: expected a JSON object"),
        (["--contact", '{"phone": "+12025550123"}'], "--contact lacks email, which branches needs"),
        (["--contact", '{"email": "nobody"}'], "--contact: "),
        (["--contact", '{"email": "a@example.com", "timezone": "Mars"}'], "'Mars' is not a time zone"),
        (["--start", "tomorrow"], "--start: 'tomorrow' is no time"),
        (["--event", "sneezed@1 day"], "--event: 'sneezed' can't be heard"),
        (["--event", "opened:nothing@1 day"], "--event: 'nothing' is no step of branches"),
        (["--event", "opened:hello@soon"], "--event: 'soon' is not a duration"),
        (["--outcome", "call"], "--outcome: 'call' names no step"),
        (["--outcome", "call=perhaps"], "--outcome: call comes to interested or not_now, not 'perhaps'"),
        (["--tasks-take", "long"], "--tasks-take: 'long' is not a duration"),
        (["--timezone", "Mars"], "--timezone: 'Mars' is not a time zone"),
        (["--quiet-hours", "late"], "--quiet-hours: 'late' can't be quiet hours: expected two times of day"),
    ],
)
def test_what_it_refuses(cli: Cli, options: list[str], says: str) -> None:
    ran = cli("simulate", cli.file("branches.yaml", BRANCHES), *options).check(2)
    assert says in ran.complaint


def test_texts_are_shown_with_what_is_missing(cli: Cli) -> None:
    cli.file(
        "hi.yaml", 'sequence: hi\nsteps: [{key: a, type: email, subject: Hi, text: "Dear {{ contact.first_name }},"}]'
    )
    told = cli("simulate", "hi.yaml", "--texts", "--contact", '{"email": "ada@example.com"}').check(0).out
    assert told.endswith(
        "\n\na\n  subject: Hi\n  | Dear [contact.first_name is missing],\n  missing: contact.first_name\n"
    )
    known = '{"email": "ada@example.com", "first_name": "Ada"}'
    (way,) = cli("simulate", "hi.yaml", "--contact", known, "--json").check(0).document["ways"]
    assert (way["steps"][0]["text"], way["steps"][0]["missing"]) == ("Dear Ada,", [])
