"""Settle: write down how attempts ended, and what follows from that. The one place that does."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.arrays import BigInts, Ints, Texts
from engine.database import Session
from engine.outbox.following import FOLLOWING, Settled
from engine.outbox.leave import EXIT_RULE, called_off, cancel_returned
from engine.outbox.lookups import checked, look_up
from engine.outbox.pause import pause
from engine.outbox.suppressing import STRONGEST_OF_PERSON_STAYS, STRONGEST_STAYS, strength
from schema.states import BLOCKING, THEIR_OWN, AttemptOutcome, RowStatus, sql_list

#: How attempts ended, whatever it was; and what is known beforehand of those that a provider accepted.
ENDED: Final = """
    SELECT * FROM unnest(
        %(ids)b::bigint[], %(fences)b::int[], %(statuses)b::text[], %(reasons)b::text[], %(tries)b::int[],
        %(delays)b::float8[], %(outcomes)b::text[], %(provider_ids)b::text[], %(error_codes)b::text[],
        %(details)b::text[]
    ) AS ended (id, fence, status, reason, tries, delay, outcome, provider_id, error_code, detail)
"""
ACCEPTED: Final = """
    SELECT id, fence, 'sent' AS status, NULL::text AS reason, 0 AS tries, NULL::float8 AS delay,
        'accepted' AS outcome, provider_id, NULL::text AS error_code, detail
    FROM unnest(%(ids)b::bigint[], %(fences)b::int[], %(provider_ids)b::text[], %(details)b::text[])
        AS ended (id, fence, provider_id, detail)
"""

#: Attempts keep the provider's word even when their row was lost, and what a callback has proven of them even when the
#: worker had no answer.
ENDS_ATTEMPT: Final = f"""
    UPDATE attempt_records a SET ended_at = coalesce(a.ended_at, clock_timestamp()), outcome = ended.outcome,
        provider_id = ended.provider_id, error_code = ended.error_code, detail = ended.detail
    FROM ended
    WHERE ended.outcome IS NOT NULL AND {look_up("a.outbox_id", "ended.id")} AND a.fence = ended.fence
        AND a.outcome IS DISTINCT FROM 'accepted' AND NOT EXISTS (
            SELECT FROM outbox told WHERE told.id = a.outbox_id AND told.accepted_fence = a.fence OFFSET 0
        )
"""

#: The row tells how a plainly accepted attempt ended (the view `attempts`): only one whose row was lost is written.
ENDS_LOST_ATTEMPT: Final = f"{ENDS_ATTEMPT} AND (ended.id, ended.fence + 1) NOT IN (SELECT id, fence FROM settled)"
TELLS: Final = "accepted_at = clock_timestamp(), accepted_fence = ended.fence, accepted_detail = ended.detail,"

#: Rows move only under the fence of their claim.
_SETTLE: Final = f"""
WITH ended AS MATERIALIZED ({{ended}}),
settled AS (
    UPDATE outbox o SET status = ended.status, reason = ended.reason, attempts = o.attempts + ended.tries,
        fence = o.fence + 1, lease_until = NULL, retry_at = clock_timestamp() + ended.delay * interval '1 second',
        provider_id = coalesce(ended.provider_id, o.provider_id), error_code = ended.error_code, {{tells}}
        sent_at = CASE ended.status WHEN 'sent' THEN (SELECT sequence_now()) END{{base}}
    FROM ended
    WHERE {look_up("o.id", "ended.id")} AND o.fence = ended.fence AND {checked("o.status = 'sending'")}
    RETURNING o.id, o.enrollment_id, o.step_order, o.status, o.due_at, o.retry_at, o.workspace_id, o.reason, o.fence,
        ended.outcome
),
closed AS ({{ends}}),
{{noted}}
{FOLLOWING}
"""

#: The steps behind what was not sent count from this moment.
BASE: Final = f"""
        , counts_from = CASE WHEN ended.status <> 'sent' AND ended.status NOT IN ({sql_list(*BLOCKING)})
            THEN (SELECT sequence_now()) END
