# The commands of this project. CI runs all but `up`, `demo` and `fresh`; .venv follows requirements.lock by itself.
#
#   make up      the whole system on this machine; Ctrl-C stops it, the next `make up` resumes it
#                .venv/bin/helpdesk is its command line: docs/command-line.md
#   make demo    one ticket's life, played against the running system
#   make fresh   forget what the local system holds (./var)
#   make test    all tests, on three processes        make test ARGS="tests/auth -k stranger"
#   make lint    ruff, mypy --strict, import contracts
#   make check   lint + test
#   make prove   the SLA clocks against an oracle: 100,000 random histories, and some hundred through the whole stack (an hour);
#                a minute of hostile requests beside honest ones;
#                every operation of the API against its document, with all that schemathesis knows to send
#   make rehearse   every alert: its fault is made, it fires on what a real Prometheus scrapes, its runbook is followed, it is over (ten minutes)
#   make day     a day in the life of the system, from nothing, through Traefik at 31130 (five minutes; docs/operations.md has its output)
#   make screenshots   the pictures of docs/operating.md, of a real Temporal UI (two minutes; needs Chromium)
#   make bench   the figures of docs/benchmarks.md, beside the bare ceilings of this machine
#   make fmt     let ruff format and fix
#   make lock    pin the newest versions that pyproject.toml allows
#   make image-sbom   the parts of the image, with versions and hashes, as CycloneDX: ./var/image-sbom.json

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed-from.lock
ARGS ?=

export PYTHONPATH :=

.PHONY: up demo fresh test lint prove rehearse day screenshots bench check lock fmt image-sbom
.DEFAULT_GOAL := check

up: $(STAMP) $(BIN)/helpdesk
	@exec env RUN_MODE=local $(BIN)/python -m deploy

demo: $(STAMP)
	@exec $(BIN)/python -m examples.demo

fresh: $(STAMP)
	@exec $(BIN)/python -m deploy.local.fresh

test: $(STAMP) $(BIN)/helpdesk
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

prove: $(STAMP)
	$(BIN)/python -m tests.sla.prove $(ARGS)
	HISTORIES=300 HISTORIES_SEED=$$(date +%s) $(BIN)/python -m pytest -n 2 --timeout 300 tests/system/test_histories.py
	HOSTILE_SECONDS=60 HOSTILE_SEED=$$(date +%s) APP_ENV_LOG_LEVEL=ERROR $(BIN)/python -m pytest -s tests/http/test_hostile_mix.py
	SCHEMATHESIS=long $(BIN)/python -m pytest -n 2 tests/http/test_schemathesis.py

rehearse: $(STAMP)
	@exec $(BIN)/python -m tests.rehearsals $(ARGS)

day: $(STAMP)
	@exec $(BIN)/python -m tests.rehearsals.day

screenshots: $(STAMP)
	@exec $(BIN)/python -m tests.rehearsals.screenshots

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

fmt: $(STAMP)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(STAMP): requirements.lock
	@echo "installing into $(VENV) from requirements.lock (once per lock) ..."
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed, this is " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@cp requirements.lock $@

$(BIN)/helpdesk: deploy/cli/helpdesk $(STAMP)
	@install -m 755 $< $@

lock:
	@test -x $(VENV)/lock/bin/python || $(PYTHON) -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check 'pip-tools>=7.5.2'
	@$(VENV)/lock/bin/python -m piptools compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --extra local --extra dev \
		--no-header --no-annotate --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file requirements.lock pyproject.toml
	@if grep -nE '://|^-' requirements.lock; then echo "requirements.lock names an address"; exit 1; fi

# A tool of its own, as pip-tools above: nothing of it is in the lock.
image-sbom:
	@test -x $(VENV)/sbom/bin/python || $(PYTHON) -m venv $(VENV)/sbom
	@$(VENV)/sbom/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7.2'
	@mkdir -p var
	@$(PYTHON) -m deploy.image | $(VENV)/sbom/bin/cyclonedx-py requirements - --pyproject pyproject.toml --short-PURLs --output-reproducible -o var/image-sbom.json
	@echo "var/image-sbom.json"
