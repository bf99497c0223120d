# Everything a person runs. What a command needs it installs into this folder: .venv, node_modules, .data.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
NPM_STAMP := node_modules/.stamp
DATA := .data/lifetimes

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- installation ------------------------------------------------------------------------------------------

.venv/.stamp: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "audit-ledger needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(NPM_STAMP): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

$(DATA): requirements/data.txt | .venv/.stamp
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --target .data --require-hashes -r requirements/data.txt
	@touch $@

install: .venv/.stamp ## install the Python side into .venv

install-tests: .venv/.stamp $(NPM_STAMP) $(DATA) ## install all that the tests need as well
	@bash scripts/install_debian.sh

# --- the main job ------------------------------------------------------------------------------------------

demo: .venv/.stamp $(DATA) ## record, anchor, verify and change real data (EXIT=1 stops the server at the end)
	@$(BIN)/python -m scripts.demo $(if $(EXIT),--exit)

bench: install-tests ## measure the product against its floor, on both databases, in one run
	@$(BIN)/python -m scripts.bench

# --- checks ------------------------------------------------------------------------------------------------

# Two runs side by side keep both cores busy: tests that start services and browsers, and all the others.
SERVED := tests/integration tests/e2e tests/docs
test: install-tests ## run the tests
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -p -m pytest -q $(SERVED) > .served.log 2>&1 & served=$$!; failed=0; \
	  $(BIN)/coverage run -p -m pytest -q $(addprefix --ignore=,$(SERVED)) || failed=1; \
	  wait $$served || failed=1; cat .served.log; exit $$failed
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report --include='ledger_service/proofs/*' --fail-under=95
	$(BIN)/coverage report --omit='ledger_service/proofs/*'

lint: .venv/.stamp ## format, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

slither: .venv/.stamp $(NPM_STAMP) ## static analysis of the contracts
	@bash scripts/slither.sh

check: lint slither test ## what CI runs

lock: ## resolve the requirement locks again
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

format: .venv/.stamp ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what the commands installed and made
	rm -rf .venv .venv-analysis node_modules .data .demo .coverage .served.log .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help install install-tests demo bench test lint slither check lock format clean
