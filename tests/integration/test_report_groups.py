"""Delivery reports that are taken together leave everything as they leave it one by one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from world import World

from engine.clock import SequenceClock, advance
from engine.database import Database, Session
from engine.outbox.evidence import Evidence
from engine.outbox.settle import Ending, settle
from engine.rules.delivery_status import RANKS
from engine.wakeups import Due
from producers import delivery_reports
from producers.delivery_reports import DeliveryReport, Told, take_report
from producers.report_group import take_reports
from producers.tenants import Tenant
from schema.states import RowStatus

ASKS = """
sequence: asks
steps:
  - {key: hello, type: sms, body: Hi}
  - key: asked
    type: condition
    if: {delivered: hello, within: 3 days}
    then: [{key: good, type: sms, delay: 1 day, body: "Yes"}]
    else: [{key: bad, type: sms, delay: 1 day, body: "No"}]
"""

PLAIN = """
sequence: plain
steps: [{key: only, type: sms, body: Hi}, {key: next, type: sms, delay: 1 day, body: Hi}]
"""

TENANT = Tenant(1, "Default", "US", "secret")
PHONE = "+12025550101"

#: The messages of the rows, in their order, and one that is nobody's.
SENT, ASKED, SENDING, DOUBTFUL, STRANGE = SIDS = ("SMsent", "SMasked", "SMsending", "SMdoubtful", "SMstrange")

#: What is compared; moments and ids differ by nature.
STATE = (
    "SELECT id, status, delivery_status, error_code, provider_id, reason, outcome, fence FROM outbox ORDER BY id",
    "SELECT provider_id, status, outbox_id, fence, error_code, payload FROM events ORDER BY provider_id, status",
    "SELECT outbox_id, fence, outcome, provider_id FROM attempts ORDER BY 1, 2",
    "SELECT id, status, exit_reason FROM enrollments ORDER BY id",
    "SELECT channel, address, reason FROM suppressions ORDER BY 1, 2",
    "SELECT address, in_a_row, error_code FROM undelivered ORDER BY 1",
    "SELECT outbox_id, was, became, reason FROM history ORDER BY 1, 2, 3, 4",
)

WORDS = (*RANKS, "teleported")
REPORTS = st.lists(
    st.tuples(
        st.sampled_from(SIDS),
        st.sampled_from(WORDS),
        st.sampled_from([None, None, "30003", "30005", "30008", "21610"]),
        st.sampled_from([0, 0, 1, 2, 3, 4]),
    ),
    max_size=14,
)


class BackAgainError(Exception):
    """Ends a transaction that is not to be kept."""


@dataclass
class Ground:
    """Rows of four kinds: plainly sent, sent with a condition that waits for it, being sent, in doubt."""

    world: World
    clock: SequenceClock
    rows: list[int]

    def told(self, sid: str, status: str, code: str | None, row: int) -> Told:
        """A report, with a token of one of the rows, counted from 1, or none."""
        attempt = (self.rows[row - 1], 1) if row else None
        return Told(TENANT, DeliveryReport(sid, status, code, PHONE, attempt, {"MessageSid": sid}))

    def after(self, act: Callable[[Session], list[Due]]) -> list[Any]:
        """The state after an act, which is undone; and the rows that it wakes."""
        state: list[Any] = []
        with pytest.raises(BackAgainError), self.world.database.transaction() as session:
            woken = sorted(row_id for _, ids in act(session) for row_id in ids)
            state += [session.execute(query.encode()).fetchall() for query in STATE]
            state.append(woken)
            raise BackAgainError
        return state

    def one_by_one(self, session: Session, told: Sequence[Told]) -> list[Due]:
        """Today's way of each."""
        return [due for one in told for due in take_report(session, self.clock, *one)]

    def together(self, session: Session, told: Sequence[Told]) -> list[Due]:
        """A group, and then those apart."""
        taken = take_reports(session, told)
        apart = sorted(taken.left_out, key=lambda number: (taken.left_out[number], number))
        return taken.wakeups + self.one_by_one(session, [told[number] for number in apart])


