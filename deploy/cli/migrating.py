"""`cadenza migrate-enrollments`."""

import sys
from typing import Annotated, Any

import typer

from deploy.cli.control import By, Reason, operator
from deploy.cli.output import IN_PART, Json, WorkspaceName, note, report, say
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.migrating import Group, Migrated, Plan, plan_migration, run_migration
from schema.counted import counted


def migrate_enrollments(
    sequence: Annotated[str, typer.Argument(metavar="SEQUENCE", help="The key of the sequence.")],
    from_version: Annotated[int | None, typer.Option("--from", metavar="N", help="Those of this version only.")] = None,
    to_version: Annotated[int | None, typer.Option("--to", metavar="N", help="The newest version otherwise.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell where they would land, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Move running enrollments of older versions to a newer one, after telling where they would land."""
    with opened(workspace) as session:
        who = operator(session, by, reason)
        plan = plan_migration(session.database, who.workspace, sequence, from_version, to_version)
        if not as_json:
            say(_told(plan, sequence))
        done = None
        if not dry_run and plan.moving:
            if not yes:
                _ask(plan, sequence)
            done = run_migration(session.database, session.wakeups, who, plan.target, _Told(plan.moving))
            if not done.woken:
                note("cadenza: Redis is away: the sweeper makes up for the wake-ups")
    if as_json or done is not None:
        report(as_json, _document(plan, sequence, done), lambda: _ended(done))
    if done is not None and done.left_alone:
        raise typer.Exit(IN_PART)


class _Told:
    """Tells on standard error how far it has come."""

    def __init__(self, people: int) -> None:
        self._people = people
        self._last = -1

    def __call__(self, moved: int) -> None:
        if moved != self._last:
            note(f"moved {moved:,} of {self._people:,}")
        self._last = moved


def _ask(plan: Plan, sequence: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("migrate-enrollments: nobody can be asked here: --yes moves them, --dry-run only tells")
    number = plan.target.new.number
    if not typer.confirm(f"move {counted(plan.moving, 'enrollment')} to version {number} of {sequence}?", err=True):
        raise InvalidInput("migrate-enrollments: nothing was moved")


def _told(plan: Plan, sequence: str) -> str:
    number = plan.target.new.number
    if not plan.people:
        return f"{sequence}: nobody runs in an older version than {number}"
    lines = [f"{sequence}, to version {number}"]
    for group, count in _sorted(plan):
        stands = f"  {count:>9,}  stand at {group.at} of version {group.version}"
        if group.left_alone is not None:
            lines.append(f"{stands}: left alone, {group.left_alone}")
        else:
            lines.append(f"{stands}: {f'land at {group.to}' if group.to else 'nothing is left to do'}")
    return "\n".join(lines)


def _ended(done: Migrated | None) -> str:
    if done is None:
        return ""
    left = [f"{count:,} left alone: {reason}; run it again later" for reason, count in sorted(done.left_alone.items())]
    return "\n".join([f"{counted(done.moved, 'enrollment')} moved", *left])


def _document(plan: Plan, sequence: str, done: Migrated | None) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "to_version": plan.target.new.number,
        "plan": [{**group._asdict(), "enrollments": count} for group, count in _sorted(plan)],
        "moved": None if done is None else done.moved,
        "left_alone": None if done is None else dict(done.left_alone),
    }


def _sorted(plan: Plan) -> list[tuple[Group, int]]:
    return sorted(plan.people.items(), key=lambda one: (one[0].version, one[0].left_alone or "", -one[1], one[0].at))