"""

#: Attempts tell how they ended; what ended without one is told by the history.
NOTED: Final = """
noted AS (
    INSERT INTO history (sequence_at, workspace_id, enrollment_id, outbox_id, made_by, was, became, reason)
    SELECT (SELECT sequence_now()), workspace_id, enrollment_id, id, 'worker', 'sending', status, reason
    FROM settled WHERE outcome IS NULL
),
"""
SETTLE: Final = _SETTLE.format(ended=ENDED, ends=ENDS_ATTEMPT, tells="", noted=NOTED, base=BASE)
SETTLE_ACCEPTED: Final = _SETTLE.format(ended=ACCEPTED, ends=ENDS_LOST_ATTEMPT, tells=TELLS, noted="", base="")

#: The address to which the message went, whatever the contact's is now; and the person, who said so themselves.
SUPPRESS: Final = f"""
WITH barred AS MATERIALIZED (
    SELECT o.workspace_id, o.type, bar.reason, bar.code, e.contact_id,
        CASE o.type WHEN 'sms' THEN a.recipient ELSE lower(a.recipient) END AS address
    FROM unnest(%(ids)b::bigint[], %(fences)b::int[], %(reasons)b::text[], %(codes)b::text[])
        AS bar (id, fence, reason, code)
    JOIN outbox o ON {look_up("o.id", "bar.id")} JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
    JOIN attempt_records a ON {look_up("a.outbox_id", "bar.id")} AND {checked("a.fence = bar.fence")}
),
person AS (
    INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason)
    SELECT DISTINCT ON (barred.contact_id, channel) barred.contact_id, channel, barred.workspace_id, barred.reason
    FROM barred JOIN workspaces w ON {look_up("w.id", "barred.workspace_id")} CROSS JOIN LATERAL unnest(
        CASE w.opt_out_scope WHEN 'all' THEN ARRAY['sms', 'email'] ELSE ARRAY[barred.type] END
    ) AS channel
    WHERE barred.reason = ANY(%(their_own)b::text[])
    ORDER BY barred.contact_id, channel, {strength("barred.reason")} DESC
    {STRONGEST_OF_PERSON_STAYS}
)
INSERT INTO suppressions (workspace_id, channel, address, reason, note)
SELECT DISTINCT ON (workspace_id, type, address) workspace_id, type, address, reason, code FROM barred
ORDER BY workspace_id, type, address, {strength("reason")} DESC, reason, code
{STRONGEST_STAYS}
"""

EXIT: Final = f"""
WITH moment AS MATERIALIZED (SELECT sequence_now() AS now),
left_early AS (
    UPDATE enrollments e SET status = 'cancelled', exit_reason = exits.reason, cancelled_at = moment.now,
        paused_at = NULL
    FROM unnest(%(enrollments)b::bigint[], %(reasons)b::text[]) AS exits (enrollment_id, reason), moment
    WHERE {look_up("e.id", "exits.enrollment_id")} AND {checked("e.status IN ('active', 'paused')")}
    RETURNING e.id, e.workspace_id, e.exit_reason
),
noted AS (
    INSERT INTO history (sequence_at, workspace_id, enrollment_id, made_by, became, reason)
    SELECT moment.now, left_early.workspace_id, left_early.id, '{EXIT_RULE}', 'cancelled', left_early.exit_reason
    FROM left_early, moment
)
UPDATE outbox o SET {called_off("left_early.exit_reason")}
FROM left_early
WHERE {look_up("o.enrollment_id", "left_early.id")} AND {checked("o.status IN ('waiting', 'pending', 'open')")}
"""


class Ending(NamedTuple):
    """What becomes of a claimed row."""

    id: int
    fence: int
    channel: str
    status: RowStatus
    reason: str | None = None
    tries: int = 0
    """Tries that this used up: 1 after an answer that refused for now."""
    delay: float | None = None
    """Real seconds to wait before the next try."""
    outcome: str | None = None
    """schema.states.AttemptOutcome of the attempt; None: it was never begun."""
    provider_id: str | None = None
    error_code: str | None = None
    detail: str | None = None
    suppress: str | None = None
    """The reason for which the recipient must not be contacted on this channel again."""
    exit_reason: str | None = None
    """The enrollment ends with this row, for this reason."""
    pauses: bool = False
    """The provider would refuse every other message of this workspace too."""


#: What an ending says beside its row when a provider has accepted the message, and there is nothing to add.
_PLAINLY_ACCEPTED: Final = (RowStatus.SENT, None, 0, None, AttemptOutcome.ACCEPTED)


def _is_plain(ending: Ending) -> bool:
    return ending[3:8] == _PLAINLY_ACCEPTED and not (ending.error_code or ending.suppress or ending.exit_reason)


def settle(session: Session, endings: Sequence[Ending]) -> list[Settled]:
    """Write the endings; a row whose fence has moved on is left as it is and not told."""
    if all(map(_is_plain, endings)):
        return _settle_accepted(session, endings)
    rows = session.execute(
        SETTLE,
        {
            "ids": [ending.id for ending in endings],
            "fences": [ending.fence for ending in endings],
            "statuses": [ending.status for ending in endings],
            "reasons": [ending.reason for ending in endings],
            "tries": [ending.tries for ending in endings],
            "delays": [ending.delay for ending in endings],
            "outcomes": [ending.outcome for ending in endings],
            "provider_ids": [ending.provider_id for ending in endings],
            "error_codes": [ending.error_code for ending in endings],
            "details": [ending.detail for ending in endings],
        },
        prepare=True,
        binary=True,
    ).fetchall()
    settled = [Settled._make(row) for row in rows]
    cancel_returned(session, [ending.id for ending in endings if ending.status is RowStatus.PENDING])
    if refused := [ending.id for ending in endings if ending.pauses]:
        pause(session, refused)
    bar_recipients(session, [ending for ending in endings if ending.suppress])
    _exit(session, settled, {ending.id: ending.exit_reason for ending in endings if ending.exit_reason})
    return settled


def _settle_accepted(session: Session, endings: Sequence[Ending]) -> list[Settled]:
    """Most settle like this: few arrays, and nothing that follows but the next step."""
    rows = session.execute(
        SETTLE_ACCEPTED,
        {
            "ids": BigInts([ending.id for ending in endings]),
            "fences": Ints([ending.fence for ending in endings]),
            "provider_ids": Texts([ending.provider_id for ending in endings]),
            "details": Texts([ending.detail for ending in endings]),
        },
        prepare=True,
        binary=True,
    ).fetchall()
    return [Settled._make(row) for row in rows]


def bar_recipients(session: Session, barred: Sequence[Ending]) -> None:
    """Suppress the addresses that these attempts went to, each for what its ending names in `suppress`."""
    if barred:
        session.execute(
            SUPPRESS,
            {
                "ids": [ending.id for ending in barred],
                "fences": [ending.fence for ending in barred],
                "reasons": [ending.suppress for ending in barred],
                "codes": [ending.error_code for ending in barred],
                "their_own": list(THEIR_OWN),
            },
            binary=True,
        )


def _exit(session: Session, settled: Sequence[Settled], reasons: dict[int, str | None]) -> None:
    leaving = [row for row in settled if row.id in reasons]
    if leaving:
        session.execute(
            EXIT,
            {
                "enrollments": [row.enrollment_id for row in leaving],
                "reasons": [reasons[row.id] for row in leaving],
            },
            binary=True,
        )
