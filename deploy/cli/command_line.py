"""Run a command, and turn what goes wrong into one line and an exit code (DESIGN.md section 9)."""

import sys

import psycopg
import redis
import typer

from deploy.cli.commands import app_for
from deploy.cli.main import INTERRUPTED
from engine.database import first_line
from engine.errors import CadenzaError

FAILED, MISUSED = 1, 2


def run(arguments: list[str]) -> int:
    """Run a command; tell the exit code: 0 done, 1 failed, 2 misused or invalid input, 3 done in part."""
    try:
        code = typer.main.get_command(app_for(arguments)).main(arguments, prog_name="cadenza", standalone_mode=False)
    except typer.TyperException as error:
        return _misused(error)
    except (typer.Abort, KeyboardInterrupt):
        return _failed("interrupted", INTERRUPTED)
    except CadenzaError as error:
        return _failed(str(error), error.exit_code)
    except psycopg.Error as error:
        return _failed(f"Postgres: {first_line(error)}", FAILED)
    except redis.RedisError as error:
        return _failed(f"Redis: {first_line(error)}", FAILED)
    except BrokenPipeError:
        return FAILED
    if code == INTERRUPTED:
        return _failed("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _misused(error: typer.TyperException) -> int:
    """Say what was wrong with the command line; where nothing was asked for, show the help."""
    said = error.format_message().replace("Value error, ", "")
    if said.startswith("Usage:"):
        sys.stderr.write(said + "\n")
        return MISUSED
    said = " ".join(said.split())
    context = getattr(error, "ctx", None)
    return _failed(f"{said.rstrip('.')}; see `{context.command_path if context else 'cadenza'} --help`", MISUSED)


def _failed(message: str, code: int) -> int:
    """One line, also when the name of a file has two."""
    sys.stderr.write(f"cadenza: {' '.join(message.splitlines())}\n")
    return code
