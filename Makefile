# Everything a contributor runs. Needs Python 3.11 or newer and make; the cluster targets also Go and root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs cluster cluster-test cluster-shell bench lock clean

demo: $(VENV)/installed
	@$(BIN)/addonctl analyze --demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest tests --ignore=tests/cluster

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy addonctl tests scripts bench
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	$(BIN)/python scripts/check_docs.py

cluster: $(VENV)/installed-dev
	$(BIN)/python -m tests.cluster build

cluster-test: $(VENV)/installed-dev
	$(BIN)/python -m pytest tests/cluster

cluster-shell: $(VENV)/installed-dev
	$(BIN)/python -m tests.cluster shell

bench: $(VENV)/installed-dev
	for script in help snapshot scale; do $(BIN)/python -m bench.bench_$$script || exit 1; done

# The locks hold hashes and no address; `make lock` renews them from pyproject.toml.
lock: $(VENV)/installed-dev
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q --extra dev pyproject.toml -o requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
