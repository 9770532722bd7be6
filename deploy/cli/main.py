"""`cadenza`: the process."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process."""
    try:
        from deploy.cli.command_line import run  # takes up to a second, in which Ctrl-C is to be as quiet as later
    except KeyboardInterrupt:
        sys.stderr.write("cadenza: interrupted\n")
        sys.exit(INTERRUPTED)
    sys.exit(run(sys.argv[1:]))
