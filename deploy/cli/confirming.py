"""Ask before something is done to many that can't be undone."""

import sys
from typing import Annotated, TypeAlias

import typer

from deploy.cli.output import note
from engine.errors import InvalidInput

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]

#: The exit code where the answer is no.
DECLINED = 1


def confirm(what: str, yes: bool) -> None:
    """Go on only if whoever gives the command says yes: on the command line, or asked at a terminal.

    Raises:
        InvalidInput: nobody can be asked.
        Exit: they say no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"{what}: add --yes, as there is no terminal on which to ask")
    if not typer.confirm(f"{what}. Go on?", err=True):
        note("cadenza: nothing was done")
        raise typer.Exit(DECLINED)
