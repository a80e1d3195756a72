# Each target does its own set-up: Python 3.11 or newer with venv and pip is all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TDS_HOME ?= data
export TDS_HOME

.PHONY: help demo dev test lint check bench clean

help: ## What there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.installed ## The main job on embedded defaults, then where its results are
	$(BIN)/tds demo

dev: $(VENV)/.installed ## The Dagster UI on http://localhost:3000, with its daemon
	@mkdir -p $(TDS_HOME)/dagster; [ -e $(TDS_HOME)/dagster/dagster.yaml ] || cp dagster.yaml $(TDS_HOME)/dagster/
	@export DAGSTER_HOME="$$(cd $(TDS_HOME)/dagster && pwd)"; trap 'kill 0' EXIT; \
	$(BIN)/dagster-daemon run & $(BIN)/dagster-webserver --port 3000

test: $(VENV)/.developing ## The tests; those without their service skip and say why
	$(BIN)/pytest

lint: $(VENV)/.developing ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## What CI runs

bench: $(VENV)/.benching ## Every script of benchmarks/
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## Remove the virtual environment and caches, not the data
	rm -rf $(VENV) .venv-curator .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TDScaling needs Python 3.11 or newer: set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.developing: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

$(VENV)/.benching: $(VENV)/.developing
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
