"""The command line reads what is asked for, and no more."""

import subprocess
import sys

import pytest

from deploy.cli.command_line import run
from deploy.cli.commands import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_found_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"cadenza {name}" in capsys.readouterr().out


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.partition("Commands:\n")[2].splitlines()]
    assert sorted(listed) == sorted(COMMANDS)


def test_an_event_is_published_without_reading_what_only_others_need() -> None:
    code = (
        "import sys; from deploy.cli.command_line import run; run(['publish', '--help'])\n"
        "sys.exit(' '.join({'sqlalchemy', 'alembic', 'twilio', 'fastapi'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
