"""The seven-step "Demo follow-up" over the moved clock: people are late, early, out of order, and say things twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from people_at_work import act, due, states, until_step
from stage_site import Site

from deploy.audit import audit

DAY = 86_400.0
EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "demo-follow-up.yaml"

#: Sequence seconds that pass while nobody moves the clock, at most: what is done by hand takes real time.
SLACK = 600.0

IN_TIME, LATE, EARLY, OUT_OF_ORDER = 1, 2, 3, 4


@pytest.fixture
def people(site: Site) -> Iterator[Site]:
    site.world.publish(EXAMPLE.read_text(encoding="utf-8"))
    for number in range(1, 5):
        site.enroll("demo-follow-up", first_name=f"Guest {number}", attributes={"owner": "olaf"})
    with site.working():
        yield site


def about(seconds: float | None, days: float) -> bool:
    return seconds is not None and days * DAY <= seconds < days * DAY + SLACK


def test_the_demo_follow_up(people: Site) -> None:
    site = people
    until_step(site, "confirm", "sent")
    assert site.world.rows("step_key, status, due_at IS NULL", f"enrollment_id = {IN_TIME}") == [
        ("confirm", "sent", False),
        ("prepare", "pending", False),
        ("reminder-call", "waiting", True),
        ("demo", "waiting", True),
        ("thanks", "waiting", True),
        ("check-in", "waiting", True),
        ("contract", "waiting", True),
    ]
    act(site, "complete", EARLY, "prepare")  # at once, a day before it is due
    assert about(due(site, "reminder-call", EARLY), 1)

    site.jump(1)  # day 1
    until_step(site, "prepare", "open", IN_TIME)
    until_step(site, "prepare", "open", LATE)
    until_step(site, "reminder-call", "open", EARLY)
    assert states(site, IN_TIME) == {
        "prepare": "active",
        "reminder-call": "pending",
        "demo": "pending",
        "check-in": "pending",
    }
    act(site, "complete", IN_TIME, "prepare")
    assert not act(site, "complete", IN_TIME, "prepare").changed
    assert about(due(site, "reminder-call", IN_TIME), 2)
    until_step(site, "prepare", "open", OUT_OF_ORDER)
    said = act(site, "complete", OUT_OF_ORDER, "demo")
    assert said.warnings == ["out of order: before it prepare, reminder-call are not done yet"]
    assert site.world.rows("status", f"enrollment_id = {OUT_OF_ORDER} AND step_key = 'thanks'") == [("waiting",)]

    site.jump(1)  # day 2
    until_step(site, "reminder-call", "open", IN_TIME)
    act(site, "complete", IN_TIME, "reminder-call", outcome="confirmed")
    act(site, "complete", OUT_OF_ORDER, "prepare")
    act(site, "complete", EARLY, "reminder-call", outcome="moved")
    act(site, "complete", EARLY, "demo")  # before it is due, and what is behind it counts from now
    assert about(due(site, "thanks", EARLY), 3)

    site.jump(1)  # day 3
    until_step(site, "demo", "open", IN_TIME)
    until_step(site, "thanks", "sent", EARLY)
    act(site, "complete", IN_TIME, "demo")
    assert about(due(site, "thanks", IN_TIME), 4)
    assert about(due(site, "check-in", IN_TIME), 7)
    assert due(site, "contract", IN_TIME) is None
    until_step(site, "reminder-call", "open", OUT_OF_ORDER)
    act(site, "complete", OUT_OF_ORDER, "reminder-call", outcome="no_answer")
    assert about(due(site, "thanks", OUT_OF_ORDER), 4)  # the demo was done before, and keeps nothing waiting
    assert states(site, OUT_OF_ORDER)["demo"] == "completed"

    site.jump(2)  # day 5
    until_step(site, "thanks", "sent", IN_TIME)
    until_step(site, "thanks", "sent", OUT_OF_ORDER)
    assert states(site, LATE) == {
        "prepare": "active",
        "reminder-call": "pending",
        "demo": "pending",
        "check-in": "pending",
    }
    act(site, "complete", LATE, "prepare")  # four days late: the rest is as late
    assert about(due(site, "reminder-call", LATE), 6)

    site.jump(2)  # day 7
    for enrollment in (IN_TIME, EARLY, OUT_OF_ORDER):
        until_step(site, "check-in", "open", enrollment)
        act(site, "complete", enrollment, "check-in")
        assert about(due(site, "contract", enrollment), 14)
    until_step(site, "reminder-call", "open", LATE)
    act(site, "complete", LATE, "reminder-call", outcome="confirmed")
    act(site, "complete", LATE, "demo")

    site.jump(7)  # day 14
    for enrollment in (IN_TIME, EARLY, OUT_OF_ORDER):
        until_step(site, "contract", "sent", enrollment)
        assert set(states(site, enrollment).values()) == {"completed"}
    until_step(site, "check-in", "open", LATE)
    act(site, "complete", LATE, "check-in")
    assert about(due(site, "contract", LATE), 21)

    site.jump(7)  # day 21
    until_step(site, "contract", "sent")
    assert set(site.world.query("SELECT status FROM enrollments")) == {("completed",)}
    assert set(site.accepted().values()) == {1}
    assert len(site.accepted()) == 4 * 3
    found = audit(site.world.database, site.sandbox.ledger)
    assert found.clean, found.examples
    assert found.accepted_once == 4 * 3
