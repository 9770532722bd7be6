"""Correct, merge and erase contacts. Each is one transaction, and is in the history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg

from engine.clock import sequence_now
from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.cold_months import MonthState, state_of
from engine.outbox.decide import heed
from engine.outbox.leave_many import leave_many
from engine.outbox.suppressing import STRONGEST_OF_PERSON_STAYS, STRONGEST_STAYS
from engine.wakeups import Due
from producers.contacts import COLUMNS, TOLD
from producers.emails import email_address
from producers.fields import NotStorableError, json_of
from producers.operator import Operator
from producers.phones import e164
from producers.time_zones import time_zone
from producers.workspaces import Workspace
from schema.counted import counted

#: The exit reason of enrollments that end because their contact is erased, or merged into another. `erased` also stands
#: instead of what was personal.
ERASED: Final = "erased"
MERGED: Final = "merged"

HOLD: Final = """
SELECT id, external_id, email, email_key, phone, first_name, last_name, timezone, attributes FROM contacts
WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""

SET: Final = """
UPDATE contacts SET external_id = %(external_id)s, email = %(email)s, email_key = %(email_key)s, phone = %(phone)s,
    first_name = %(first_name)s, last_name = %(last_name)s, timezone = %(timezone)s,
    attributes = %(attributes)s::jsonb, updated_at = clock_timestamp()
WHERE id = %(id)s
"""

OWNER: Final = """
SELECT id FROM contacts WHERE workspace_id = %(workspace)s AND id <> %(id)s
    AND (external_id = %(external_id)s OR email_key = %(email_key)s OR phone = %(phone)s) LIMIT 1
"""

RUNNING: Final = "SELECT id FROM enrollments WHERE contact_id = %s AND status IN ('active', 'paused') ORDER BY id"

SENDING: Final = """
SELECT count(*) FROM enrollments e JOIN outbox o ON o.enrollment_id = e.id
WHERE e.contact_id = %s AND o.status = 'sending'
"""

DOUBTFUL: Final = "SELECT FROM contact_holds WHERE contact_id = %s LIMIT 1"

DETACHED: Final = """
SELECT DISTINCT m.month FROM enrollments e
JOIN archive_months m ON m.month = e.archived_month AND m.detached_at IS NOT NULL
WHERE e.contact_id = %s ORDER BY m.month
"""

#: Enrollments of the other contact in sequences in which the kept contact is too. They end and bar no later one.
TWICE: Final = """
SELECT other.id FROM enrollments other WHERE other.contact_id = %(other)s AND EXISTS (
    SELECT FROM enrollments kept WHERE kept.contact_id = %(keep)s AND kept.sequence_id = other.sequence_id
)
"""
SPARE: Final = """
UPDATE enrollments SET reentry = 'always',
    batch_id = CASE WHEN EXISTS (
        SELECT FROM enrollments kept WHERE kept.contact_id = %(keep)s AND kept.batch_id = enrollments.batch_id
    ) THEN NULL ELSE batch_id END
WHERE id = ANY(%(enrollments)s)
"""
MOVE: Final = (
    """
    UPDATE contacts SET tags = ARRAY(
        SELECT DISTINCT tag FROM contacts both_of_them, unnest(both_of_them.tags) AS tag
        WHERE both_of_them.id IN (%(keep)s, %(other)s) ORDER BY tag
    ) WHERE id = %(keep)s
    """,
    "UPDATE enrollments SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    "UPDATE events SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    "UPDATE contact_holds SET contact_id = %(keep)s WHERE contact_id = %(other)s",
    # the reason that is harder to take back stays
    f"""
    INSERT INTO contact_opt_outs (contact_id, channel, workspace_id, reason, created_at)
    SELECT %(keep)s, channel, workspace_id, reason, created_at FROM contact_opt_outs WHERE contact_id = %(other)s
    {STRONGEST_OF_PERSON_STAYS}
    """,  # noqa: S608 (composed of our own constants)
    "DELETE FROM contacts WHERE id = %(other)s",
)

