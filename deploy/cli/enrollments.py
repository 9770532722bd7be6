"""`cadenza enrollments`."""

from collections.abc import Collection
from typing import Annotated

import typer

from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from engine.outbox.hold import held
from engine.outbox.listing import Listed, page
from producers.contact_lookup import find_contact
from producers.sequences import find_sequence
from producers.workspaces import find_workspace
from schema.states import EnrollmentStatus


def enrollments(
    sequence: Annotated[str | None, typer.Argument(metavar="[SEQUENCE]", help="Those of one sequence.")] = None,
    contact: Annotated[
        str | None, typer.Option(metavar="CONTACT", help="Those of one contact: EMAIL, PHONE, its id, external_id:X.")
    ] = None,
    status: Annotated[EnrollmentStatus | None, typer.Option(help="Those in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Behind this enrollment: the last of the page before.")] = 0,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List enrollments, the oldest first, page by page."""
    if contact is not None and sequence is not None:
        raise InvalidInput("name a sequence or --contact, not both")
    with opened(workspace) as session, session.database.transaction() as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        workspace_id = mine.id
        contact_id = None if contact is None else find_contact(transaction, mine, contact)
        sequence_id = None if sequence is None else find_sequence(transaction, workspace_id, sequence).sequence_id
        held_keys = {one.sequence for one in held(transaction, workspace_id) if one.keep_times is None}
        found = page(transaction, workspace_id, sequence_id, status, after, limit + 1, contact_id)
    shown, more = found[:limit], len(found) > limit
    following = shown[-1].enrollment if more else None
    document = {
        "enrollments": [one.document() | {"held": _is_held(one, held_keys)} for one in shown],
        "next_after": following,
    }
    report(as_json, document, lambda: _text(shown, following, held_keys))


def _is_held(one: Listed, held_keys: Collection[str | None]) -> bool:
    """Return whether it runs, but an operator has paused its sequence or the whole workspace (None)."""
    return one.status == EnrollmentStatus.ACTIVE and bool({one.sequence, None} & set(held_keys))


def _text(shown: list[Listed], following: int | None, held_keys: Collection[str | None]) -> str:
    lines = [_line(one, _is_held(one, held_keys)) for one in shown] or ["no enrollments"]
    return "\n".join([*lines, *([f"and more: --after {following}"] if following is not None else [])])


def _line(one: Listed, is_held: bool) -> str:
    standing = one.status if one.exit_reason is None else f"{one.status} ({one.exit_reason})"
    if is_held:
        standing += ", its sequence is paused"
    if one.modified:
        standing += ", modified"
    if one.step is None:
        return f"{one.enrollment}  {one.name}  {standing}"
    due = f", due {one.due_at:%Y-%m-%d %H:%M} UTC" if one.due_at else ""
    return f"{one.enrollment}  {one.name}  {standing}  next: {one.step} ({one.step_status}{due})"
