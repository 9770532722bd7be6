"""`cadenza explain`."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from deploy.cli.control import EnrollmentId
from deploy.cli.output import Json, WorkspaceName, fitted, report
from deploy.cli.session import opened
from engine.outbox.cold_months import MonthState
from producers.explaining import Explained, explain_enrollment
from schema.counted import counted

#: Zones whose times are not shown a second time.
UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC"})


def explain(
    enrollment: EnrollmentId,
    content: Annotated[bool, typer.Option("--content", help="With the text of every message as it was sent.")] = False,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Tell of every step of an enrollment how it stands and why, and what comes next if nothing changes."""
    with opened(workspace) as session:
        explained = explain_enrollment(session.database, session.settings.workspace, enrollment, content=content)
    document = asdict(explained)
    document = {"enrollment_id": document.pop("enrollment"), **document}
    report(as_json, document, lambda: fitted(_lines(explained)))


def _lines(explained: Explained) -> list[str]:
    exit_reason = f" ({explained.exit_reason})" if explained.exit_reason else ""
    modified = "  modified" if explained.modified else ""
    lines = [
        f"enrollment {explained.enrollment}  {explained.name}{modified}",
        (
            f"  {_named(explained.sequence, explained.sequence_name)}, version {explained.version}:"
            f" {explained.status}{exit_reason}"
        ),
        f"  {_counts(explained.counts)}",
        f"  enrolled {_time(explained.enrolled_at)}; ended {_time(explained.ended_at)}",
        f"  {_times(explained.timezone)}",
        "  times of attempts and of the history are real time in UTC",
    ]
    if explained.archived is not None:
        lines.append(f"  {_archived(explained.archived)}")
    lines += [
        f"  paused: the {pause['of']} since {_time(pause['since'])} by {pause['made_by'] or 'somebody'}"
        for pause in explained.paused
    ]
    for step in explained.steps:
        lines += _step(step, explained.timezone)
    if explained.by_hand:
        lines += ["", "tasks added by hand"]
        lines += [_by_hand(task) for task in explained.by_hand]
    if explained.heard:
        lines += ["", "replies and events of the contact, sequence time in UTC"]
        lines += [
            f"  {_time(one['at'])}  {one['says']}{': ' + repr(one['text']) if one['text'] else ''}"
            for one in explained.heard
        ]
    lines += ["", "history, real time in UTC"]
    for told in explained.history:
        was = f"{told['was']} -> " if told["was"] else ""
        reason = f": {told['reason']}" if told["reason"] else ""
        lines.append(
            f"  {_time(told['at'])}  {told['step'] or 'enrollment'}: {was}{told['became']}{reason}  [{told['made_by']}]"
        )
    return [*lines, "", f"next: {explained.next['says']}"]


def _archived(archived: dict[str, Any]) -> str:
    month, table = archived["month"], archived["table"]
    match MonthState(archived["state"]):
        case MonthState.ATTACHED:
            return f"its steps are archived: in {table}"
        case MonthState.DETACHED:
            return (
                f"its steps are archived, and {month} is detached: {table} has them;"
                f" `cadenza archives attach {month}` shows them here"
            )
        case MonthState.GONE:
            return (
                f"its steps are archived, and {month} is detached and dropped: restore {table} from its dump, then run"
                f" `cadenza archives attach {month}`"
            )


def _times(timezone: str) -> str:
    """Return which time the steps are shown in."""
    local = "" if timezone in UTC_NAMES else f", due times also in {timezone}"
    return f"times are sequence time in UTC{local}"


