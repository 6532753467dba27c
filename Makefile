# Commands for people. Everything is installed in .venv; nothing outside this folder changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
FAULT ?=
# `make test FORM=--full` runs every suite completely
FORM ?=

.PHONY: help rehearse test lint lock runbook schema reference action picture benchmarks clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header --no-emit-package hour24

$(VENV)/.product: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python: expected 3.11 or newer, got %s; choose one: make PYTHON=python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/.tests: $(VENV)/.product requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.machine: $(VENV)/.tests .ci/setup tests/needs.py
	.ci/setup
	@touch $@

rehearse: $(VENV)/.product  ## run a whole 24-hour watch on the embedded production
	$(BIN)/python -m hour24 rehearse --seed $(SEED) $(addprefix --fault=,$(FAULT))

test: $(VENV)/.machine  ## the project's own tests, style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests $(FORM) --numprocesses logical --maxprocesses 4 --dist loadscope

lint: $(VENV)/.tests  ## only style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(VENV)/.tests  ## write the locks of hashes from requirements*.txt
	$(BIN)/$(LOCK) requirements.txt requirements-build.txt --output-file requirements.lock
	$(BIN)/$(LOCK) requirements-dev.txt requirements-build.txt --output-file requirements-dev.lock

runbook: $(VENV)/.product  ## write docs/RUNBOOK.md and docs/CRITERIA.md from the code
	$(BIN)/python -m hour24 runbook > docs/RUNBOOK.md
	$(BIN)/python -m hour24 runbook --criteria > docs/CRITERIA.md

schema: $(VENV)/.product  ## write schemas/production.schema.json from the structs
	$(BIN)/python -m hour24 schema > schemas/production.schema.json

reference: $(VENV)/.tests  ## write docs/REFERENCE.md from the programs' help
	$(BIN)/python -m tests.reference

action: $(VENV)/.tests  ## write action.yml from the steps of the workflow
	$(BIN)/python -m tests.action

picture: $(VENV)/.machine  ## make README's picture from its stored record
	$(BIN)/python -m tests.pages.picture

benchmarks: $(VENV)/.tests  ## measure what benchmarks/README.md says
	$(BIN)/python benchmarks/run.py

clean:  ## remove .venv; reports/ stays
	rm -rf $(VENV)
