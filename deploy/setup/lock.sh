#!/bin/sh
# Writes the newest versions that fit pyproject.toml into constraints.txt, and with them what builds the package.
# `make lock` does it; no address of an index gets into the file.
set -eu
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT

. "$(dirname "$0")/python.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

make_environment "$work/venv"
python=$work/venv/bin/python
requires=$("$python" -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))')
printf '%s\n' "$requires" > "$work/build.txt"
"$python" -m pip install -qq --no-input --upgrade --requirement "$work/build.txt"
"$python" -m pip install -qq --no-input --upgrade '.[local,dev,compat,bench]'
"$python" -m pip freeze --all --exclude pip --exclude wheel --exclude cadenza > "$work/constraints.txt"
if grep -v '^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+]*$' "$work/constraints.txt" >&2; then
    echo "lock: these are not pinned by name and version: constraints.txt stays as it is" >&2
    exit 1
fi
cp "$work/constraints.txt" constraints.txt
echo "constraints.txt: $(wc -l < constraints.txt | tr -d ' ') versions; \`make setup\` installs them"
