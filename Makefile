# `make` alone lists the commands. Needs Python 3.11 or newer; everything else is fetched by `make setup`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-long check format docs bench clean

PYTHON ?= python3
LOCAL_UV := .todoke/uv/bin/uv
UV := $(or $(shell command -v uv 2>/dev/null),$(LOCAL_UV))
RUN := $(UV) run --frozen
# The quick ones keep every core busy; the long stories come first. The others wait more than they work, for Kafka, for
# clocks, for processes that start: two at a time, even on few cores. Each worker has servers of its own.
QUICK_TESTS := tests/pipeline tests/unit
CONNECTED_TESTS := tests/contract tests/connected
WHOLE_TESTS := tests/e2e
ON_EACH_CORE := -n auto --dist worksteal
TWO_AT_A_TIME := -n 2 --dist worksteal

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.ready ## Install everything into .venv (uv is fetched into .todoke/ when it is not there)

.venv/.ready: uv.lock pyproject.toml $(wildcard */pyproject.toml */*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Todoke needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@command -v $(UV) >/dev/null 2>&1 || { echo "Fetching uv …"; $(PYTHON) -m venv .todoke/uv && .todoke/uv/bin/pip install --quiet uv; }
	@echo "Installing what uv.lock names …"
	@$(UV) sync --frozen --all-packages --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

demo: setup ## A day at a shop, from events to LINE messages, on this machine alone
	@$(RUN) todoke demo

test: setup ## All tests; on Apache Kafka where Docker, or Java 17 and Maven, are there
	@echo "1 of 3: units, and stories with a clock that obeys"
	@$(RUN) pytest $(ON_EACH_CORE) $(QUICK_TESTS)
	@echo "2 of 3: real Kafka and PostgreSQL"
	@$(RUN) pytest $(TWO_AT_A_TIME) $(CONNECTED_TESTS)
	@echo "3 of 3: whole processes, killed and stopped"
	@$(RUN) pytest $(TWO_AT_A_TIME) $(WHOLE_TESTS)

test-fast: setup ## Unit and pipeline tests alone
	@$(RUN) pytest $(ON_EACH_CORE) $(QUICK_TESTS)

test-long: setup ## All tests in their long forms (more messages, more kills)
	@TODOKE_TEST_LONG=1 $(RUN) pytest $(ON_EACH_CORE) $(QUICK_TESTS)
	@TODOKE_TEST_LONG=1 $(RUN) pytest $(CONNECTED_TESTS) $(WHOLE_TESTS)

check: setup ## Format, lint, types, import boundaries, declared dependencies, generated docs
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) python .ci/undeclared_dependencies.py
	@$(RUN) python docs/generate.py --check

format: setup ## Format the code and sort its imports
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

docs: setup ## Generate docs/asyncapi, docs/topics.md, docs/events.md and docs/metrics.md
	@$(RUN) python docs/generate.py

bench: setup ## Benchmarks, each with its floor measured in the same run
	@$(RUN) --group bench python -m benchmarks

clean: ## Remove what was installed and kept (.venv, .todoke)
	rm -rf .venv .todoke
