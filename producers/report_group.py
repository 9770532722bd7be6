"""Delivery reports that come together: those that only move a row forward, in a handful of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from engine.arrays import BigInts, Texts
from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.decide import heed_reports
from engine.rules.delivery_status import RANKS, replaceable_by
from engine.wakeups import Due
from producers.delivery_reports import DeliveryReport, Told, is_plain
from producers.events import Event, record_all
from producers.inbound import phone_of
from producers.undeliverable import DELIVERED, note_reached
from schema.states import RowStatus

log = structlog.get_logger(__name__)

#: The rows that reports are about, by the token or else by the message. A row that somebody has locked is not waited
#: for: a worker settles it just now, or is stopped. Each look-up is a step of its own, driven by what is given.
HOLD: Final = """
WITH named AS MATERIALIZED (
    SELECT told.number, told.workspace_id, CASE WHEN told.row_id > 0 THEN told.row_id ELSE (
        SELECT array_agg(o.id ORDER BY o.id) FROM outbox o
        WHERE o.provider_id = told.provider_id AND o.workspace_id = told.workspace_id
    )[1] END AS row_id
    FROM unnest(%(workspaces)b::bigint[], %(rows)b::bigint[], %(provider_ids)b::text[]) WITH ORDINALITY
        AS told (workspace_id, row_id, provider_id, number)
)
SELECT named.number - 1, named.row_id, held.status, held.provider_id, held.delivery_status, held.enrollment_id,
    held.step_order
