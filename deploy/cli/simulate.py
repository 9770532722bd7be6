"""`cadenza simulate`: what would go out to a contact, when, and why. Nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.definition_file import definition_in_file
from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.supposing import Supposed, contact_of, hours_of, outcomes_of, signals_of, start_of
from engine.errors import InvalidInput
from engine.rules.calendar import Hours
from engine.rules.calendar.whereabouts import whereabouts, zone_for
from engine.rules.facts import Facts
from engine.rules.planning import Contact, timing_by_calendar
from engine.rules.preview import Preview, preview, preview_values
from engine.rules.program import Program
from engine.rules.rehearsal import Assumed, Happening
from engine.rules.rendering import RenderError
from engine.rules.simulation import MOST_WAYS, every_way, likely_way
from schema.definition import Definition, parse_duration
from schema.states import RowStatus

#: Stands for the sender, whom only the workspace knows.
SENDER: Final = {"name": "(sender)", "email": "(sender)", "phone": "(sender)"}

#: A step in one of these says something to the contact, or to whoever works its task.
GOES_ON: Final = (RowStatus.SENT, RowStatus.DONE)


@dataclass(frozen=True, slots=True)
class _Way:
    """A way through the sequence."""

    happenings: Sequence[Happening]
    zone: tzinfo
    texts: Mapping[str, Preview]
    """What the steps would say, by their keys."""

    def document(self) -> list[dict[str, Any]]:
        """As JSON data; moments in the zone of the contact."""
        return [
            {
                "order": one.order,
                "step": one.key,
                "type": one.type,
                "status": one.status.value,
                "at": self._moment(one),
                "outcome": one.outcome,
                "reasons": list(one.reasons),
                **self._text(one.key),
            }
            for one in self.happenings
        ]

    def text(self) -> str:
        """As a table."""
        rows = [(one.key, one.type, self._shown(one), _result(one), "; ".join(one.reasons)) for one in self.happenings]
        header = ("step", "type", f"when ({self.zone})", "what", "why")
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
        return "\n".join(_line(row, widths) for row in (header, *rows))

    def said(self) -> str:
        """Return what would be said to the contact, step by step."""
        told = [
            "\n".join([f"{one.key}", *_lines(self.texts[one.key])])
            for one in self.happenings
            if one.key in self.texts and one.status in GOES_ON
        ]
        return "\n\n".join(told)

    def _text(self, key: str) -> dict[str, Any]:
        if key not in self.texts:
            return {"subject": None, "text": None, "missing": []}
        one = self.texts[key]
        return {"subject": one.subject, "text": one.text, "missing": list(one.missing)}

    def _moment(self, one: Happening) -> str | None:
        return None if one.at is None else self._local(one.at).isoformat(timespec="seconds")

    def _shown(self, one: Happening) -> str:
        return "-" if one.at is None else self._local(one.at).strftime("%a %Y-%m-%d %H:%M")

    def _local(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, UTC).astimezone(self.zone)


def simulate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sequence file, YAML or JSON.")],
    contact: Annotated[
        str | None, typer.Option(metavar="JSON", help='To whom: {"phone": "+1...", "timezone": "...", ...}.')
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the enrollment begins, ISO 8601; now otherwise.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="What is heard: KIND[:STEP or NAME]@DELAY after the start; several."),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP=OUTCOME", help="What a task, condition, wait or variants comes to; several."),
    ] = None,
    tasks_take: Annotated[str, typer.Option(metavar="DELAY", help="How long people take for a task.")] = "0 minutes",
    every_branch: Annotated[bool, typer.Option("--every-branch", help="Every way through the branches.")] = False,
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="The workspace's time zone.")] = "UTC",
    quiet_hours: Annotated[
        str,
        typer.Option(
            metavar="HOURS",
            help="The workspace's quiet hours for SMS: 20:00-09:00, or 20:00-09:00, sun 20:00-12:00; strict; or off.",
        ),
    ] = Hours().quiet_hours,
    texts: Annotated[
        bool, typer.Option("--texts", help="What each step would say to the contact, with what is missing marked.")
    ] = False,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Print when each step would go out, and why; send nothing. Only steps with a template ask a server."""
    definition = definition_in_file(file, workspace)
    started = start_of(start)
    who = contact_of(contact, definition)
    where = whereabouts(who.timezone, who.phone, hours_of(timezone, quiet_hours), who.attributes)
    program = Program.of(definition)
    timing = timing_by_calendar(definition, Contact(where, who.attributes), started)
    facts = Facts(started.timestamp(), attributes=who.attributes)
    assumed = Assumed(
        signals_of(event or [], definition, started), outcomes_of(outcome or [], program), _seconds(tasks_take)
    )
    walk = every_way if every_branch else likely_way
    ways = islice(walk(program, timing, facts, assumed), MOST_WAYS + 1)
    said = _texts(definition, who)
    told = [_Way(way, zone_for(definition, where), said) for way in ways]
    if len(told) > MOST_WAYS:
        raise InvalidInput(f"there are more than {MOST_WAYS} ways through {file}: fix some with --outcome STEP=OUTCOME")
    report(as_json, _document(definition, started, told), lambda: "\n\n".join(_shown(way, texts) for way in told))


def _texts(definition: Definition, who: Supposed) -> dict[str, Preview]:
    """Return what each step says, by its key.

    Raises:
        InvalidInput: a template can't be rendered; the message names the step.
    """
    values = preview_values(definition, who.own, who.attributes, SENDER)
    found: dict[str, Preview] = {}
    for step in definition.walk():
        try:
            one = preview(step, values)
        except RenderError as error:
            raise InvalidInput(f"step {step.key}: {error}") from None
        if one is not None:
            found[step.key] = one
    return found


def _shown(way: _Way, texts: bool) -> str:
    return "\n\n".join(filter(None, [way.text(), way.said() if texts else ""]))


def _lines(one: Preview) -> list[str]:
    subject = [f"  subject: {one.subject}"] if one.subject is not None else []
    missing = [f"  missing: {', '.join(one.missing)}"] if one.missing else []
    return [*subject, *(f"  | {line}" for line in one.text.splitlines()), *missing]


def _document(definition: Definition, started: datetime, ways: Sequence[_Way]) -> dict[str, Any]:
    return {
        "sequence": definition.sequence,
        "start": started.isoformat(),
        "ways": [{"steps": way.document()} for way in ways],
    }


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise InvalidInput(f"--tasks-take: {error}") from None


def _result(one: Happening) -> str:
    return f"{one.status.value}: {one.outcome}" if one.outcome is not None else one.status.value


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
    return "  ".join([*cells, row[-1]]).rstrip()
