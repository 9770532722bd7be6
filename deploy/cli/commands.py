"""All commands, in the order in which they are needed."""

import typer

from deploy.cli import (
    api,
    audit,
    clock,
    control,
    database,
    doctor,
    enrolling,
    event,
    explain,
    processes,
    review,
    sandbox,
    sequences,
    simulate,
    status,
    steering,
    tasks,
    variants,
    workspaces,
)

app = typer.Typer(
    name="cadenza",
    help="Multi-step SMS, email and task sequences: each step once, on time, and explained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command()(processes.up)
app.command()(database.migrate)
app.command()(sequences.apply)
app.command()(sequences.schema)
app.command()(simulate.simulate)
app.command()(enrolling.enroll)
app.command()(enrolling.publish)
app.command()(processes.worker)
app.command()(api.api)
app.add_typer(sandbox.app, name="sandbox")
app.command()(status.status)
app.command()(explain.explain)
app.command()(variants.variants)
app.command()(control.pause)
app.command()(control.resume)
app.command()(steering.cancel)
app.command()(steering.skip)
app.command(name="run-now")(steering.run_now)
app.command()(event.event)
app.command()(tasks.tasks)
app.command()(tasks.complete)
app.add_typer(tasks.app, name="task")
app.command()(review.review)
app.command()(audit.audit)
app.add_typer(clock.app, name="clock")
app.command()(doctor.doctor)
app.add_typer(workspaces.app, name="workspace")
