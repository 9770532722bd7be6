#!/bin/sh
# Builds the virtual environment that is named, from constraints.txt. `make setup` does it.
set -eu

venv=$1
here=$(dirname "$0")

# One that works is kept and brought up to date, unless it was made in another folder and moved or copied here.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    { [ -f "$venv/.ready" ] && [ "$(cat "$venv/.ready")" != "$(pwd -P)" ]; }; then
    . "$here/python.sh"
    echo "setup: making $venv with $("$PYTHON" --version); this takes a minute or two, once" >&2
    make_environment "$venv"
fi
rm -f "$venv/.ready"
if ! "$venv/bin/python" -m pip install -qq --no-input --editable '.[local,dev]'; then
    echo "setup: pip could not install everything: what it says above is the reason" >&2
    exit 1
fi