@pytest.fixture
def ground(world: World) -> Iterator[Ground]:
    world.publish(
        "sequence: plain\nsteps: [{key: only, type: sms, body: Hi}, {key: next, type: sms, delay: 1 day, body: Hi}]"
    )
    world.publish(ASKS)
    for number, sequence in enumerate(("plain", "asks", "plain", "plain")):
        world.enroll(sequence, phone=PHONE if number == 0 else f"+1202555020{number}")
    rows = world.ids("step_order = 1")
    world.begin(rows)
    ends = ((rows[0], RowStatus.SENT, SENT), (rows[1], RowStatus.SENT, ASKED), (rows[3], RowStatus.UNKNOWN, None))
    with world.database.transaction() as session:
        settle(
            session,
            [
                Ending(row, 1, "sms", status, outcome="accepted" if sid else "unanswered", provider_id=sid)
                for row, status, sid in ends
            ],
        )
    with world.database.transaction() as session:
        advance(session, timedelta(hours=1))  # all steps are held up by as much, however long the test takes
    world.execute(
        "UPDATE outbox SET outcome = 'undecided', due_at = sequence_now() + interval '3 days' WHERE type = 'condition'"
    )
    yield Ground(world, SequenceClock(world.database), rows)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(REPORTS, min_size=1, max_size=3))
@example(groups=[[(SENT, "delivered", None, 1), (SENT, "sent", None, 1), (SENT, "read", "30005", 0)]])
@example(groups=[[(ASKED, "sent", None, 2), (ASKED, "delivered", None, 0), (ASKED, "delivered", None, 2)]])
@example(groups=[[(SENDING, "sent", None, 0), (SENDING, "queued", None, 3), (SENDING, "delivered", None, 0)]])
@example(groups=[[(SENT, "failed", "30005", 1), (ASKED, "delivered", None, 2)]])
@example(groups=[[(SENT, "failed", "30003", 1), (ASKED, "delivered", None, 2), (STRANGE, "failed", "30003", 0)]])
@example(groups=[[(DOUBTFUL, "failed", "21610", 4), (SENT, "failed", "30008", 1)], [(SENT, "undelivered", None, 1)]])
def test_a_group_ends_as_one_by_one(ground: Ground, groups: list[list[tuple[str, str, str | None, int]]]) -> None:
    told = [[ground.told(*report) for report in group] for group in groups]
    together = ground.after(lambda session: [due for group in told for due in ground.together(session, group)])
    one_by_one = ground.after(lambda session: [due for group in told for due in ground.one_by_one(session, group)])
    for query, in_a_group, alone in zip((*STATE, "woken"), together, one_by_one, strict=True):
        differing = [pair for pair in zip_longest(in_a_group, alone) if pair[0] != pair[1]]
        assert differing == [], query


def test_plain_reports_need_no_evidence_and_nothing_apart(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Evidence] = []
    monkeypatch.setattr(delivery_reports, "accept_evidence", lambda *given: asked.append(given[-1]) or [])
    told = [
        ground.told(SENT, "sent", None, 1),
        ground.told(STRANGE, "sent", None, 0),
        ground.told(SENT, "read", "1", 0),
    ]
    with ground.world.database.transaction() as session:
        assert take_reports(session, told).left_out == {}
    assert asked == []


def test_a_row_that_somebody_has_locked_is_not_waited_for(ground: Ground, database_url: str) -> None:
    """It is left out, with all that is about it; the others are written down."""
    told = [
        ground.told(SENT, "sent", None, 1),
        ground.told(ASKED, "sent", None, 2),
        ground.told(ASKED, "read", None, 0),
    ]
    holding = Database(database_url, name="holding")
    with holding.transaction() as holder:
        holder.execute("SELECT FROM outbox WHERE id = %s FOR UPDATE", (ground.rows[1],))
        with ground.world.database.transaction() as session:
            session.execute("SET LOCAL lock_timeout = '5s'")
            assert set(take_reports(session, told).left_out) == {1, 2}
    holding.close()
    assert ground.world.query("SELECT provider_id FROM events") == [(SENT,)]
