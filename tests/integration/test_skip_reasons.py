"""Each reason for which a step is skipped is made by the engine, and the audit knows it."""

from collections.abc import Callable
from typing import Final

import pytest
from people_at_work import act, until_step
from stage_site import Site

from deploy.audit import audit
from engine.rules.skip_reasons import SkipKind, skip_kind
from producers.altering import delete_step
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator
from producers.steering import skip
from producers.suppressions import suppress

WHO: Final = Operator("default", "ann", None)

ONE: Final = "sequence: made\nquiet_hours: off\nsteps: [{key: it, type: sms, body: Hi}]"
TWO: Final = """
sequence: made
quiet_hours: off
steps: [{key: first, type: sms, body: Hi}, {key: it, type: sms, delay: 1 day, body: Hi}]
"""
DATED: Final = """
sequence: made
quiet_hours: off
steps: [{key: it, type: sms, before: {attribute: renewal, by: 3 days}, at: "09:00", body: Hi}]
"""


def branch(site: Site) -> None:
    site.world.publish("""
sequence: made
quiet_hours: off
steps:
  - key: asked
    type: condition
    if: {attribute: {plan: pro}}
    then: [{key: it, type: sms, body: Hi}]
""")
    site.enroll("made")
    with site.working():
        until_step(site, "it", "skipped")


def version(site: Site) -> None:
    site.world.publish(TWO)
    site.enroll("made")
    with site.working():
        until_step(site, "first", "sent")
        site.world.publish(TWO.replace("key: it", "key: other"))
        plan = plan_migration(site.world.database, "default", "made")
        run_migration(site.world.database, site.wakeups, WHO, plan.target)


def deleted(site: Site) -> None:
    site.world.publish(TWO)
    site.enroll("made")
    with site.working():
        until_step(site, "first", "sent")
    delete_step(site.world.database, site.wakeups, WHO, 1, "it")


def suppressed(site: Site) -> None:
    site.world.publish(ONE)
    with site.world.database.transaction() as session:
        suppress(session, 1, "sms", "+12025550001", "operator")
    site.enroll("made")
    with site.working():
        until_step(site, "it", "skipped")


def no_address(site: Site) -> None:
    site.world.publish(ONE)
    site.enroll("made")
    site.world.execute("UPDATE contacts SET phone = NULL, updated_at = clock_timestamp()")
    with site.working():
        until_step(site, "it", "skipped")


def no_date(site: Site) -> None:
    site.world.publish(DATED)
    site.enroll("made")


def date_passed(site: Site) -> None:
    site.world.publish(DATED)
    site.enroll("made", attributes={"renewal": "2020-01-31"})


def never_opens(site: Site) -> None:
    site.world.publish("""
sequence: made
timezone: Asia/Tokyo
window: {from: "09:00", to: "10:00"}
quiet_hours: {from: "15:00", to: "09:00"}
steps: [{key: it, type: sms, body: Hi}]
""")
    site.enroll("made")


def too_late(site: Site) -> None:
    site.world.publish(ONE.replace("body: Hi", "body: Hi, max_lateness: 1 minute"))
    site.enroll("made")
    site.world.execute("UPDATE outbox SET due_at = due_at - interval '1 hour'")
    with site.working():
        until_step(site, "it", "skipped")


def by_operator(site: Site) -> None:
    site.world.publish(ONE)
    site.enroll("made")
    skip(site.world.database, site.wakeups, WHO, 1, "it")


def by_person(site: Site) -> None:
    site.world.publish("sequence: made\nsteps: [{key: it, type: call}]")
    site.enroll("made")
    act(site, "skip", 1, "it", by="ann")


MAKERS: Final[dict[SkipKind, Callable[[Site], None]]] = {
    SkipKind.BRANCH: branch,
    SkipKind.VERSION: version,
    SkipKind.DELETED: deleted,
    SkipKind.SUPPRESSED: suppressed,
    SkipKind.NO_ADDRESS: no_address,
    SkipKind.NO_DATE: no_date,
    SkipKind.DATE_PASSED: date_passed,
    SkipKind.NEVER_OPENS: never_opens,
    SkipKind.TOO_LATE: too_late,
    SkipKind.BY_OPERATOR: by_operator,
    SkipKind.BY_PERSON: by_person,
}


@pytest.mark.parametrize("kind", SkipKind)
def test_the_audit_knows_every_reason(site: Site, kind: SkipKind) -> None:
    MAKERS[kind](site)
    ((status, reason),) = site.world.rows("status, reason", "step_key = 'it'")
    assert (status, skip_kind(reason)) == ("skipped", kind), reason
    found = audit(site.world.database, site.sandbox.ledger)
    assert found.clean, found.examples


@pytest.mark.parametrize("reason", [None, "", "because", "skipped", "too late", "suppressed: ", "branch a not taken"])
def test_no_other_text_is_a_reason(reason: str | None) -> None:
    assert skip_kind(reason) is None


def test_a_notification_is_explained_by_its_action(site: Site) -> None:
    site.world.publish("""
sequence: made
steps: [{key: it, type: action, notify: {to: sales@example.com, subject: Hi, text: They came}}]
""")
    site.enroll("made")
    with site.working():
        until_step(site, "it", "sent")
    assert site.accepted() == {("sales@example.com", "Hi"): 1}
    found = audit(site.world.database, site.sandbox.ledger)
    assert found.clean, found.examples
    assert found.acceptances == 1
    site.world.execute("UPDATE outbox SET status = 'failed', sent_at = NULL")
    assert not audit(site.world.database, site.sandbox.ledger).clean
