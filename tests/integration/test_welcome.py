"""The welcome sequence: both branches, an open at the last second, one too late, and one by a scanner."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import hear, moment
from people_at_work import due, until_step
from stage_site import Site

from deploy.audit import audit

DAY = 86_400.0
EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "welcome.yaml"

READER, NOBODY, LAST_SECOND, TOO_LATE, SCANNER, PROXY = range(1, 7)
WITH_CONTENT = (READER, LAST_SECOND)
WITH_REMINDER = (NOBODY, TOO_LATE, SCANNER, PROXY)

CLOCK = "INSERT INTO clock (real_from, sequence_from, rate) SELECT clock_timestamp(), %s, %s"
BARRACUDA = "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))"


@pytest.fixture
def welcome(site: Site) -> Iterator[Site]:
    site.world.publish(EXAMPLE.read_text(encoding="utf-8"))
    for number in range(1, 7):
        site.enroll("welcome", first_name=f"Guest {number}")
    with site.working():
        yield site


def test_the_welcome_sequence(welcome: Site) -> None:
    site = welcome
    until_step(site, "welcome", "sent")
    assert site.world.rows("step_key, status", f"enrollment_id = {READER}") == [
        ("welcome", "sent"),
        ("read", "pending"),
        ("content", "waiting"),
        ("reminder", "waiting"),
        ("follow-up", "waiting"),
    ]
    hear(site, "opened", READER, "welcome")
    assert hear(site, "opened", SCANNER, "welcome", user_agent=BARRACUDA).machine == "Barracuda"
    proxied = hear(site, "opened", PROXY, "welcome", user_agent="Mozilla/5.0", address="17.58.0.1")
    assert proxied.machine == "Apple Mail Privacy Protection"

    last = moment(site, "read", LAST_SECOND, seconds=-1)
    late = moment(site, "read", TOO_LATE, seconds=1)
    site.world.execute(CLOCK, last, 0.001)
    hear(site, "opened", LAST_SECOND, "welcome", at=last)
    assert set(site.world.rows("status", "step_key = 'read'")) == {("pending",)}
    site.world.execute(CLOCK, late, 1)
    hear(site, "opened", TOO_LATE, "welcome", at=late)

    for enrollment in WITH_CONTENT:
        until_step(site, "content", "sent", enrollment)
        assert site.world.rows("status, reason", f"enrollment_id = {enrollment} AND type = 'condition'") == [
            ("done", "opened welcome: yes")
        ]
        assert site.world.rows("status, reason", f"step_key = 'reminder' AND enrollment_id = {enrollment}") == [
            ("skipped", "branch else not taken: read came to then")
        ]
    for enrollment in WITH_REMINDER:
        until_step(site, "reminder", "sent", enrollment)
        assert site.world.rows("status, reason", f"step_key = 'content' AND enrollment_id = {enrollment}") == [
            ("skipped", "branch then not taken: read came to else")
        ]
        seconds = due(site, "follow-up", enrollment)
        assert seconds is not None
        assert 4 * DAY <= seconds < 4.01 * DAY
    site.jump(3)
    until_step(site, "follow-up", "sent")
    assert set(site.world.query("SELECT status FROM enrollments")) == {("completed",)}
    assert set(site.accepted().values()) == {1}
    assert len(site.accepted()) == 6 * 3
    found = audit(site.world.database, site.sandbox.ledger)
    assert found.clean, found.examples
