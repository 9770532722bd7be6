"""The promises, whatever the order of claims, crashes, sweeps, callbacks, pauses and cancels (Hypothesis).

The rules call the engine's own functions on a real database, as workers, sweepers, reconcilers, webhooks and operators
do. Only the provider is a model: it keeps what it was handed and what it accepted.
"""

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import clock
from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import InvalidInput
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending, settle
from engine.outbox.sweep import awaiting, end_leases
from engine.rules.doubt import Sighting
from engine.rules.ending import Standing, judge
from engine.rules.outcome import Outcome
from engine.settings import Settings
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, write
from producers.inbound import InboundMessage, receive
from producers.review import Decision, UnderWay, decide
from producers.sequences import publish
from producers.suppressions import suppress
from producers.tenants import find_tenant
from schema.definition import parse
from schema.states import BLOCKING, AttemptOutcome, RowStatus
from workers.channels.channel import Message, Sms
from workers.delivery.known import Known
from workers.reconciler import Reconciler

#: How many histories are tried; the longer, the more is found.
EXAMPLES = int(os.environ.get("CADENZA_TEST_HISTORIES", "100"))

SEQUENCE = """
sequence: promised
exit_on: [unsubscribed]
steps:
  - {key: first, type: sms, body: "First"}
  - {key: second, type: email, delay: 1 day, subject: "Second", text: "Hello"}
  - {key: third, type: sms, delay: 1 day, body: "Third"}
"""

EMPTY = (
    "TRUNCATE enroll_events, events, attempts, outbox, enrollments, suppressions, contacts, clock RESTART IDENTITY;"
    " INSERT INTO clock (real_from, sequence_from, rate) SELECT now(), now(), 1"
)

ROWS = """
SELECT o.id, o.enrollment_id, o.step_order, o.type, o.status, o.fence, o.due_at <= sequence_now() AS due, o.provider_id,
    e.status AS enrollment, c.phone
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id ORDER BY o.id
"""

#: What an operator does to an enrollment.
PAUSE = "UPDATE enrollments SET status = 'paused', paused_at = sequence_now() WHERE id = %s AND status = 'active'"
RESUME = "UPDATE enrollments SET status = 'active', paused_at = NULL WHERE status = 'paused'"
CANCEL = """
UPDATE enrollments SET status = 'cancelled', cancelled_at = sequence_now(), exit_reason = 'operator', paused_at = NULL
WHERE id = %s AND status IN ('active', 'paused')
"""
CANCEL_ROWS = """
UPDATE outbox SET status = 'cancelled', reason = 'operator', fence = fence + 1
WHERE enrollment_id = %s AND status IN ('waiting', 'pending', 'open')
    AND EXISTS (SELECT FROM enrollments WHERE id = enrollment_id AND status = 'cancelled')
"""

FINAL = {RowStatus.SENT, RowStatus.DONE, RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED}

#: What a provider does with a message, and what the worker hears of it.
ACCEPTS = {
    "accepted": (True, AttemptOutcome.ACCEPTED),
    "accepted, and the answer lost": (True, AttemptOutcome.UNANSWERED),
    "refused": (False, AttemptOutcome.REFUSED),
    "refused for now": (False, AttemptOutcome.DEFERRED),
    "no connection": (False, AttemptOutcome.HELD),
    "lost on the way": (False, AttemptOutcome.UNANSWERED),
}


@dataclass
class Row:
    """A row, as the database shows it after a step."""

    id: int
    enrollment_id: int
    step_order: int
    type: str
    status: str
    fence: int
    due: bool
    provider_id: str | None
    enrollment: str
    phone: str


@dataclass
class Hand:
    """A row in the hands of a worker."""

    row: Claimed
    leased: bool = True
    """By the worker's own clock its lease is good for long enough."""
    begun: bool = False
    outcome: Outcome | None = None


@dataclass
class Provider:
    """What was handed over, and what was accepted: by row and fence."""

    handed: list[tuple[int, int]] = field(default_factory=list)
    accepted: dict[tuple[int, int], str] = field(default_factory=dict)
    messages: list[tuple[str, str, str]] = field(default_factory=list)
    """Recipient, body and id of the text messages that were accepted."""

    def of_row(self, row_id: int) -> list[str]:
        return [sid for (row, _), sid in self.accepted.items() if row == row_id]


