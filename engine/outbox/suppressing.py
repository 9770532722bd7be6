"""Which reason of a suppression or of an opt-out stays when there are two: the one that is harder to take back."""

from typing import Final

#: What goes away when a message reaches the number; and what the recipient takes back, or a later bounce only repeats.
LIFTED_BY_DELIVERY: Final = "('undeliverable')"
TAKEN_BACK: Final = "('stop', 'unsubscribed', 'bounced')"


def strength(reason: str) -> str:
    """Return the strength of a reason, as SQL; `reason` is SQL too. Complaints and operators' reasons are strongest."""
    return f"CASE WHEN {reason} IN {LIFTED_BY_DELIVERY} THEN 0 WHEN {reason} IN {TAKEN_BACK} THEN 1 ELSE 2 END"


#: The end of `INSERT INTO suppressions`. Of two reasons that are equally strong the older one stays, with its note.
STRONGEST_STAYS: Final = f"""
ON CONFLICT (workspace_id, channel, address) DO UPDATE SET reason = excluded.reason, note = excluded.note
WHERE {strength("excluded.reason")} > {strength("suppressions.reason")}
"""

#: The same at the end of `INSERT INTO contact_opt_outs`.
STRONGEST_OF_PERSON_STAYS: Final = f"""
ON CONFLICT (contact_id, channel) DO UPDATE SET reason = excluded.reason
WHERE {strength("excluded.reason")} > {strength("contact_opt_outs.reason")}
"""
