"""`cadenza`: runs a command, and turns what goes wrong into one line and an exit code (DESIGN.md section 9)."""

import os
import sys

import click
import psycopg
import redis
import typer

from deploy.cli.commands import app
from engine.database import first_line
from engine.errors import CadenzaError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; tell the exit code: 0 done, 1 failed, 2 misused or invalid input, 3 done in part."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="cadenza", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return MISUSED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", INTERRUPTED)
    except CadenzaError as error:
        return _failed(str(error), error.exit_code)
    except psycopg.Error as error:
        return _failed(f"Postgres: {first_line(error)}", FAILED)
    except redis.RedisError as error:
        return _failed(f"Redis: {first_line(error)}", FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code if isinstance(code, int) else 0


def _failed(message: str, code: int) -> int:
    sys.stderr.write(f"cadenza: {message}\n")
    return code