class Lookup:
    """The channel of the model: it only answers look-ups."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def send(self, message: Message) -> Outcome:
        raise NotImplementedError

    def look_up(self, message: Message, since: datetime) -> Sighting:
        assert isinstance(message, Sms)
        found = [sid for to, body, sid in self.provider.messages if (to, body) == (message.to, message.body)]
        return Sighting(tuple(found))

    def check(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Promises(RuleBasedStateMachine):
    """Three workers, a sweeper, a reconciler, an operator and people, in any order."""

    database: ClassVar[Database]
    wakeups: ClassVar[Wakeups]
    known: ClassVar[Known]
    quick: ClassVar[Settings]

    workers = st.sampled_from(["ann", "bob", "cat"])

    def __init__(self) -> None:
        super().__init__()
        self.clock = SequenceClock(self.database)
        self.provider = Provider()
        self.hands: dict[str, list[Hand]] = defaultdict(list)
        self.before: dict[int, Row] = {}
        self.excused: set[int] = set()
        """Rows that an operator had sent again, or declared sent."""
        self.people = 0
        self.numbers = 0
        channel = Lookup(self.provider)
        self.reconciler = Reconciler(
            self.quick, self.database, self.wakeups, self.clock, {"sms": channel, "email": channel}, self.known
        )

    @initialize()
    def begin_empty(self) -> None:
        self.execute(EMPTY)

    # What people and operators do.

    @rule(count=st.integers(1, 2))
    @precondition(lambda self: self.people < 6)
    def enroll(self, count: int) -> None:
        for _ in range(count):
            self.people += 1
            with self.database.transaction() as session:
                write(
                    session,
                    EnrollEvent("promised", email=f"p{self.people}@example.com", phone=f"+1{2015550000 + self.people}"),
                )

    @rule(hours=st.sampled_from([1, 25]))
    def time_passes(self, hours: int) -> None:
        with self.database.transaction() as session:
            clock.advance(session, timedelta(hours=hours))
        self.clock = SequenceClock(self.database)  # as every process does within a second
        self.reconciler._clock = self.clock

    @rule(pick=st.integers(0, 5))
    def pause(self, pick: int) -> None:
        self.execute(PAUSE, pick + 1)

    @rule()
    def resume(self) -> None:
        self.execute(RESUME)

    @rule(pick=st.integers(0, 5))
    def cancel(self, pick: int) -> None:
        with self.database.transaction() as session:
            session.execute(CANCEL, (pick + 1,))
            session.execute(CANCEL_ROWS, (pick + 1,))

    @rule(pick=st.integers(1, 6))
    def say_stop(self, pick: int) -> None:
        self.numbers += 1
        with self.database.transaction() as session:
            ((public_id,),) = session.execute("SELECT public_id FROM workspaces WHERE id = 1").fetchall()
            tenant = find_tenant(session, public_id)
            assert tenant is not None
            phone = f"+1{2015550000 + pick}"
            receive(session, tenant, InboundMessage(f"SM{self.numbers:032}", phone, "STOP", None, {}))

    @rule(pick=st.integers(1, 6))
    def bar(self, pick: int) -> None:
        """An operator's suppression, which ends no enrollment."""
        with self.database.transaction() as session:
            suppress(session, 1, "sms", f"+1{2015550000 + pick}", "operator")

    # What workers do.

    @rule(worker=workers)
    def claim(self, worker: str) -> None:
        rows = self.rows()
        with self.database.transaction() as session:
            claimed = claim(session, list(rows), 60)
        for row in claimed:
            was = rows[row.id]
            assert was.status == RowStatus.PENDING, f"claimed a row that was {was.status}"
            assert was.due, "claimed before it was due"
            assert was.enrollment == "active", f"claimed for an enrollment that was {was.enrollment}"
            assert not blocked(rows, was), "claimed before the step before had ended"
            self.hands[worker].append(Hand(row))

    @rule(worker=workers)
    def begin(self, worker: str) -> None:
        fresh = [hand for hand in self.hands[worker] if not hand.begun and hand.outcome is None]
        for hand in fresh:
            if hand.row.suppressed is not None:
                self.write(hand, Ending(hand.row.id, hand.row.fence, hand.row.channel, RowStatus.SKIPPED, "suppressed"))
                self.hands[worker].remove(hand)
        fresh = [hand for hand in fresh if hand in self.hands[worker]]
        attempts = [Attempt(h.row.id, h.row.fence, h.row.recipient or "", payload(h.row), 0.0) for h in fresh]
        with self.database.transaction() as session:
            allowed = begin(session, attempts)
        barred = {address for (address,) in self.query("SELECT address FROM suppressions")}
        for hand in fresh:
            if hand.row.id in allowed:
                assert hand.row.recipient not in barred, "begun for a recipient who was suppressed"
                hand.begun = True
            else:
                hand.outcome = Outcome(AttemptOutcome.HELD, detail="released")

    @rule(worker=workers, how=st.sampled_from(sorted(ACCEPTS)))
    def hand_over(self, worker: str, how: str) -> None:
        ready = [hand for hand in self.hands[worker] if hand.begun and hand.outcome is None]
        if not ready:
            return
        hand = ready[0]
        if not hand.leased:
            hand.outcome = Outcome(AttemptOutcome.HELD, detail="the lease was too short")
            return
        rows = self.rows()
        row = rows[hand.row.id]
        assert (row.status, row.fence) == (RowStatus.SENDING, hand.row.fence), "handed over by one who does not hold it"
        assert not blocked(rows, row), "handed over before the step before had ended"
        name = (row.id, row.fence)
        assert name not in self.provider.handed, "one attempt, handed over twice"
        self.provider.handed.append(name)
        accepts, outcome = ACCEPTS[how]
        note(f"row {row.id}: {how}")
        if not accepts:
            hand.outcome = Outcome(outcome, detail=how)
            return
        sid = self.accept(hand.row)
        hand.outcome = Outcome(outcome, provider_id=sid if outcome is AttemptOutcome.ACCEPTED else None, detail=how)

    @rule(worker=workers, how=st.sampled_from(sorted(ACCEPTS)))
    def deliver(self, worker: str, how: str) -> None:
        """All of it at once, so that much happens in few steps."""
        self.claim(worker)
        self.begin(worker)
        self.hand_over(worker, how)

    @rule(worker=workers)
    def settle(self, worker: str) -> None:
        ended = [hand for hand in self.hands[worker] if hand.outcome is not None]
        for hand in ended:
            self.write(hand, ending(hand))
            self.hands[worker].remove(hand)

    @rule(worker=workers)
    def crash(self, worker: str) -> None:
        self.hands[worker].clear()

    # What happens by itself.

    @rule()
    def leases_end(self) -> None:
        self.execute("UPDATE outbox SET lease_until = clock_timestamp() - interval '1 s' WHERE status = 'sending'")
        for hands in self.hands.values():
            for hand in hands:
                hand.leased = False

    @rule()
    def sweep(self) -> None:
        with self.database.transaction() as session:
            end_leases(session)
            found = awaiting(session, 1, after=None, horizon=10, rate=1, limit=100)
        rows = self.rows()
        for one in found:
            assert rows[one.id].enrollment == "active"
            assert not blocked(rows, rows[one.id])

    @rule()
    def reconcile(self) -> None:
        self.reconciler.reconcile(Event())

    @rule(pick=st.integers(0, 1_000), worker=workers)
    @precondition(lambda self: self.provider.accepted)
    def callback(self, pick: int, worker: str) -> None:
        texts = [name for name, sid in self.provider.accepted.items() if sid.startswith("SM")]
        if not texts:
            return
        row_id, fence = texts[pick % len(texts)]
        with self.database.transaction() as session:
            accept_evidence(session, self.clock, Evidence(1, row_id, fence, self.provider.accepted[row_id, fence]))

    @rule(pick=st.integers(0, 1_000), decision=st.sampled_from(Decision))
    def review(self, pick: int, decision: Decision) -> None:
        waiting = [row for row in self.rows().values() if row.status == RowStatus.REVIEW]
        if not waiting:
            return
        row = waiting[pick % len(waiting)]
        self.excused.add(row.id)
        try:
            with self.database.transaction() as session:
                decide(session, self.clock, 1, row.id, decision)
        except (InvalidInput, UnderWay) as refusal:
            note(f"row {row.id}: {refusal}")
            assert decision is Decision.RESEND

    # What must hold after each of them.

    @invariant()
    def the_promises_hold(self) -> None:
        self.rows_move_as_they_may()
        self.no_row_is_accepted_twice()
        self.enrollments_fit_their_rows()
        self.what_a_provider_said_is_never_forgotten()
        self.nothing_is_sent_that_was_not_accepted()

    def rows_move_as_they_may(self) -> None:
        rows = self.rows()
        for row_id, was in self.before.items():
            now = rows[row_id]
            assert now.fence >= was.fence
            if now.status != was.status:
                assert now.fence > was.fence, f"row {row_id}: {was.status} to {now.status} under the same fence"
                assert was.status not in FINAL, f"row {row_id}: {was.status} was final, and is {now.status}"
                assert (was.status, now.status) != (RowStatus.UNKNOWN, RowStatus.SENDING)
        self.before = rows

    def no_row_is_accepted_twice(self) -> None:
        times = Counter(row_id for row_id, _ in self.provider.accepted)
        assert all(count == 1 or row_id in self.excused for row_id, count in times.items()), times

    def enrollments_fit_their_rows(self) -> None:
        of_enrollment: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows().values():
            of_enrollment[row.enrollment_id].append(row)
        for enrollment_id, rows in of_enrollment.items():
            statuses = [row.status for row in rows]
            match rows[0].enrollment:
                case "completed":
                    assert not any(status in BLOCKING for status in statuses), (enrollment_id, statuses)
                case "active":
                    assert any(status in BLOCKING for status in statuses), (enrollment_id, statuses)
                case "cancelled":
                    assert not {RowStatus.PENDING, RowStatus.WAITING, RowStatus.OPEN}.intersection(statuses), statuses

    def what_a_provider_said_is_never_forgotten(self) -> None:
        known = self.query("SELECT outbox_id, fence, provider_id FROM attempts WHERE outcome = 'accepted'")
        now = {(row_id, fence): sid for row_id, fence, sid in known}
        for name, sid in getattr(self, "proven", {}).items():
            assert now.get(name) == sid, f"attempt {name} was accepted as {sid}, and is {now.get(name)}"
        self.proven = now

    def nothing_is_sent_that_was_not_accepted(self) -> None:
        for row in self.rows().values():
            if row.status == RowStatus.SENT and row.id not in self.excused:
                assert row.provider_id in self.provider.of_row(row.id)

    def teardown(self) -> None:
        """Whatever has happened: when all is quiet, every row has gone out once, or says why not."""
        self.execute(RESUME)
        for worker in list(self.hands):
            self.settle(worker)
            self.crash(worker)
        for _ in range(6):
            self.leases_end()
            self.sweep()
            for _ in range(3):
                self.reconcile()
            self.time_passes(25)
            self.execute("UPDATE outbox SET retry_at = NULL WHERE retry_at IS NOT NULL")
            self.claim("ann")
            self.begin("ann")
            while any(hand.begun and hand.outcome is None for hand in self.hands["ann"]):
                self.hand_over("ann", "accepted")
            self.settle("ann")
            self.the_promises_hold()
        for row in self.rows().values():
            accepted = self.provider.of_row(row.id)
            assert row.status in FINAL or row.status == RowStatus.REVIEW, f"row {row.id} is still {row.status}"
            if row.status == RowStatus.REVIEW:
                assert row.type == "email", "a text message can be looked up"
            elif row.id not in self.excused:
                assert (row.status == RowStatus.SENT) == (len(accepted) == 1), f"row {row.id}: {row.status}, {accepted}"

    # What the above are made of.

    def accept(self, row: Claimed) -> str:
        self.numbers += 1
        sid = f"SM{self.numbers:032}" if row.channel == "sms" else f"<{row.id}@example.com>"
        self.provider.accepted[row.id, row.fence] = sid
        if row.channel == "sms":
            self.provider.messages.append((row.recipient or "", body(row), sid))
        return sid

    def write(self, hand: Hand, end: Ending) -> None:
        with self.database.transaction() as session:
            settle(session, [end])

    def rows(self) -> dict[int, Row]:
        return {row[0]: Row(*row) for row in self.query(ROWS)}

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.transaction() as session:
            return session.execute(sql.encode(), parameters or None).fetchall()

    def execute(self, sql: str, *parameters: Any) -> None:
        with self.database.transaction() as session:
            session.execute(sql.encode(), parameters or None)


