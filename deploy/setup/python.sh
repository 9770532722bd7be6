# Finds a Python that can be used, for the scripts beside this one: sets PYTHON, or says how to get one and exits.
# `PYTHON=... make setup` chooses.

is_good() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# Debian keeps ensurepip in a package of its own; a pip that is there does as well.
can_make_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || "$1" -c 'import pip, venv' >/dev/null 2>&1
}

make_environment() {
    if "$PYTHON" -c 'import ensurepip' >/dev/null 2>&1; then
        "$PYTHON" -m venv --clear "$1"
    else
        "$PYTHON" -m venv --clear --without-pip "$1"
        "$PYTHON" -m pip --python "$1/bin/python" install -qq --no-input pip
    fi
}

found=
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if is_good "$candidate"; then
        found=$candidate
        if can_make_environments "$candidate"; then
            break
        fi
    fi
done

if [ -z "$found" ]; then
    echo "setup: no Python 3.11, 3.12 or 3.13 was found: install one, or name it: PYTHON=/path/to/python3.12 make setup" >&2
    exit 1
fi
if ! can_make_environments "$found"; then
    echo "setup: $found can't make virtual environments: on Debian and Ubuntu, apt install python3-venv" >&2
    exit 1
fi
PYTHON=$found
