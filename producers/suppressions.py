"""Recipients who must not be contacted on a channel, each with the reason: addresses, and people.

A suppression bars an address, whoever has it. An opt-out of a contact bars the person, whatever the address is.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from engine.database import Session
from engine.outbox.suppressing import STRONGEST_OF_PERSON_STAYS, STRONGEST_STAYS
from schema.states import THEIR_OWN

Scope: TypeAlias = Literal["channel", "all"]
"""Whether an opt-out bars the channel on which it came, or all channels."""

CHANNELS: Final = ("email", "sms")

#: The recipient said so to us, or to Twilio, which told us by its code 21610.
STOP: Final = "stop"
UNSUBSCRIBED: Final = "unsubscribed"
COMPLAINED: Final = "complained"

#: The provider can't deliver to the number.
UNDELIVERABLE: Final = "undeliverable"

#: What recipients can take back by themselves.
TAKEN_BACK: Final = (STOP, UNSUBSCRIBED)

SUPPRESS: Final = f"""
INSERT INTO suppressions (workspace_id, channel, address, reason, note) VALUES (%s, %s, %s, %s, %s)
{STRONGEST_STAYS}
"""  # noqa: S608 (composed of our own constants)
LIFT: Final = "DELETE FROM suppressions WHERE workspace_id = %s AND channel = %s AND address = %s AND reason = ANY(%s)"

OPT_OUT: Final = f"""
INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason)
SELECT %(contact)s, unnest(%(channels)s::text[]), %(workspace)s, %(reason)s {STRONGEST_OF_PERSON_STAYS}
"""
OPT_IN: Final = "DELETE FROM contact_opt_outs WHERE contact_id = %s AND channel = ANY(%s) AND reason = ANY(%s)"

HAS_OPTED_OUT: Final = """
SELECT EXISTS (
    SELECT FROM suppressions
    WHERE workspace_id = %(workspace)s AND channel = %(channel)s AND address = %(address)s AND reason = ANY(%(reasons)s)
) OR EXISTS (
    SELECT FROM contact_opt_outs
    WHERE contact_id = %(contact)s::bigint AND channel = %(channel)s AND reason = ANY(%(reasons)s)
)
"""


def suppress(
    session: Session, workspace_id: int, channel: str, address: str, reason: str, note: str | None = None
) -> bool:
    """Bar an address on a channel; return False if it is barred already for a reason as strong.

    The stronger reason stays: a delivered message lifts no opt-out, and no recipient takes back an operator's reason.
    """
    return session.execute(SUPPRESS, (workspace_id, channel, address, reason, note)).rowcount == 1


def lift(session: Session, workspace_id: int, channel: str, address: str, reasons: Sequence[str] = TAKEN_BACK) -> None:
    """Allow an address again, if it is barred for one of the reasons."""
    session.execute(LIFT, (workspace_id, channel, address, list(reasons)))


def channels_of(scope: Scope, channel: str | None) -> tuple[str, ...]:
    """Return the channels that an opt-out bars; `channel` is the one on which it came, None: none in particular."""
    return CHANNELS if channel is None or scope == "all" else (channel,)


def opt_out_contact(session: Session, workspace_id: int, contact_id: int, channels: Sequence[str], reason: str) -> None:
    """Bar a person on channels, whatever their address is or will be."""
    session.execute(
        OPT_OUT,
        {"contact": contact_id, "channels": list(channels), "workspace": workspace_id, "reason": reason},
    )


def opt_in_contact(session: Session, contact_id: int, channels: Sequence[str]) -> None:
    """Allow a person on channels again, as far as they barred themselves."""
    session.execute(OPT_IN, (contact_id, list(channels), list(TAKEN_BACK)))


def has_opted_out(session: Session, workspace_id: int, channel: str, address: str, contact_id: int | None) -> bool:
    """Return whether the address or the person is barred because the recipient said so."""
    asked = {
        "workspace": workspace_id,
        "channel": channel,
        "address": address,
        "contact": contact_id,
        "reasons": list(THEIR_OWN),
    }
    row = session.execute(HAS_OPTED_OUT, asked).fetchone()
    return bool(row and row[0])
