"""Hold contacts and their companies before their enrollments end: two who hold several wait in one direction."""

from collections.abc import Sequence
from typing import Final

from engine.arrays import BigInts
from engine.database import Session
from engine.outbox.leave import COMPANY

#: As `hold_company` does, which comes before the contact there too (engine/outbox/leave.py).
HOLD_COMPANIES: Final = f"""
WITH companies AS MATERIALIZED (
    SELECT DISTINCT hashtextextended(company, workspace_id) AS lock
    FROM unnest(%(contacts)b::bigint[]) AS asked (id)
    CROSS JOIN LATERAL (SELECT workspace_id, {COMPANY} AS company FROM contacts c WHERE c.id = asked.id) AS c
    WHERE company <> ''
    ORDER BY 1
)
SELECT pg_advisory_xact_lock(lock) FROM companies
"""

HOLD: Final = """
SELECT FROM contacts WHERE id = ANY(%(contacts)b::bigint[]) ORDER BY id FOR UPDATE
"""


def hold_contacts(session: Session, contacts: Sequence[int]) -> None:
    """Hold contacts, and their companies, until the end of the transaction."""
    asked = {"contacts": BigInts(sorted(set(contacts)))}
    session.execute(HOLD_COMPANIES, asked, binary=True)
    session.execute(HOLD, asked, binary=True)
