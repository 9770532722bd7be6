"""Let the database grow: contacts, their enrollments by the statement of bulk enrollment, and what became of them."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from deploy.cli.session import required
from deploy.scale.place import Place
from deploy.scale.sequences import GROWING, SHARES, STEPS, TASK_STEP, Share
from engine.database import Database, Session
from engine.outbox.counters import fold
from engine.outbox.plan import Stretch, plan_enrollments
from engine.rules.planning import plan
from engine.wakeups import Due
from producers.sequences import publish
from producers.workspaces import add
from schema.definition import parse

WORKSPACES: Final = 50

#: Contacts of one transaction.
CHUNK: Final = 2_000

#: Transactions at the same time.
LOADERS: Final = 2

#: Loaders look rows up by their ids whatever the statistics say, and wait for no disk.
LOADING: Final = (
    "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c synchronous_commit=off"
)

CONTACTS: Final = """
INSERT INTO contacts (workspace_id, external_id, email, email_key, phone, first_name, last_name, attributes)
SELECT %(workspace)s, 'lead-' || number, mailbox, mailbox, '+1' || (2015550000 + number), name.first, name.last,
    jsonb_build_object('city', name.city, 'plan', name.plan)
FROM generate_series(%(first)s::int, %(last)s::int) AS number
CROSS JOIN LATERAL (SELECT 'lead.' || number || '@example.com') AS address (mailbox)
CROSS JOIN LATERAL (
    SELECT (ARRAY['Anna', 'Ben', 'Chloe', 'Daniel', 'Elif', 'Farid', 'Grace'])[1 + number %% 7],
        (ARRAY['Meyer', 'Okafor', 'Nguyen', 'Rossi', 'Silva'])[1 + number %% 5],
        (ARRAY['Berlin', 'Lagos', 'Hanoi'])[1 + number %% 3], (ARRAY['starter', 'team'])[1 + number %% 2]
) AS name (first, last, city, plan)
RETURNING id
"""

#: The steps that have ended, with their attempts (the rows tell how those ended), reports of deliveries, and tasks.
END_STEPS: Final = """
WITH ended AS (
    UPDATE outbox o SET status = CASE o.type WHEN 'call' THEN 'done' ELSE 'sent' END, fence = 2,
        due_at = coalesce(o.due_at, step.at), sent_at = CASE WHEN o.type <> 'call' THEN step.at END,
        provider_id = CASE o.type WHEN 'sms' THEN 'SM' || md5(o.id::text) WHEN 'email' THEN
            '<' || md5(o.id::text) || '@cadenza.example.com>' END,
        delivery_status = CASE o.type WHEN 'sms' THEN 'delivered' END,
        accepted_fence = CASE WHEN o.type <> 'call' THEN 1 END,
        accepted_at = CASE WHEN o.type <> 'call' THEN step.at + interval '200 milliseconds' END
    FROM generate_series(1, %(steps)s::int) AS number
    CROSS JOIN LATERAL (SELECT %(enrolled_at)s::timestamptz + number * interval '40 hours') AS step (at)
    WHERE o.enrollment_id = ANY(%(enrollments)s::bigint[]) AND o.step_order = number
    RETURNING o.id, o.workspace_id, o.enrollment_id, o.step_key, o.type, o.provider_id, step.at
),
attempted AS (
    INSERT INTO attempt_records (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds,
        started_at)
    SELECT ended.id, 1, ended.workspace_id, ended.type, CASE ended.type WHEN 'sms' THEN c.phone ELSE c.email END,
        CASE ended.type
            WHEN 'sms' THEN jsonb_build_object('to', c.phone, 'sender', '+15005550006', 'body',
                'Hi ' || c.first_name || ', thanks for your interest in our plan. Reply STOP to end this.')
            ELSE jsonb_build_object('sender', 'Cadenza <cadenza@example.com>', 'message_id', ended.provider_id,
                'date', ended.at, 'subject', 'Welcome', 'html', NULL,
                'text', 'Hello ' || c.first_name || repeat(', here is what others found of use', 6))
        END, 0.1, ended.at
    FROM ended JOIN enrollments e ON e.id = ended.enrollment_id JOIN contacts c ON c.id = e.contact_id
    WHERE ended.type <> 'call'
),
reported AS (
    INSERT INTO events
        (workspace_id, provider, kind, provider_id, status, outbox_id, fence, payload, received_at, occurred_at)
    SELECT workspace_id, 'twilio', 'status', provider_id, 'delivered', id, 1, jsonb_build_object('MessageSid',
        provider_id, 'MessageStatus', 'delivered', 'AccountSid', 'AC' || md5('1'), 'From', '+15005550006',
        'ApiVersion', '2010-04-01'), at + interval '2 seconds', at + interval '2 seconds'
    FROM ended WHERE type = 'sms'
)
INSERT INTO tasks (workspace_id, enrollment_id, outbox_id, type, name, ended_at, ended_by)
SELECT workspace_id, enrollment_id, id, type, step_key, at, 'scale' FROM ended WHERE type = 'call'
"""

OPEN_TASKS: Final = """
WITH opened AS (
    UPDATE outbox SET status = 'open', fence = 1
    WHERE enrollment_id = ANY(%(enrollments)s::bigint[]) AND step_order = %(step)s
    RETURNING id, workspace_id, enrollment_id, step_key, type
)
INSERT INTO tasks (workspace_id, enrollment_id, outbox_id, type, name)
SELECT workspace_id, enrollment_id, id, type, step_key FROM opened
"""

CANCEL_STEPS: Final = """
UPDATE outbox SET status = 'cancelled', reason = 'replied', fence = 1
WHERE enrollment_id = ANY(%(enrollments)s::bigint[]) AND step_order > %(steps)s
"""

END: Final = """
UPDATE enrollments e SET status = became.status, exit_reason = became.reason,
    completed_at = CASE became.status WHEN 'completed' THEN became.at END,
    cancelled_at = CASE became.status WHEN 'cancelled' THEN became.at END
