# The developer interface. Everything lives in .venv and .uv inside this folder; nothing else is touched.
PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
# Certificates of the machine: companies put their own there.
export UV_SYSTEM_CERTS ?= true

.DEFAULT_GOAL := help
.PHONY: help setup browser office demo test again check format serve bench simulate openapi docs clean

help:            ## show these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.ready: $(UV) pyproject.toml uv.lock
	$(UV) sync --frozen --quiet
	@touch .venv/.ready

setup: .venv/.ready ## create .venv with the locked dependencies

demo: setup      ## the sample catalogue through the queue with recorded answers, to a table and files under out/ (LIVE=1 asks OpenAI)
	@$(BIN)/weighbridge run examples/catalogue.csv --out out --data-dir demo-data$(if $(LIVE),-live,) --yes \
	  $(if $(LIVE),,--answers examples/catalogue.answers.jsonl)

# One seed for a run and its repetition: what a simulation found, it finds again.
test again: export SIMULATION_SEED ?= $(shell date +%s)
test: setup browser office ## all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal || { [ $$? = 1 ] && $(MAKE) --no-print-directory again; }

again: setup     ## the tests that failed, once more, one at a time; ends at the first that fails again
	@echo "Once more, one at a time. A test that passes now failed beside others: a fault to find, in it or in the program."
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 1

# The tests of the dashboard need a Chromium; where it cannot be installed they are skipped (in CI: they fail).
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
	  echo "No Chromium, and none could be installed: the tests of the dashboard are skipped."

# A test of the workbook needs LibreOffice Calc, likewise.
office:
	@command -v soffice libreoffice >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libreoffice-calc >/dev/null; } || \
	  echo "No LibreOffice, and none could be installed: the test of the workbook is skipped."

check: setup     ## format, lint, types, import rules, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs README.md CHANGELOG.md CONTRIBUTING.md

format: setup    ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: setup     ## API and worker on http://127.0.0.1:8000, against the simulator (LIVE=1 uses OpenAI)
	$(BIN)/weighbridge serve $(if $(LIVE),,--simulate)

simulate: setup  ## 5,000 runs of the decisions and 200 storms over the whole program, by seed (about 10 minutes)
	$(BIN)/python -m benchmarks.simulate

bench: setup     ## the measurements of benchmarks/
	$(BIN)/python -m benchmarks

openapi: setup   ## record the API's examples anew and write docs/openapi.json
	$(BIN)/python -m tests.support.recorded_examples
	$(BIN)/python -m weighbridge.api.openapi docs/openapi.json

docs: setup      ## build the documentation site into site/
	$(UV) run --frozen --group docs mkdocs build --strict

clean:           ## remove what make created
	rm -rf .venv .uv out demo-data demo-data-live site
