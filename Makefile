# Each target installs what it needs into .venv first: Python 3.11+ and make are all the machine must have.
# ARGS are passed on: make test ARGS="tests/core -x"

VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-clients test-adapters check core-coverage mutate format bench plots docs site dist lock clean

help: ## show this help
	@echo "Signoff: durable execution with human approval built in."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Pass arguments with ARGS, choose an interpreter with PYTHON: make test ARGS="tests/core -x" PYTHON=python3.12'

setup: $(READY) ## install everything into .venv (the other targets do so by themselves)

# At a terminal the demo is a job of its own (sh -m), so that Ctrl-C, at any time, ends the demo and not make: both then exit 0.
demo: $(READY) ## a migration that waits for your yes; ARGS=--auto answers by itself
	@job=; if [ -t 0 ]; then job=-m; fi; sh $$job -c '"$$@"' demo $(VENV)/bin/signoff demo $(ARGS)

# One process more than there are processors, because each waits for its servers a third of the time.
test: $(READY) ## run the tests, in up to four processes; ARGS="-n 0" in one
	@$(PY) -m pytest -n $$(($$($(PY) -c 'import os; print(os.cpu_count() or 1)') + 1)) --maxprocesses 4 --dist loadfile $(ARGS)

test-clients: $(READY) ## test the clients in other languages, and generated ones: needs Node 20, Go 1.26; ARGS=go tests one
	@clients/test $(ARGS)

# Not part of test: it installs the frameworks, each into a separate environment below .venv-adapters.
test-adapters: $(READY) ## run the adapters' contract with the real frameworks; ARGS="--write langchain"
	@$(PY) -m tests_adapters $(ARGS)

check: $(READY) ## lint, formatting, types, layers, known holes in dependencies
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(PY) tests/sizes.py
	@$(PY) -m tests.audit

core-coverage: $(READY) ## tests/core alone has to reach 97 % of every module of the core
	@$(PY) tests/core_coverage.py $(ARGS)

# Not part of CI: it takes as long as it is given, and goes on where it stopped.
mutate: $(READY) ## change the core's rules in small ways and list what tests/core lets pass; ARGS="--minutes 20 quorum"
	@$(PY) -c 'import mutmut' 2>/dev/null || $(PY) -m uv pip install -q --python $(PY) --group mutate
	@$(PY) tests/mutate.py $(ARGS)

format: $(READY) ## sort imports and format all Python files
	@$(PY) -m ruff check --fix --select I .
	@$(PY) -m ruff format .

bench: $(READY) ## measure this machine
	@$(PY) -m bench $(ARGS)

plots: $(READY) ## write the tables and plots of docs/performance.md from docs/performance/figures.json
	@$(PY) -m bench.page

docs: $(READY) ## regenerate the reference pages
	@$(PY) docs/generate.py $(ARGS)

site: $(READY) ## build the documentation site into build/site
	@$(PY) docs/site.py

dist: $(READY) ## build the package into dist; try it, and what the image contains, in empty environments
	@$(PY) tests/dist.py $(ARGS)

lock: $(READY) ## bring requirements.lock up to date with pyproject.toml; ARGS=--upgrade renews all
	@$(PY) -m uv pip compile -q pyproject.toml --extra server --extra apprise --extra msteams --extra mcp --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
		--output-file requirements.lock $(ARGS)

clean: ## remove .venv, caches and build products
	rm -rf clients/typescript/node_modules clients/typescript/dist clients/typescript/build
	rm -rf clients/generators/typescript/node_modules clients/generators/typescript/build clients/generators/go/*/client
	rm -rf $(VENV) .venv-adapters .venv-peers mutants dist build .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache

# The newest interpreter that really starts: a name on the PATH proves nothing (version managers leave stubs).
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$name -c '$(FIT)' >/dev/null 2>&1 && echo $$name && break; done)

# requirements.lock names every package with its hashes; the stamp makes installing happen once per change of it.
# uv (itself from the lock) is a tenth of pip's time; pip stands in where only pip knows the way to a package index.
QUIET_PIP = $(PY) -m pip install -q --disable-pip-version-check
$(READY): pyproject.toml requirements.lock
	@$(or $(PYTHON),false) -c '$(FIT)' 2>/dev/null || { echo "Signoff needs Python 3.11 or newer with its venv" \
		"module: '$(PYTHON)' is not that. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PY) -c '' 2>/dev/null || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV) with $$($(PY) --version) ..."
	@awk '/^uv==/ { found = 1 } found { print } found && !/\\$$/ { exit }' requirements.lock > $(VENV)/uv.lock
	@$(QUIET_PIP) --require-hashes -r $(VENV)/uv.lock
	@$(PY) -m uv pip install -q --python $(PY) --require-hashes -r requirements.lock \
		|| $(QUIET_PIP) --require-hashes -r requirements.lock
	@$(QUIET_PIP) --no-deps --no-build-isolation --editable .
	@touch $@
