"""Answers that a worker hears after its row was taken from it: answers all the same."""

import pytest
from stage_site import Site

from engine.clock import SequenceClock
from engine.outbox.claim import Claimed
from engine.outbox.settle import Ending
from engine.outbox.sweep import end_leases
from schema.states import AttemptOutcome, RowStatus
from workers.delivery.settler import Settler

ONE_SMS = "sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]"
ONE_EMAIL = "sequence: mail\nname: Mail\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]"


BOTH = pytest.mark.parametrize("sequence", [ONE_SMS, ONE_EMAIL], ids=["sms", "email"])


def lost(site: Site, sequence: str) -> Claimed:
    """A row that was taken from its worker after the hand-over had begun."""
    key = site.world.publish(sequence)
    site.enroll(key)
    (row,) = site.world.claim(site.world.ids())
    site.world.begin([row])
    site.world.execute("UPDATE outbox SET lease_until = now() WHERE status = 'sending'")
    with site.world.database.transaction() as session:
        assert end_leases(session).in_doubt == 1
    return row


def answer(
    site: Site, row: Claimed, outcome: AttemptOutcome, status: RowStatus, provider_id: str | None = None
) -> None:
    """What the worker writes down when it hears at last."""
    ending = Ending(row.id, row.fence, row.channel, status, outcome=outcome, provider_id=provider_id, detail="so")
    Settler(site.world.database, site.wakeups, SequenceClock(site.world.database)).settle([ending])


@BOTH
def test_a_late_acceptance_settles_a_row_in_doubt(site: Site, sequence: str) -> None:
    answer(site, lost(site, sequence), AttemptOutcome.ACCEPTED, RowStatus.SENT, "the id")
    assert site.world.rows("status, provider_id") == [("sent", "the id")]
    assert site.world.query("SELECT status FROM enrollments") == [("completed",)]


@BOTH
def test_a_late_acceptance_keeps_a_row_from_being_sent_again(site: Site, sequence: str) -> None:
    """Another worker has claimed it already, and has not begun."""
    row = lost(site, sequence)
    site.world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1")
    (again,) = site.world.claim([row.id])
    answer(site, row, AttemptOutcome.ACCEPTED, RowStatus.SENT, "the id")
    assert site.world.begin([again]) == set()
    assert site.world.statuses() == ["sent"]


@BOTH
@pytest.mark.parametrize(
    ("outcome", "status"), [(AttemptOutcome.HELD, "sent"), (AttemptOutcome.REFUSED, "failed")], ids=["held", "refused"]
)
def test_a_late_refusal_is_no_doubt(site: Site, sequence: str, outcome: AttemptOutcome, status: str) -> None:
    """Neither a look-up nor a person is needed."""
    answer(site, lost(site, sequence), outcome, RowStatus.PENDING)
    with site.working(reconcile_grace_seconds=3_600):
        site.until(status)
