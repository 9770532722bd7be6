"""Who must not be written to, as SQL; and which of two reasons stays: the one that is harder to take back."""

from typing import Final

#: A message that reaches the number ends these.
_WEAKEST: Final = "('undeliverable')"

#: The recipient takes these back, or a later bounce only repeats them.
_WEAK: Final = "('stop', 'unsubscribed', 'bounced')"


def barred(row: str) -> str:
    """Return, as SQL, the reason for which a row's contact (`c`) must not be written to; null: there is none.

    `row` is the alias of something with `workspace_id` and `type`.
    """
    return f"""coalesce((
        SELECT s.reason FROM suppressions s
        WHERE s.workspace_id = {row}.workspace_id AND s.channel = {row}.type
            AND s.address = CASE {row}.type WHEN 'sms' THEN c.phone ELSE c.email_key END
    ), (
        SELECT gone.reason FROM contact_opt_outs gone WHERE gone.contact_id = c.id AND gone.channel = {row}.type
    ))"""


def strength(reason: str) -> str:
    """Return the strength of a reason, as SQL; `reason` is SQL too. Complaints and operators' reasons are strongest."""
    return f"CASE WHEN {reason} IN {_WEAKEST} THEN 0 WHEN {reason} IN {_WEAK} THEN 1 ELSE 2 END"


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
