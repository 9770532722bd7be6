"""`cadenza clock`: shows the sequence clock, and moves it where that is allowed."""

from collections.abc import Callable
from typing import Annotated

import typer

from deploy.cli.output import Json, report
from deploy.cli.session import Open, opened, settings_of
from engine import clock
from engine.clock import SequenceClock, from_epoch
from engine.database import Session
from engine.errors import InvalidInput
from schema.definition import parse_durations

app = typer.Typer(help="Show the sequence clock, or move it.", invoke_without_command=True)


@app.callback()
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show the sequence clock."""
    if context.invoked_subcommand is None:
        with opened() as session:
            _tell(session, as_json)


@app.command()
def advance(
    by: Annotated[str, typer.Argument(metavar="TIME", help="How far to jump, as '3 days' or '18 hours 28 minutes'.")],
    as_json: Json = False,
) -> None:
    """Jump ahead: what lies between falls due at once."""
    try:
        duration = parse_durations(by)
    except ValueError as error:
        raise InvalidInput(f"clock advance: {error}") from None
    _move(lambda transaction: clock.advance(transaction, duration), as_json)


@app.command()
def rate(
    seconds: Annotated[
        str, typer.Argument(metavar="SECONDS", help="Sequence seconds in a real second; 86400: a day a second.")
    ],
    as_json: Json = False,
) -> None:
    """Let sequence time run faster or slower than real time."""
    try:
        faster = float(seconds)
    except ValueError:
        raise InvalidInput(
            f"clock rate: '{seconds}' is not a number; write the sequence seconds in a real second,"
            f" above 0 and at most {clock.MAX_RATE}: 1 is real time, 86400 is a day a second"
        ) from None
    _move(lambda transaction: clock.set_rate(transaction, faster), as_json)


@app.command()
def reset(as_json: Json = False) -> None:
    """Return to real time."""
    _move(clock.reset, as_json)


def _move(change: Callable[[Session], None], as_json: bool) -> None:
    if settings_of().environment == "production":
        raise InvalidInput("the sequence clock can't be moved: CADENZA_ENVIRONMENT is production")
    with opened() as session:
        with session.database.transaction() as transaction:
            change(transaction)
        _tell(session, as_json)


def describe(now: SequenceClock) -> str:
    """What the clock shows, in words."""
    sequence, real, speed = from_epoch(now.now()), from_epoch(now.real_now()), now.rate
    ahead = abs((sequence - real).total_seconds()) >= 1
    runs = f"{speed:g} seconds a second" if speed != 1 else "ahead of real time, at its pace" if ahead else "real time"
    return f"sequence time {sequence:%Y-%m-%d %H:%M:%S} UTC, {runs}"


def _tell(session: Open, as_json: bool) -> None:
    now = SequenceClock(session.database)
    report(
        as_json,
        {"sequence_time": from_epoch(now.now()), "real_time": from_epoch(now.real_now()), "rate": now.rate},
        lambda: describe(now),
    )