#: The personal data in a contact's past. Rows, outcomes and Message-IDs stay, so counts and the audit stay correct.
ERASE: Final = (
    """
    UPDATE attempt_records a SET recipient = %(erased)s, detail = NULL,
        payload = jsonb_strip_nulls(jsonb_build_object('message_id', a.payload -> 'message_id'))
    FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE a.outbox_id = o.id AND e.contact_id = %(contact)s
    """,
    """
    UPDATE archived_attempts a SET recipient = %(erased)s, detail = NULL,
        payload = jsonb_strip_nulls(jsonb_build_object('message_id', a.payload -> 'message_id'))
    FROM archived_outbox o JOIN enrollments e ON e.id = o.enrollment_id AND e.archived_month = o.archived_month
    WHERE a.outbox_id = o.id AND a.archived_month = o.archived_month AND e.contact_id = %(contact)s
    """,
    """
    UPDATE tasks t SET name = %(erased)s, description = NULL, note = NULL FROM enrollments e
    WHERE t.enrollment_id = e.id AND e.contact_id = %(contact)s
    """,
    """
    DELETE FROM undelivered u USING contacts c
    WHERE c.id = %(contact)s AND u.workspace_id = c.workspace_id AND u.address = c.phone
    """,
    "UPDATE events SET payload = '{}' WHERE contact_id = %(contact)s",
    "UPDATE enrollments SET data = '{}' WHERE contact_id = %(contact)s",
    f"""
    INSERT INTO suppressions (workspace_id, channel, address, reason)
    SELECT c.workspace_id, gone.channel, CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email_key END, gone.reason
    FROM contact_opt_outs gone JOIN contacts c ON c.id = gone.contact_id
    WHERE c.id = %(contact)s AND CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email_key END IS NOT NULL
    {STRONGEST_STAYS}
    """,  # noqa: S608 (composed of our own constants)
    """
    UPDATE contacts SET external_id = 'erased-' || id || CASE WHEN EXISTS (
            SELECT FROM contacts taken
            WHERE taken.workspace_id = contacts.workspace_id AND taken.external_id = 'erased-' || contacts.id
                AND taken.id <> contacts.id
        ) THEN '-' || gen_random_uuid() ELSE '' END,
        email = NULL, email_key = NULL, phone = NULL, first_name = NULL,
        last_name = NULL, timezone = NULL, attributes = '{}', tags = '{}', updated_at = clock_timestamp()
    WHERE id = %(contact)s
    """,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes to a contact. None leaves a value as it is; an empty text removes it."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()
    """Attributes to remove."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What was changed."""

    contact_id: int
    changes: dict[str, tuple[Any, Any]]
    """By field: before and after."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge moves and ends."""

    keep: int
    other: int
    enrollments: int
    ended: list[int]
    """Enrollments of the other contact that end, since the first is in the same sequence."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT."""


def edit(
    session: Session, workspace: Workspace, operator: Operator, contact_id: int, wanted: Edit, now: float
) -> Edited:
    """Change a contact. Planned steps keep their times. Waits and goals that ask for an attribute are decided again.

    Raises:
        InvalidInput: a value can't be used, or another contact has the key: the message names it.
        NotFound: there is no such contact.
    """
    (before,) = _hold(session, [contact_id])
    after = {**before, **_read(workspace, wanted)}
    after["attributes"] = {**before["attributes"], **_attributes(wanted)}
    for name in wanted.unset:
        if after["attributes"].pop(name.removeprefix("custom."), None) is None:
            raise InvalidInput(f"contact {contact_id} has no attribute {name!r}")
    after["email_key"] = None if after["email"] is None else after["email"].casefold()
    if all(after[key] is None for key in ("external_id", "email", "phone")):
        raise InvalidInput("a contact needs an external_id, an email or a phone")
    changes = {name: (before[name], after[name]) for name in TOLD if before[name] != after[name]}
    if not changes:
        return Edited(contact_id, {})
    try:
        with session.transaction():
            session.execute(SET, {**after, "attributes": json.dumps(after["attributes"])})
    except psycopg.errors.UniqueViolation:
        row = session.execute(OWNER, {**after, "workspace": workspace.id}).fetchone()
        raise InvalidInput(
            f"contact {'another' if row is None else row[0]} has that key already: `cadenza contact merge` makes one of"
            " the two"
        ) from None
    operator.note(session, workspace.id, "contact changed", f"contact {contact_id}: {', '.join(changes)}")
    return Edited(contact_id, changes, heed(session, contact_id, now))


def plan_merge(session: Session, keep: int, other: int) -> Merge:
    """Return what a merge would do; nothing is changed.

    Raises:
        InvalidInput: both are the same contact.
    """
    if keep == other:
        raise InvalidInput("both are the same contact")
    pair = {"keep": keep, "other": other}
    twice = [one for (one,) in session.execute(TWICE, pair)]
    running = {one for (one,) in session.execute(RUNNING, (other,))}
    count = session.execute("SELECT count(*) FROM enrollments WHERE contact_id = %s", (other,)).fetchone()
    return Merge(keep, other, 0 if count is None else int(count[0]), [one for one in twice if one in running])


def merge(session: Session, workspace: Workspace, operator: Operator, keep: int, other: int) -> Merge:
    """Make one contact of two: what the first lacks it takes from the other, and opt-outs of both hold.

    Where both are in a sequence, the other's enrollment ends. Addresses that only the other had stay suppressed if they
    were. Waits and goals that the united events and attributes meet end.

    Raises:
        InvalidInput: both are the same contact, or a message to the other is on its way.
        NotFound: one of them is gone.
    """
    both = _hold(session, [keep, other])  # before the plan: nobody is enrolled in between
    planned = plan_merge(session, keep, other)
    first, second = _in_order(both, keep)
    _require_quiet(session, other)
    leave_many(session, workspace.id, planned.ended, MERGED, operator.name, operator.reason)
    pair = {"keep": keep, "other": other}
    twice = [one for (one,) in session.execute(TWICE, pair)]
    session.execute(SPARE, {**pair, "enrollments": twice})
    for statement in MOVE:
        session.execute(statement.encode(), pair)
    united = {name: first[name] if first[name] is not None else second[name] for name in (*COLUMNS, "email_key")}
    if first["email"] is None:
        united["email_key"] = second["email_key"]
    attributes = json.dumps({**second["attributes"], **first["attributes"]})
    session.execute(SET, {**united, "id": keep, "attributes": attributes})
    operator.note(session, workspace.id, "contacts merged", f"contact {other} into contact {keep}")
    return replace(planned, wakeups=heed(session, keep, sequence_now(session).timestamp()))


def erase(session: Session, workspace: Workspace, operator: Operator, contact_id: int, *, end: bool) -> list[int]:
    """Erase the personal data of a contact. Addresses that were barred stay barred.

    `end`: cancel the running enrollments first. Return the enrollments that were cancelled.

    Raises:
        InvalidInput: an enrollment runs and `end` is false; a message is on its way; messages are in a detached
            archive; or a message from the contact may be an opt-out, and nobody has decided it.
        NotFound: there is no such contact.
    """
    _hold(session, [contact_id])
    if session.execute(DOUBTFUL, (contact_id,)).fetchone() is not None:
        raise InvalidInput(f"contact {contact_id} wrote what may be an opt-out: decide it first, see `cadenza review`")
    _require_readable(session, contact_id)
    running = [one for (one,) in session.execute(RUNNING, (contact_id,))]
    if running and not end:
        raise InvalidInput(
            f"contact {contact_id} is in {counted(len(running), 'running enrollment')}"
            f" ({', '.join(map(str, running[:5]))}): cancel them first, or add --erase to end them"
        )
    _require_quiet(session, contact_id)
    leave_many(session, workspace.id, running, ERASED, operator.name, operator.reason)
    for statement in ERASE:
        session.execute(statement.encode(), {"contact": contact_id, "erased": ERASED})
    operator.note(session, workspace.id, "contact erased", f"contact {contact_id}")
    return running


def _hold(session: Session, contacts: Sequence[int]) -> list[dict[str, Any]]:
    """Hold contacts until the transaction ends, in the order of their ids."""
    cursor = session.execute(HOLD, (list(contacts),))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if missing := sorted(set(contacts) - {row["id"] for row in rows}):
        raise NotFound(f"no contact {missing[0]}")
    return rows


def _in_order(rows: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["id"] != first)


def _require_readable(session: Session, contact_id: int) -> None:
    """Raise InvalidInput if messages to the contact are in tables of detached months. Dropped tables hold nothing."""
    for (month,) in session.execute(DETACHED, (contact_id,)):
        if state_of(session, month) is MonthState.DETACHED:
            raise InvalidInput(
                f"messages to contact {contact_id} are archived, and {month:%Y-%m} is detached: attach it first, so"
                f" that they are erased too (`cadenza archives attach {month:%Y-%m}`)"
            )


def _require_quiet(session: Session, contact_id: int) -> None:
    row = session.execute(SENDING, (contact_id,)).fetchone()
    if row is not None and row[0]:
        raise InvalidInput(f"a message to contact {contact_id} is on its way: try again in a minute")


def _read(workspace: Workspace, wanted: Edit) -> dict[str, str | None]:
    """Return the values that are to be set, as they are stored."""
    readers = {
        "email": email_address,
        "phone": lambda text: e164(text, workspace.region),
        "timezone": time_zone,
    }
    read: dict[str, str | None] = {}
    for name in COLUMNS:
        text = getattr(wanted, name)
        if text is None:
            continue
        try:
            read[name] = (readers[name](text) if name in readers else text.strip()) if text.strip() else None
        except ValueError as error:
            raise InvalidInput(f"{name} {text!r} {error}") from None
    return read


def _attributes(wanted: Edit) -> dict[str, Any]:
    given = {name.removeprefix("custom."): value for name, value in wanted.attributes.items()}
    try:
        return dict(json.loads(json_of("attributes", given)))
    except NotStorableError as error:
        raise InvalidInput(str(error)) from None