FROM (SELECT %(status)s::text, %(ended_at)s::timestamptz, %(reason)s::text) AS became (status, at, reason)
WHERE e.id = ANY(%(enrollments)s::bigint[])
"""

#: Most of what an operator or the engine does is to end an enrollment early.
NOTE: Final = """
INSERT INTO history (at, sequence_at, workspace_id, enrollment_id, made_by, became, reason)
SELECT became.at, became.at, %(workspace)s::bigint, enrollment, 'exit rule', 'cancelled', 'replied'
FROM (SELECT %(ended_at)s::timestamptz) AS became (at), unnest(%(enrollments)s::bigint[]) AS enrollment
"""

PENDING: Final = """
SELECT date_part('epoch', due_at), array_agg(id) FROM outbox
WHERE enrollment_id = ANY(%(enrollments)s::bigint[]) AND status = 'pending' GROUP BY due_at
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Contacts of one transaction: they stand alike."""

    stretch: Stretch
    first: int
    last: int
    share: Share
    enrolled_at: datetime


class Growth:
    """One database, from size to size."""

    def __init__(self, place: Place) -> None:
        """Make the workspaces, and the sequence in each."""
        self._place = place
        self._contacts = 0
        definition = parse(GROWING)
        self.stretches: list[Stretch] = []
        with place.producer.transaction() as session:
            for number in range(1, WORKSPACES + 1):
                workspace = add(session, f"tenant-{number}", quiet_hours="off")
                published = publish(session, workspace.id, definition)
                self.stretches.append(
                    Stretch(
                        workspace.id,
                        published.sequence_id,
                        published.version_id,
                        definition.reentry_state,
                        plan(definition),
                    )
                )

    @property
    def contacts_each(self) -> int:
        """Contacts of each workspace so far."""
        return self._contacts

    def grow(self, rows: int) -> None:
        """Grow to so many outbox rows: each workspace by as many contacts; counters and statistics are kept up."""
        until = rows // STEPS // WORKSPACES
        loader = Database(
            required(self._place.settings.database_url), size=LOADERS, name="cadenza scale load", options=LOADING
        )
        try:
            with ThreadPoolExecutor(LOADERS) as pool:
                for wakeups in pool.map(lambda chunk: _load(loader, chunk), self._chunks(until)):
                    self._place.wakeups.schedule(wakeups)
            self._contacts = until
            fold(self._place.worker)
            with loader.connect() as session:
                session.execute("VACUUM (ANALYZE)")
                session.execute("CHECKPOINT")
        finally:
            loader.close()

    def _chunks(self, until: int) -> Iterator[Chunk]:
        """All that is new, workspace by workspace in turns, as lists come in."""
        turns = [_chunks_of(stretch, self._contacts + 1, until) for stretch in self.stretches if until > self._contacts]
        while turns:
            for turn in list(turns):
                chunk = next(turn, None)
                if chunk is None:
                    turns.remove(turn)
                else:
                    yield chunk


def _chunks_of(stretch: Stretch, first: int, until: int) -> Iterator[Chunk]:
    """The contacts of a workspace by shares, each cut into chunks that were enrolled at different times."""
    added, before = until - first + 1, 0
    for share in SHARES:
        upto = before + share.percent
        yield from _of_share(stretch, first + added * before // 100, first + added * upto // 100, share)
        before = upto


def _of_share(stretch: Stretch, first: int, end: int, share: Share) -> Iterable[Chunk]:
    newest, oldest = share.days_ago
    for number in count():
        start = first + number * CHUNK
        if start >= end:
            return
        # Steps of 37 days: neighbours lie in different months, and all of them are spread over the whole time.
        days = oldest - (37 * number + stretch.workspace_id) % (oldest - newest + 1)
        enrolled_at = datetime.now(UTC) - timedelta(days=days, hours=1)
        yield Chunk(stretch, start, min(start + CHUNK, end) - 1, share, enrolled_at)


def _load(database: Database, chunk: Chunk) -> list[Due]:
    with database.transaction() as session:
        workspace = chunk.stretch.workspace_id
        rows = session.execute(CONTACTS, {"workspace": workspace, "first": chunk.first, "last": chunk.last})
        contacts = [contact for (contact,) in rows]
        planned = plan_enrollments(session, chunk.stretch, contacts, now=chunk.enrolled_at, done_anew=True)
        return _bring_about(session, chunk, list(planned.enrollments))


def _bring_about(session: Session, chunk: Chunk, enrollments: list[int]) -> list[Due]:
    """What became of the enrollments; give the wake-ups of what is yet to come."""
    share, ended_at = chunk.share, chunk.enrolled_at + timedelta(days=17)
    about = {
        "enrollments": enrollments,
        "steps": share.ended_steps,
        "enrolled_at": chunk.enrolled_at,
        "status": share.status,
        "reason": "replied" if share.status == "cancelled" else None,
        "ended_at": ended_at,
        "workspace": chunk.stretch.workspace_id,
        "step": TASK_STEP,
    }
    session.execute(END_STEPS, about)
    if share.status == "cancelled":
        session.execute(CANCEL_STEPS, about)
        session.execute(NOTE, about)
    if share.status != "active":
        session.execute(END, about)
    elif share.ended_steps == TASK_STEP - 1:
        session.execute(OPEN_TASKS, about)
    return list(session.execute(PENDING, about).fetchall())
