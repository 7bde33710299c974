# Everything a person does here has a target; `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
REFEREE := .venv-referee
SHELL := /bin/bash
# Tests start hundreds of processes: none is to compile all our sources anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-uncompiled test-checked lint format protos bench campaign fuzz sites mutants soak referee clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP)  ## Make .venv with everything in it; the command is then .venv/bin/fleet

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "khulan needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## Run the main job: control server, 24 simulated trucks over gRPC, the operators' page, a summary
	$(BIN)/fleet demo

test: setup  ## Run the tests: compiled, then the kernels again uncompiled and with bounds checks
	$(BIN)/python -m pytest -n 3 --dist loadgroup --durations 20
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-uncompiled test-checked

test-uncompiled: setup
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -n 0 tests/planner -m "not compiled_only"

test-checked: setup
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -q -n 0 tests/planner

lint: setup  ## ruff, mypy --strict, import-linter, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint

format: setup  ## Let ruff lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: setup  ## Regenerate fleet/v1 from protos/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos --python_out=. --grpc_python_out=. \
		--mypy_out=quiet:. --mypy_grpc_out=quiet:. protos/fleet/v1/*.proto

bench: setup  ## Measure ratios side by side
	$(BIN)/fleet bench

campaign: setup  ## Many seeds and faults, drawn and guided, on the proving ground and at Mandula: about half an hour
	$(BIN)/fleet sim campaign crossing --runs 1000 --guided 0.3 --out build/campaign/crossing
	$(BIN)/fleet sim campaign mandula --runs 200 --hours 0.5 --guided 0.3 --out build/campaign/mandula

fuzz: setup  ## Look for inputs that bring out anything but an error of ours: files and wire, ten minutes
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds 90
	FUZZ_TIMES=10 $(BIN)/python -m pytest -q -n 0 --timeout 1200 tests/fleet/test_fuzz_codec.py tests/fleet/test_fuzz_served.py tests/sim/test_fuzz_files.py

sites: setup  ## Run 200 sites and loads drawn from seeds; every truck must be served
	$(BIN)/fleet sim sites --count 200 --out build/sites

mutants: setup  ## Play unsafe mutants of controller and trucks in drills; each must be killed
	$(BIN)/python -m tests.sim.mutants

soak: setup  ## Hours: what must hold for long, or in its thousands, with its figures (python -m tests.soak NAME runs one)
	$(BIN)/python -m tests.soak

referee: $(REFEREE)/.made  ## Compare with SUMO, ad-rss, shapely and closed forms, in an environment of their own
	$(REFEREE)/bin/python -m sim_harness.referee

$(REFEREE)/.made: pyproject.toml constraints.txt sim_harness/referee/requirements.txt
	@$(PYTHON) -m venv $(REFEREE)
	$(REFEREE)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--requirement sim_harness/referee/requirements.txt --editable '.[sim]'
	@touch $@

clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(REFEREE) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
