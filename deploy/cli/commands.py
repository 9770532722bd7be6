"""All commands, in the order in which they are needed; the modules of those that are not asked for stay unread."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

#: Where each command is found, in deploy.cli. What is called `app` there is a group of commands.
COMMANDS: Final = {
    "up": "processes.up",
    "migrate": "database.migrate",
    "apply": "sequences.apply",
    "schema": "sequences.schema",
    "sequences": "sequence.sequences",
    "sequence": "sequence.app",
    "templates": "templates.templates",
    "template": "templates.app",
    "simulate": "simulate.simulate",
    "enroll": "enrolling.enroll",
    "publish": "enrolling.publish",
    "worker": "processes.worker",
    "api": "api.api",
    "sandbox": "sandbox.app",
    "status": "status.status",
    "enrollments": "enrollments.enrollments",
    "explain": "explain.explain",
    "messages": "person.messages",
    "events": "person.events",
    "variants": "variants.variants",
    "pause": "control.pause",
    "resume": "control.resume",
    "archive": "archiving.archive",
    "unarchive": "archiving.unarchive",
    "stale": "stale.stale",
    "cancel": "steering.cancel",
    "skip": "steering.skip",
    "run-now": "steering.run_now",
    "retry": "retrying.retry",
    "reschedule": "altering.reschedule",
    "delete-step": "altering.delete_step",
    "migrate-enrollments": "migrating.migrate_enrollments",
    "event": "event.event",
    "tasks": "task_list.tasks",
    "complete": "tasks.complete",
    "task": "tasks.app",
    "review": "review.review",
    "contact": "contacts.app",
    "suppressions": "suppressions.app",
    "retain": "retaining.retain",
    "archives": "archives.app",
    "audit": "audit.audit",
    "clock": "clock.app",
    "doctor": "doctor.doctor",
    "workspace": "workspaces.app",
}


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the command that is asked for; with all of them, where none is or it is not known."""
    app = typer.Typer(
        name="cadenza",
        help="Multi-step SMS, email and task sequences: each step once, on time, and explained.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        callback=_nothing,  # without it, a command that is alone would be taken for the whole
    )
    asked = [name for name in arguments[:1] if name in COMMANDS]
    for name in asked or COMMANDS:
        _add(app, name)
    return app


def _nothing() -> None:
    """Multi-step SMS, email and task sequences: each step once, on time, and explained."""


def _add(app: typer.Typer, name: str) -> None:
    module, _, called = COMMANDS[name].partition(".")
    found = getattr(import_module(f"deploy.cli.{module}"), called)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name=name)(found)
