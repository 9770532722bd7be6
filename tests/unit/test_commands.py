"""The command line reads what is asked for, and no more."""

import subprocess
import sys


def test_an_event_is_published_without_reading_what_only_others_need() -> None:
    code = (
        "import sys; from deploy.cli.command_line import run; run(['publish', '--help'])\n"
        "sys.exit(' '.join({'sqlalchemy', 'alembic', 'twilio', 'fastapi'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