def _step(step: dict[str, Any], timezone: str) -> list[str]:
    order = step["order"] if step["order"] > 0 else "-"
    reason = f": {step['reason']}" if step["reason"] else ""
    local = ""
    if step["local_due_at"] and timezone not in UTC_NAMES:
        local = f" ({_time(step['local_due_at'])} {step['local_due_at']:%Z})"
    because = "; ".join(one for one in step["due_because"] if one != step["reason"])
    lines = [
        "",
        f"{order}. {_named(step['step'], step['name'])}  {step['type']}  {step['status']}{reason}  [row {step['row']}]",
        f"   due {_time(step['due_at'])}{local}{because and f': {because}'}",
    ]
    if step["own_delay"]:
        base = "the enrollment" if step["order"] == 1 else "the step before"
        lines.append(f"   its own delay in this enrollment: {step['own_delay']} after {base}")
    if step["sent_at"]:
        delivery = f"; delivery: {step['delivery_status']}{_code(step)}" if step["delivery_status"] else ""
        lines.append(f"   sent {_time(step['sent_at'])} as {step['provider_id'] or '-'}{delivery}")
    elif step["ended_at"]:
        came_to = f", came to {step['outcome']}" if step["outcome"] else ""
        lines.append(f"   ended {_time(step['ended_at'])}{came_to}")
    elif step["error_code"]:
        lines.append(f"   the provider says{_code(step)}")
    lines += _task(step["task"])
    if step["retry_at"]:
        lines.append(f"   tried again from {_time(step['retry_at'])} on, real time; tries used: {step['tries']}")
    for attempt in step["attempts"]:
        looked = f"; looked up {counted(attempt['looks'], 'time')} in vain" if attempt["looks"] else ""
        code = f" {attempt['error_code']}" if attempt["error_code"] else ""
        started = _time(datetime.fromisoformat(attempt["started_at"]))
        lines.append(
            f"   attempt {started} to {attempt['recipient']}: {attempt['outcome'] or 'no answer yet'}{code},"
            f" {attempt['lateness_seconds']:.1f} s late{'; ' + attempt['detail'] if attempt['detail'] else ''}{looked}"
        )
        lines += _content(attempt["content"])
    return lines + _engagement(step["engagement"])


def _named(key: str, name: str | None) -> str:
    return key if name is None or name == key else f"{key} ({name})"


def _counts(counts: dict[str, int]) -> str:
    """Return how far it is, in words."""
    opened = f", {counts['opened']} opened" if counts["opened"] else ""
    clicked = f", {counts['clicked']} clicked" if counts["clicked"] else ""
    return f"{counts['ended']} of {counted(counts['steps'], 'step')} ended; {counts['sent']} sent{opened}{clicked}"


def _content(content: dict[str, Any] | None) -> list[str]:
    """Return the lines of a message as it was handed over."""
    if content is None:
        return []
    subject = [f"     subject: {content['subject']}"] if content.get("subject") else []
    text = content.get("body") or content.get("text") or content.get("html") or ""
    return [*subject, *(f"     | {line}" for line in text.splitlines())]


def _engagement(engagement: dict[str, Any] | None) -> list[str]:
    """Return who opened and clicked a message; machines are told apart."""
    if engagement is None:
        return []
    said = [
        f"{word} {counted(engagement[name], 'time')} by {whom}"
        for word, name, whom in (
            ("opened", "opened", "people"),
            ("opened", "opened_by_machine", "machines"),
            ("clicked", "clicked", "people"),
            ("clicked", "clicked_by_machine", "machines"),
        )
        if engagement[name]
    ]
    return [f"   {', '.join(said)}", *(f"     clicked {link}" for link in engagement["links"])] if said else []


def _task(task: dict[str, Any] | None) -> list[str]:
    """Return who has a task, who ended it, and what they said of it."""
    if task is None:
        return []
    lines = [f"   {task['name']}, {task['priority']} priority, {task['assignee'] or 'nobody'} has it"]
    if task["ended_at"]:
        said = f": {task['note']!r}" if task["note"] else ""
        lines.append(f"   ended by {task['ended_by'] or 'somebody'}{said}")
    return lines


def _by_hand(task: dict[str, Any]) -> str:
    ended = f"; ended {_time(task['ended_at'])} by {task['ended_by'] or 'somebody'}" if task["ended_at"] else ""
    said = f": {task['note']!r}" if task["note"] else ""
    return (
        f"  {task['step']}  {task['name']} ({task['type']})  {task['state']}  {task['assignee'] or 'nobody has it'}"
        f"  due {_time(task['due_at'])}{ended}{said}"
    )


def _code(step: dict[str, Any]) -> str:
    """Return the provider's code, with its words."""
    if not step["error_code"]:
        return ""
    says = f" ({step['error_says']})" if step["error_says"] else ""
    return f" {step['error_code']}{says}"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