FROM named LEFT JOIN LATERAL (
    SELECT o.status, o.provider_id, o.delivery_status, o.enrollment_id, o.step_order FROM outbox o
    WHERE o.id = named.row_id AND o.workspace_id = named.workspace_id FOR NO KEY UPDATE SKIP LOCKED
) AS held ON true
"""

#: Of rows that are held. The planner takes the arrays for short ones, whatever the statistics say: by their key, then.
MOVE: Final = """
UPDATE outbox o SET delivery_status = moved.status, error_code = coalesce(moved.error_code, o.error_code)
FROM (
    SELECT %(rows)b::bigint[] AS rows, %(statuses)b::text[] AS statuses, %(error_codes)b::text[] AS error_codes OFFSET 0
) AS given
CROSS JOIN LATERAL unnest(given.rows, given.statuses, given.error_codes) AS moved (id, status, error_code)
WHERE o.id = moved.id
"""


@dataclass(slots=True)
class _Row:
    """A row that this transaction holds."""

    status: str
    provider_id: str | None
    delivery_status: str | None
    enrollment_id: int
    step_order: int
    moved_to: str | None = None
    error_code: str | None = None

    def move(self, report: DeliveryReport) -> None:
        """Go forward, as far as the report says something new; what went wrong is kept."""
        if report.status not in RANKS or self.provider_id not in (None, report.provider_id):
            return
        if self.delivery_status is None or self.delivery_status in replaceable_by(report.status):
            self.delivery_status = self.moved_to = report.status
            self.error_code = report.error_code or self.error_code


class _About(NamedTuple):
    """What a report is about, and whether that is plain: nothing is to be settled, suppressed or waited for."""

    row_id: int | None
    row: _Row | None
    is_plain: bool


class Taken(NamedTuple):
    """What became of reports."""

    left_out: dict[int, int]
    """Those that are not written down, by their number in the group: `take_report` has to be asked, one by one for the
    same number here, since they may be about the same message."""
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""


def take_reports(session: Session, told: Sequence[Told]) -> Taken:
    """Write down the plain ones of these reports, in the caller's transaction; a repeat changes nothing.

    Of several about one row it is left as they would leave it one by one.
    """
    about = _hold(session, told)
    left_out = _left_out(told, about)
    plain = [number for number in range(len(told)) if number not in left_out]
    new = record_all(session, [_event(told[number], about[number].row_id) for number in plain]) if plain else []
    moved: dict[int, _Row] = {}
    for number, is_new in zip(plain, new, strict=True):
        row_id, row, _ = about[number]
        if is_new and row_id is not None and row is not None:
            row.move(told[number].report)
            if told[number].report.status in RANKS:
                moved[row_id] = row
    note_reached(session, _reached(told, plain, new))
    log.debug("delivery reports", new=sum(new), repeats=len(new) - sum(new), apart=len(left_out))
    return Taken(left_out, _move(session, moved) if moved else [])


def _reached(told: Sequence[Told], plain: Sequence[int], new: Sequence[bool]) -> list[tuple[int, str]]:
    """Return the numbers to which messages were delivered, each with its workspace."""
    delivered = (told[number] for number, is_new in zip(plain, new, strict=True) if is_new)
    numbers = (
        (tenant.id, phone_of(report.recipient, tenant.region))
        for tenant, report in delivered
        if report.status == DELIVERED
    )
    return [(workspace_id, phone) for workspace_id, phone in numbers if phone is not None]


def _hold(session: Session, told: Sequence[Told]) -> list[_About]:
    """Hold the rows that the reports are about, as far as nobody else does."""
    asked = {
        "workspaces": BigInts([tenant.id for tenant, _ in told]),
        "rows": BigInts([report.attempt[0] if report.attempt else 0 for _, report in told]),
        "provider_ids": Texts([report.provider_id for _, report in told]),
    }
    rows: dict[int, _Row] = {}
    about: list[_About | None] = [None] * len(told)
    for number, row_id, status, *rest in session.execute(HOLD, asked, binary=True):
        row = None if status is None else rows.setdefault(row_id, _Row(status, *rest))
        about[number] = _About(row_id, row, _is_plain(told[number].report, row_id, row))
    return [one for one in about if one is not None]


def _is_plain(report: DeliveryReport, row_id: int | None, row: _Row | None) -> bool:
    if not is_plain(report):
        return False
    if row_id is None:
        return True
    if row is None:
        return False
    return report.attempt is None or (row.status == RowStatus.SENT and row.provider_id == report.provider_id)


def _left_out(told: Sequence[Told], about: Sequence[_About]) -> dict[int, int]:
    """Return those that are not plain, and with them all that are about the same row, message or number.

    Of a number that one of them may suppress, the reports keep their order, since a delivered message lifts that.
    """
    groups: dict[object, list[int]] = {}
    failing = {_number(one) for one in told if one.report.recipient and not is_plain(one.report)}
    for number, ((tenant, report), one) in enumerate(zip(told, about, strict=True)):
        groups.setdefault((tenant.id, report.provider_id), []).append(number)
        if _number(told[number]) in failing:
            groups.setdefault(_number(told[number]), []).append(number)
        if one.row_id is not None:
            groups.setdefault(one.row_id, []).append(number)
    left_out: dict[int, int] = {}
    for start, one in enumerate(about):
        following = [] if one.is_plain or start in left_out else [start]
        while following:
            number = following.pop()
            if number not in left_out:
                left_out[number] = start + 1
                tenant, report = told[number]
                following += groups[tenant.id, report.provider_id]
                following += groups.get(_number(told[number]), [])
                following += groups.get(about[number].row_id, [])
    return left_out


def _number(told: Told) -> tuple[int, str, str]:
    """Return the number that a report is about, with its workspace, as a key of groups."""
    return told.tenant.id, "number", told.report.recipient


def _event(told: Told, row_id: int | None) -> Event:
    tenant, report = told
    fence = report.attempt[1] if report.attempt else None
    return Event(
        tenant.id,
        "status",
        report.provider_id,
        report.status,
        report.payload,
        outbox_id=row_id,
        fence=fence,
        error_code=report.error_code,
    )


def _move(session: Session, rows: dict[int, _Row]) -> list[Due]:
    """Write how far rows have moved, and end the gates that waited for it."""
    forward = {row_id: row for row_id, row in rows.items() if row.moved_to is not None}
    if forward:
        session.execute(
            MOVE,
            {
                "rows": BigInts(sorted(forward)),
                "statuses": Texts([forward[row_id].moved_to for row_id in sorted(forward)]),
                "error_codes": Texts([forward[row_id].error_code for row_id in sorted(forward)]),
            },
            binary=True,
        )
    steps = [(row.enrollment_id, row.step_order) for row in rows.values()]
    return heed_reports(session, steps, sequence_now(session).timestamp())
