# Everything runs in .venv from locked, hashed requirements: Python 3.11 or newer is all that it needs.
# With a C compiler the core is compiled; without one the same source runs as it is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 1..20000
SOURCES := $(shell find consumer schemas -name '*.py' -o -name '*.avsc' -o -path '*/page/*' -type f) setup.py pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench image chart simulate chaos fuzz soak mutants browser clients lock clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.requirements: requirements/dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.package: $(VENV)/.requirements $(SOURCES)
	@rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@touch $@

install: $(VENV)/.package ## Install the service and its tools into .venv

demo: install ## Run the whole job on one machine: broker, registry, Mixpanel, traffic with bad records, the service
	$(BIN)/group-consumer demo

test: install ## Run every test that needs no toolchain beyond Python
	$(BIN)/pytest -n auto --dist loadgroup -m "not chaos and not chart and not browser and not clients"
	$(BIN)/python -m pytest -q -n auto tests/core tests/properties

lint: install ## Check style, types, and which part may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(VENV)/.requirements ## Write the requirements anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra sandbox --group dev pyproject.toml -o requirements/dev.txt

clean: ## Remove what was built, the environment too
	rm -rf $(VENV) build *.egg-info