def blocked(rows: dict[int, Row], row: Row) -> bool:
    """Whether a step before has not ended."""
    return any(
        other.enrollment_id == row.enrollment_id and other.step_order < row.step_order and other.status in BLOCKING
        for other in rows.values()
    )


def body(row: Claimed) -> str:
    return row.step_key


def payload(row: Claimed) -> str:
    return json.dumps({"body": body(row), "media_urls": []})


def ending(hand: Hand) -> Ending:
    """As the pipeline makes it of an outcome."""
    row, outcome = hand.row, hand.outcome
    assert outcome is not None
    if not hand.begun:
        return Ending(row.id, row.fence, row.channel, RowStatus.PENDING, outcome.detail, outcome=outcome.outcome)
    standing = Standing(
        tries=row.attempts,
        attempts=(row.fence + 1) // 2,
        max_tries=3,
        lateness=0,
        max_lateness=86_400 * 365,
        exit_on=["unsubscribed"],
        stop_on_failure=False,
        retry_base=0.001,
    )
    verdict = judge(outcome, standing, 0.5)
    return Ending(
        row.id,
        row.fence,
        row.channel,
        verdict.status,
        verdict.reason,
        verdict.tries,
        verdict.delay,
        outcome.outcome,
        outcome.provider_id,
        outcome.error_code,
        outcome.detail,
        outcome.suppress,
        verdict.exit_reason,
    )


@pytest.mark.timeout(600)
def test_the_promises_hold_in_any_order(database: Database, redis_url: str) -> None:
    with database.transaction() as session:
        publish(session, 1, parse(SEQUENCE))
    Promises.database = database
    Promises.wakeups = Wakeups(redis_url)
    Promises.known = Known(database)
    Promises.quick = Settings(_env_file=None, reconcile_grace_seconds=0, reconcile_interval_seconds=1e-6)
    try:
        run_state_machine_as_test(
            Promises,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
    finally:
        Promises.wakeups.close()
