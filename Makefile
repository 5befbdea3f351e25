# Everything runs in .venv from locked, hashed requirements: Python 3.11 or newer is all that it needs.
# With a C compiler the core is compiled; without one the same source runs as it is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 1..20000
SEED ?= 1
# Tests of real servers wait more than they compute: more of them at once than a small machine has processors.
WORKERS ?= 4
SECONDS ?= 180
# The installed, compiled service, with the tests and benchmarks of this folder: see checkout.pth below.
RUN := $(BIN)/python -P
COMPILE_ANY := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11
COMPILE := $(COMPILE_ANY) pyproject.toml
# The chart's real API server is built from source, which takes minutes: CHART_TOOLS= goes without.
CHART_TOOLS ?= --api-server
SOURCES := $(shell find consumer schemas -name '*.py' -o -name '*.avsc' -o -name '*.toml' -o -path '*/page/*' -type f) setup.py pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench image chart simulate chaos chaos-bounded fuzz soak mutants browser clients \
	cdc wheel audit lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.requirements: requirements/dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.package: $(VENV)/.requirements $(SOURCES)
	@rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@$(BIN)/python -P -c "import site, pathlib; pathlib.Path(site.getsitepackages()[0], 'checkout.pth').write_text('$(CURDIR)\n')"
	@touch $@

install: $(VENV)/.package ## Install the service and its tools into .venv

demo: install ## Run the whole job on one machine: broker, registry, Mixpanel, traffic with bad records, the service
	$(BIN)/group-consumer demo

test: install ## Run every test that needs no toolchain beyond Python
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not chaos and not chart and not browser and not clients and not cdc"
	$(BIN)/python -m pytest -q -n auto tests/avro tests/event tests/core tests/properties tests/kafka/test_source.py

lint: install ## Check style, types, and which part may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## Measure: the core step by step, the service beside the loops that teams write
	$(RUN) -m bench all

simulate: install ## Simulate many histories: make simulate SEEDS=1..20000, or SEEDS=17 to see one
	$(RUN) -m tests.simulation --seeds $(SEEDS)

chaos: install ## Torture it on a real broker, under each group protocol: make chaos SEED=1 SECONDS=180
	$(RUN) -m tests.chaos --seed $(SEED) --seconds $(SECONDS)

chaos-bounded: install ## The bounded chaos run of CI: a minute of each group protocol
	$(BIN)/pytest -q -m chaos tests/chaos

soak: install ## Half an hour at load with faults; memory, threads and files must stay flat
	$(RUN) -m tests.chaos.soak

fuzz: install ## Fuzz the decoder and the reader of answers for five minutes each
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	$(RUN) tests/fuzz/fuzz.py

mutants: install ## Break the core in thousands of ways, and see which of them the tests find
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	$(RUN) scripts/mutants.py

browser: install ## Look at the sandbox's page in a real Chromium
	$(BIN)/pytest -q -m browser tests/browser

clients: install ## Run the producers' examples and Mixpanel's SDKs against the sandbox, where Go, Node and Java are
	$(BIN)/pytest -q -m clients tests/clients

cdc: install ## Real change data capture: Debezium on PostgreSQL, where Java and Maven are: make cdc SEED=1
	CDC_SEED=$(SEED) $(BIN)/pytest -q -m cdc tests/cdc

chart: install ## Check the Helm chart, its alerts, dashboard and image; fetches Helm, promtool and others into .tools
	$(BIN)/python scripts/chart_tools.py $(CHART_TOOLS)
	$(BIN)/pytest -q -n 2 --dist loadfile -m chart tests/chart

image: ## Build the container image with docker or podman
	$(PYTHON) scripts/chart_image.py

wheel: install $(VENV)/.audit ## Build the compiled wheel into dist/, try it in an environment of its own, list what it is made of
	$(BIN)/python -P scripts/wheel.py

$(VENV)/.audit: $(VENV)/.requirements requirements/audit.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

audit: $(VENV)/.audit ## Ask what is known against the versions that are shipped; says so where nobody can be asked
	$(BIN)/python scripts/audit.py $(AUDIT)

lock: $(VENV)/.requirements ## Write the requirements again from pyproject.toml
	$(COMPILE) --extra aws -o requirements/runtime.txt
	$(COMPILE) --extra aws --extra rules --extra sandbox --group dev -o requirements/dev.txt
	$(COMPILE) --extra aws --extra rules -c requirements/dev.txt -o requirements/rules.txt
	$(BIN)/python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires']))" \
		| $(COMPILE_ANY) -c requirements/dev.txt - -o requirements/build.txt
	$(COMPILE) --group mutants -c requirements/dev.txt -o requirements/mutants.txt
	$(COMPILE) --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt
	$(COMPILE) --group audit -c requirements/dev.txt -o requirements/audit.txt
	$(COMPILE) --group wheels -c requirements/dev.txt -o requirements/wheels.txt

clean: ## Remove what was built, the environment too
	rm -rf $(VENV) build dist *.egg-info
