"""The do-not-contact list of a workspace: read, changed, imported and exported by operators."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal, TextIO, TypeAlias

from psycopg.rows import class_row

from engine.database import Database, Session
from engine.errors import InvalidInput
from engine.outbox.suppressing import STRONGEST_STAYS, strength
from producers.bulk.reading import open_records
from producers.bulk.records import BrokenRecord, Record, Reject
from producers.bulk.rejects import RejectsFile, place_of_rejects
from producers.bulk.source import open_source
from producers.emails import email_address
from producers.operator import Operator
from producers.phones import e164
from producers.suppressions import CHANNELS
from producers.workspaces import Workspace, find_workspace

Channel: TypeAlias = Literal["email", "sms"]

#: The reasons of what operators add.
OPERATOR: Final = "operator"
IMPORTED: Final = "imported"

#: Records that are written in one transaction.
CHUNK: Final = 500

#: The longest note and reason.
LONGEST: Final = 500

PAGE: Final = """
SELECT s.id, s.channel, s.address, s.reason, s.note, s.created_at, NULL::bigint AS contact_id FROM suppressions s
WHERE s.workspace_id = %(workspace)s AND s.id > %(after)s
    AND (%(channel)s::text IS NULL OR s.channel = %(channel)s)
    AND (%(address)s::text IS NULL OR s.address = %(address)s)
ORDER BY s.id LIMIT %(limit)s
"""

#: People who opted out, with the address that they have now.
PEOPLE: Final = """
SELECT 0::bigint AS id, gone.channel, CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email END AS address,
    gone.reason, NULL::text AS note, gone.created_at, gone.contact_id
FROM contact_opt_outs gone JOIN contacts c ON c.id = gone.contact_id
WHERE gone.workspace_id = %(workspace)s AND (gone.contact_id, gone.channel) > (%(after)s, %(after_channel)s)
    AND (%(channel)s::text IS NULL OR gone.channel = %(channel)s)
    AND (%(address)s::text IS NULL OR %(address)s IN (c.phone, c.email_key))
ORDER BY gone.contact_id, gone.channel LIMIT %(limit)s
"""

ADD: Final = f"""
INSERT INTO suppressions (workspace_id, channel, address, reason, note)
SELECT %(workspace)s, channel, address, reason, note
FROM (
    SELECT DISTINCT ON (channel, address) *
    FROM unnest(%(channels)s::text[], %(addresses)s::text[], %(reasons)s::text[], %(notes)s::text[])
        WITH ORDINALITY AS row (channel, address, reason, note, number)
    ORDER BY channel, address, {strength("reason")} DESC, number
) AS strongest
ORDER BY number
{STRONGEST_STAYS}
"""  # noqa: S608 (composed of our own constants)

REMOVE: Final = """
DELETE FROM suppressions WHERE workspace_id = %(workspace)s AND channel = %(channel)s AND address = %(address)s
RETURNING reason
"""
REMOVE_PERSON: Final = """
DELETE FROM contact_opt_outs gone USING contacts c
WHERE c.workspace_id = %(workspace)s AND gone.contact_id = c.id AND gone.channel = %(channel)s
    AND (%(channel)s = 'sms' AND c.phone = %(address)s OR %(channel)s = 'email' AND c.email_key = %(address)s)
RETURNING gone.reason
"""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address or a person that must not be contacted on a channel."""

    id: int
    """Of an address; 0: a person."""
    channel: Channel
    address: str | None
    """E.164, or an email address; of a person the one that they have now."""
    reason: str
    note: str | None
    created_at: datetime
    """Real time."""
    contact_id: int | None
    """Of a person who opted out; None: an address."""


@dataclass(slots=True)
class Imported:
    """What an import came to."""

    lines: int = 0
    added: int = 0
    known: int = 0
    """Addresses that were on the list before for a reason as strong, and repeats."""
    rejected: int = 0
    rejects_file: str | None = None


def listed(
    session: Session, workspace: Workspace, channel: Channel | None = None, address: str | None = None
) -> Iterator[Suppression]:
    """Yield the suppressed addresses of a workspace and then the people who opted out, page by page.

    Raises:
        InvalidInput: the address is neither an email address nor a phone number.
    """
    key = None if address is None else read_address(workspace, channel, address)[1]
    asked: dict[str, Any] = {"workspace": workspace.id, "channel": channel, "address": key, "limit": CHUNK}
    asked |= {"after": 0, "after_channel": ""}
    while page := _page(session, PAGE, asked):
        yield from page
        asked["after"] = page[-1].id
    asked["after"] = 0
    while page := _page(session, PEOPLE, asked):
        yield from page
        asked |= {"after": page[-1].contact_id, "after_channel": page[-1].channel}


def add(session: Session, operator: Operator, channel: Channel | None, address: str) -> bool:
    """Suppress an address; return False if it is suppressed already for a reason as strong.

    Raises:
        InvalidInput: it is neither an email address nor a phone number.
        NotFound: there is no such workspace.
    """
    workspace = find_workspace(session, operator.workspace)
    kind, key = read_address(workspace, channel, address)
    one = {"channels": [kind], "addresses": [key], "reasons": [OPERATOR], "notes": [operator.reason]}
    added = session.execute(ADD, {"workspace": workspace.id, **one}).rowcount == 1
    if added:
        operator.note(session, workspace.id, "suppressed", f"{kind} {key}")
    return added


