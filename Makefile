# Every target sets up what it needs. A machine with Python 3.11 or newer and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help run test bench lint format clean

help:
	@echo "make run     train a supernet on MovieLens-100k, search, and write runs/movielens-100k/report.html"
	@echo "make test    lint, types and tests"
	@echo "make bench   benchmarks: ratios to a peer or a limit, measured in one run"
	@echo "make lint    ruff and mypy only"
	@echo "make clean   remove the virtual environment and caches; runs/ is kept"

run: $(VENV)/run-ready
	$(BIN)/moco run movielens-100k --out runs/movielens-100k

test: lint
	$(BIN)/python -m pytest -q -n 2

bench: $(VENV)/test-ready
	$(BIN)/python -m tests.benchmarks

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "moco needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run-ready: $(VENV)/created pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/test-ready: $(VENV)/run-ready
	$(PIP) --editable '.[dev,dashboard,export,postgresql]'
	@touch $@
