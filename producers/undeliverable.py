"""Numbers that SMS can't be delivered to: suppressed for good at once, or when it happens three times in a row."""

from collections.abc import Sequence
from typing import Final

from engine.arrays import BigInts, Texts
from engine.database import Session
from engine.rules.answers import may_be_unreachable, suppressed_by
from engine.rules.delivery_status import NOT_DELIVERED
from producers.suppressions import UNDELIVERABLE, suppress

CHANNEL: Final = "sms"

DELIVERED: Final = "delivered"

#: Messages in a row that are not delivered for a reason that may pass.
IN_A_ROW: Final = 3

COUNT: Final = """
INSERT INTO undelivered AS u (workspace_id, address, in_a_row, error_code)
VALUES (%(workspace)s, %(address)s, 1, %(code)s)
ON CONFLICT (workspace_id, address)
    DO UPDATE SET in_a_row = least(u.in_a_row + 1, 1000), error_code = excluded.error_code,
        updated_at = clock_timestamp()
RETURNING in_a_row
"""

#: Each number is looked up by its key.
FORGET: Final = f"""
WITH told AS MATERIALIZED (
    SELECT DISTINCT workspace_id, address
    FROM unnest(%(workspaces)b::bigint[], %(addresses)b::text[]) AS told (workspace_id, address)
),
forgotten AS (
    DELETE FROM undelivered u USING told WHERE u.workspace_id = told.workspace_id AND u.address = told.address
)
DELETE FROM suppressions s USING told
WHERE s.workspace_id = told.workspace_id AND s.channel = '{CHANNEL}' AND s.address = told.address
    AND coalesce(s.reason = '{UNDELIVERABLE}', false)
"""  # noqa: S608 (composed of our own constants)


def says_something(status: str, error_code: str | None) -> bool:
    """Return whether a report of a message that was not delivered says something of its number."""
    return status in NOT_DELIVERED and (suppressed_by(error_code) is not None or may_be_unreachable(error_code))


def note_undelivered(session: Session, workspace_id: int, address: str, error_code: str) -> None:
    """Count a message that was not delivered; suppress the number when that is enough."""
    if suppressed_by(error_code) == UNDELIVERABLE:
        suppress(session, workspace_id, CHANNEL, address, UNDELIVERABLE, error_code)
    elif may_be_unreachable(error_code):
        row = session.execute(COUNT, {"workspace": workspace_id, "address": address, "code": error_code}).fetchone()
        if row is not None and row[0] >= IN_A_ROW:
            note = f"{error_code}, {row[0]} times in a row"
            suppress(session, workspace_id, CHANNEL, address, UNDELIVERABLE, note)


def note_reached(session: Session, numbers: Sequence[tuple[int, str]]) -> None:
    """Allow numbers again that a message reached. `numbers` are workspace ids and E.164 numbers."""
    if numbers:
        session.execute(
            FORGET,
            {
                "workspaces": BigInts([workspace_id for workspace_id, _ in numbers]),
                "addresses": Texts([address for _, address in numbers]),
            },
            binary=True,
        )