def remove(session: Session, operator: Operator, channel: Channel | None, address: str) -> list[str]:
    """Allow an address again, and the person who has it. Return the reasons for which they were barred.

    Raises:
        InvalidInput: it is neither an email address nor a phone number, or no reason is given.
        NotFound: there is no such workspace.
    """
    if not (operator.reason and operator.reason.strip()):
        raise InvalidInput("suppressions remove: say why, with --reason: it is kept in the history")
    workspace = find_workspace(session, operator.workspace)
    kind, key = read_address(workspace, channel, address)
    asked = {"workspace": workspace.id, "channel": kind, "address": key}
    found = [reason for query in (REMOVE, REMOVE_PERSON) for (reason,) in session.execute(query, asked)]
    if found:
        operator.note(session, workspace.id, "suppression removed", f"{kind} {key} ({', '.join(found)})")
    return found


def import_file(
    database: Database,
    operator: Operator,
    given: str,
    *,
    rejects_path: str | None = None,
    progress: Callable[[Imported], None] = lambda _: None,
) -> Imported:
    """Add the addresses of a file, each once; rejected lines go to a file of their own with their reasons.

    The file is CSV or NDJSON. Each line has `channel` and `address`, or `email`, or `phone`, or both; `reason` and
    `note` where they are there. Run an import again if it was stopped: it adds what is missing.

    Raises:
        InvalidInput: the file can't be read, or has none of these columns.
        NotFound: there is no such workspace.
    """
    done = Imported()
    with database.transaction() as session:
        workspace = find_workspace(session, operator.workspace)
    with open_source(given) as source:
        records = open_records(source)
        rejects = RejectsFile(place_of_rejects(source, rejects_path), records.header)
        try:
            reading = iter(records)
            while chunk := list(islice(reading, CHUNK)):
                _take(database, workspace, chunk, rejects, done)
                progress(done)
        finally:
            rejects.close()
        done.rejects_file = str(rejects.path) if rejects.exists else None
    with database.transaction() as session:
        operator.note(session, workspace.id, "suppressed", f"{done.added} addresses of {source.name}")
    return done


def export(session: Session, workspace: Workspace, file: TextIO) -> int:
    """Write the list as CSV, as `import_file` reads it; return the number of lines.

    People who opted out have the addresses that they have now.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["channel", "address", "reason", "note", "created_at"])
    count = 0
    for one in listed(session, workspace):
        if one.address is not None:
            writer.writerow([one.channel, one.address, one.reason, one.note or "", one.created_at.isoformat()])
            count += 1
    return count


def read_address(workspace: Workspace, channel: Channel | None, address: str) -> tuple[Channel, str]:
    """Return the channel and the address as suppressions have it.

    Raises:
        InvalidInput: it is no address of the channel.
    """
    kind: Channel = channel or ("email" if "@" in address else "sms")
    try:
        key = email_address(address).casefold() if kind == "email" else e164(address, workspace.region)
    except ValueError as error:
        raise InvalidInput(f"{'email' if kind == 'email' else 'phone'} {address!r} {error}") from None
    return kind, key


def _page(session: Session, query: str, asked: dict[str, Any]) -> list[Suppression]:
    with session.cursor(row_factory=class_row(Suppression)) as cursor:
        return cursor.execute(query.encode(), asked).fetchall()


def _take(
    database: Database,
    workspace: Workspace,
    chunk: list[Record | BrokenRecord],
    rejects: RejectsFile,
    done: Imported,
) -> None:
    rejected: list[Reject] = []
    found: list[tuple[Channel, str, str, str | None]] = []
    for record in chunk:
        try:
            found += _read(workspace, record)
        except InvalidInput as error:
            rejected.append(Reject(record.line, str(error), record.raw))
    with database.transaction() as session:
        columns = {
            "channels": [channel for channel, *_ in found],
            "addresses": [address for _, address, *_ in found],
            "reasons": [reason for *_, reason, _ in found],
            "notes": [note for *_, note in found],
        }
        added = session.execute(ADD, {"workspace": workspace.id, **columns}).rowcount
    rejects.write(rejected)
    done.lines += len(chunk)
    done.added += added
    done.known += len(found) - added
    done.rejected += len(rejected)
    rejects.done = done.lines


def _read(workspace: Workspace, record: Record | BrokenRecord) -> list[tuple[Channel, str, str, str | None]]:
    """Return what a line adds."""
    if isinstance(record, BrokenRecord):
        raise InvalidInput(record.reason)
    fields = {name: str(value).strip() for name, value in record.fields.items() if value not in (None, "")}
    reason, note = fields.get("reason", IMPORTED), fields.get("note")
    if max(len(reason), len(note or "")) > LONGEST:
        raise InvalidInput(f"reason and note are at most {LONGEST} characters")
    given: list[tuple[Channel | None, str]] = []
    if "address" in fields:
        given.append((_channel(fields.get("channel")), fields["address"]))
    if "email" in fields:
        given.append(("email", fields["email"]))
    if "phone" in fields:
        given.append(("sms", fields["phone"]))
    if not given:
        raise InvalidInput("it has no address: fill in email, phone, or channel and address")
    return [(*read_address(workspace, channel, address), reason, note) for channel, address in given]


def _channel(text: str | None) -> Channel | None:
    match (text or "").lower():
        case "":
            return None
        case "email":
            return "email"
        case "sms":
            return "sms"
        case _:
            raise InvalidInput(f"channel {text!r}: expected {' or '.join(CHANNELS)}")
