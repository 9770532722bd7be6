# What there is to do with Cadenza. For make 3.81 and newer, with GNU or BSD tools, as root or not.

.DEFAULT_GOAL := help

VENV := .venv
PYTHON_IN_VENV := $(VENV)/bin/python
READY := $(VENV)/.ready
DATA_DIR := $(if $(CADENZA_DATA_DIR),$(CADENZA_DATA_DIR),.cadenza)

# Pinned: what is installed, and what it is built with (older pips take the first for both).
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

# An environment that was made elsewhere and moved here is made anew.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

.PHONY: help
help: ## list what there is to do
	@echo "usage: make TARGET [ARGS='...']"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(READY) ## build .venv, after which .venv/bin/cadenza is there

.PHONY: demo
demo: $(READY) ## two sequences, 1,000 contacts, every message sent once, and the proof of it
	@$(PYTHON_IN_VENV) -m deploy.demo $(ARGS)

.PHONY: test
test: $(READY) ## the whole test suite, two files at a time on servers of their own (ARGS: for pytest)
	@$(PYTHON_IN_VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/stock $(ARGS)

.PHONY: compat
compat: $(READY) ## the suite on Debian's Postgres 15 and Redis 7.0, on Postgres 17 and on the embedded ones (ARGS=--short)
	@$(PYTHON_IN_VENV) -m deploy.compat $(ARGS)

.PHONY: faults
faults: $(READY) ## every fault scenario, three times in a row (FULL=1: as many and as long as they say)
	@for run in 1 2 3; do \
	    echo "run $$run of 3"; \
	    CADENZA_TEST_FULL_LENGTH=$(FULL) $(PYTHON_IN_VENV) -m pytest tests/acceptance/faults $(ARGS) || exit 1; \
	done

.PHONY: races
races: $(READY) ## pause, resume, cancel, skip, STOP, a reply, a goal and a migration against eight workers, 1,000 times each
	@CADENZA_TEST_FULL_LENGTH=1 $(PYTHON_IN_VENV) -m pytest tests/integration/test_control_race.py \
	    tests/integration/test_migrating_race.py tests/integration/test_stop_storm.py $(ARGS)

.PHONY: check
check: $(READY) ## style, types, rooms, and migrations equal to the declared tables
	@$(PYTHON_IN_VENV) -m ruff check
	@$(PYTHON_IN_VENV) -m ruff format --check
	@$(PYTHON_IN_VENV) -m mypy
	@$(VENV)/bin/lint-imports
	@$(PYTHON_IN_VENV) -m pytest -q tests/integration/test_migrations.py

.PHONY: up
up: $(READY) ## run everything on this machine, until Ctrl-C
	@$(VENV)/bin/cadenza up $(ARGS)

.PHONY: bench
bench: $(READY) ## measure how fast it is, and write bench.json
	@$(PYTHON_IN_VENV) -c 'import pgqueuer, procrastinate' 2>/dev/null || \
	    $(PYTHON_IN_VENV) -m pip install -qq --no-input --editable '.[local,dev,bench]' || \
	    echo 'bench: pip could not install the queues to measure beside ours: they are left out' >&2
	@$(PYTHON_IN_VENV) -m deploy.bench $(ARGS)

.PHONY: scale
scale: $(READY) ## measure how costs grow with the database, 20 minutes (ARGS="--quick", "--stock", "--sizes 10000 100000")
	@$(PYTHON_IN_VENV) -m deploy.scale $(ARGS)

.PHONY: chaos
chaos: $(READY) ## a storm: everything fails that can, for 10 minutes, and then the audit (ARGS="--seed 7 --seconds 60")
	@$(PYTHON_IN_VENV) -m deploy.chaos $(ARGS)

.PHONY: mutants
mutants: $(READY) ## switch off one guard at a time, and show that the tests notice (ARGS: names of some)
	@$(PYTHON_IN_VENV) -m deploy.mutants $(ARGS)

.PHONY: clean
clean: ## delete what the embedded servers, the demo and the tools have left
	@if [ -f $(READY) ]; then \
	    $(PYTHON_IN_VENV) -m deploy.local.clean "$(DATA_DIR)/demo" && \
	    $(PYTHON_IN_VENV) -m deploy.local.clean "$(DATA_DIR)"; \
	elif [ -d .cadenza ]; then \
	    echo "run \`make setup\` first: .cadenza may be in use, and only what is in .venv can tell" >&2; exit 1; \
	fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build bench.json scale.json scale.svg
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## the same, and .venv
	@rm -rf $(VENV) *.egg-info

.PHONY: lock
lock: ## write the newest versions of all dependencies into constraints.txt
	@sh deploy/setup/lock.sh

$(READY): pyproject.toml constraints.txt
	@sh deploy/setup/venv.sh $(VENV)
	@echo "$(CURDIR)" > $(READY)
