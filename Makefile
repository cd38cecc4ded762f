# Everything a contributor runs. Needs Python 3.11 or newer and make; the cluster targets also Go and root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
# Where it is set, as in images of containers, every process compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test contract-test test-lowest lint docs cluster cluster-test lab simulation bench prove prove-night lock plugin image clean

demo: $(VENV)/installed
	@$(BIN)/addonctl analyze --demo

# Tests that share something expensive stand together: each worker takes its half of them, and then of what is left.
UNIT := tests --ignore=tests/cluster --ignore=tests/contracts -n auto --dist worksteal
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(UNIT) -rs

# One suite a port, on every side of it; those on a real API server skip where none is built (make cluster).
# Most of them wait for a server or a clock, so that six workers keep two cores busy.
CONTRACTS := tests/contracts -n 6 --dist loadgroup
contract-test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(CONTRACTS) -rs

# With the oldest versions that pyproject.toml allows of what addonctl needs. Core and simulator are left out: of all
# that has a bound, they use numpy alone, for forecasts. CloudWatch is left out, too: its server computes for a quarter
# of a minute a test, and the rest of boto3 is tried by others; so is what stories use.
LOWEST_TESTS := $(addprefix tests/,adapters apps eks core/test_forecast.py) $(CONTRACTS) \
    --ignore=tests/eks/test_cloudwatch.py
test-lowest: $(VENV)/installed-dev
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(LOWEST)
	@$(BIN)/uv pip compile -q --resolution lowest-direct pyproject.toml -o $(LOWEST)/versions.txt
	@$(BIN)/uv pip install -q --python $(LOWEST)/bin/python -c $(LOWEST)/versions.txt -e '.[dev]'
	$(LOWEST)/bin/python -m pytest $(LOWEST_TESTS) -rs

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy addonctl tests scripts bench
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	$(BIN)/python scripts/check_docs.py

# PARTS: of control-plane, simulated, helm, nodes (these four if none is named), more-coredns, faulty, flagger,
# popeye, argocd, prometheus.
cluster: $(VENV)/installed-dev
	$(BIN)/python -m tests.cluster build $(PARTS)

TESTS ?= tests/cluster
cluster-test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(TESTS) -rs

# SIMULATED=N adds simulated nodes, ARGOCD=1 a real Argo CD that owns an add-on.
lab: $(VENV)/installed-dev
	@$(BIN)/python -m tests.cluster lab $(if $(SIMULATED),--simulated $(SIMULATED)) $(if $(ARGOCD),--argocd)

# Simulated updates by seed, and a worker that dies at every boundary; CI has time for 6,000 of them.
SEEDS ?= 20000
simulation: $(VENV)/installed-dev
	$(BIN)/addonctl simulate --seed 1 --runs $(SEEDS)
	ADDONCTL_EVERY_BOUNDARY=1 $(BIN)/python -m pytest tests/simulation/test_simulation.py -n auto -rs

bench: $(VENV)/installed-dev
	for script in bench_help bench_snapshot bench_scale simulated_world journal_store; do $(BIN)/python -m bench.$$script || exit 1; done

# What takes longer than .ci/run may; its figures belong into the note of a release.
prove: bench simulation
	$(BIN)/python -m tests.cluster build control-plane nodes helm simulated faulty flagger popeye argocd prometheus vpa
	$(BIN)/python -m tests.cluster starts 20
	$(BIN)/python -m pytest $(UNIT) -m "" --hypothesis-profile thorough -rs
	$(BIN)/python -m pytest tests/contracts/test_journal_kills.py tests/cluster -m "" -rs
	$(BIN)/python -m bench.rehearsals_beside_cluster lab 24
	for script in allocation cluster_scan faults_beside_popeye bad_versions_beside_peers updates_beside_peers; do $(BIN)/python -m bench.$$script || exit 1; done

# A million simulated updates, or RUNS of them; NIGHT keeps what is done, and the same command goes on.
RUNS ?= 1000000
NIGHT ?= night.json
prove-night: $(VENV)/installed-dev
	$(BIN)/python -m scripts.prove_night $(NIGHT) --runs $(RUNS)

# The locks hold hashes and no address; `make lock` renews them from pyproject.toml.
lock: $(VENV)/installed-dev
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q --extra dev pyproject.toml -o requirements-dev.lock

# The plugin of kubectl for krew, into dist/: make plugin HOME_PAGE=URL; RELEASES is where its archive will be found.
RELEASES ?= $(HOME_PAGE)/releases/download
plugin: $(VENV)/installed-dev
	@$(BIN)/python -m scripts.build_plugin dist --homepage $(or $(HOME_PAGE),$(error Give HOME_PAGE=URL)) --releases $(RELEASES)

# Not every machine of CI has a Docker, and not everyone a registry.
image:
	@docker info >/dev/null 2>&1 || { echo "no Docker at hand: the image is not built"; exit 0; }; \
	timeout 120 docker pull -q python:3.13-slim || { echo "no registry at hand: the image is not built"; exit 0; }; \
	docker build -q -t addonctl . && docker run --rm --read-only --tmpfs /tmp addonctl analyze --demo

# Only a whole environment is used again: venv leaves half of one behind where Debian's python3-venv is missing.
$(VENV)/made:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	sys.exit(0 if v >= (3, 11) else "Python 3.11 or newer is needed; this is %d.%d. Another one: make PYTHON=python3.12 ..." % v[:2])'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/made
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/made
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) $(LOWEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis
