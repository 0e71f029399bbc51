# Each target sets up what it needs. A Python of 3.11 to 3.13 and make are all that must be there before.
# The first of these that runs: a name may be a shim for a version that is not there.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help wheel run test test-fast coverage test-campaign test-long test-spark test-bi bi spark parity chaos ui lint bench bench-alerts bench-allocation bench-loop bench-models bench-simulation docs lock clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

$(READY): requirements.lock pyproject.toml
	@echo "setting up $(VENV) (once; about a minute)"
	@PYTHON="$(PYTHON)" UV_PYTHON_DOWNLOADS="$(UV_PYTHON_DOWNLOADS)" sh .ci/venv $(VENV)
	@# --no-deps: the lock is complete, and the pip of Python 3.11 stumbles over extras when it resolves by hash.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

run: $(READY) ## run the nightly job on the built-in source; ARGS="--as-of DATE …" for more
	@$(BIN)/holdfast run $(ARGS)

ui: $(READY) ## start Dagster (webserver and daemon) on 127.0.0.1:3000
	@$(BIN)/holdfast ui $(ARGS)

# Two files of tests at a time: most of a whole job is start-up, which one core does. In the order of their names, which
# has the folders of whole jobs before the many small tests that fill the end.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
test: $(READY) ## run all tests but those of test-campaign
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-fast: $(READY) ## run the tests that start no whole job, server or browser
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not campaign and not long and not spark and not bi" $(ARGS)

coverage: $(READY) ## run the tests of `make test` and show which lines and branches of the product they reach
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report term:skip-covered $(ARGS)

test-long: $(READY) ## run the few tests that take four minutes and more each; CI runs them while it has time
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m long $(ARGS)

test-campaign: $(READY) ## run the tests that take minutes each; CI runs them too
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m campaign $(ARGS)

SPARK := $(VENV)/.spark
$(SPARK): $(READY) requirements-spark.lock
	@command -v java >/dev/null || { echo "Spark needs Java 17 or later: apt-get install openjdk-17-jre-headless"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.lock
	@touch $(SPARK)

spark: $(SPARK) ## install Spark next to the rest, for HOLDFAST_TARGET=spark (half a gigabyte, needs Java)

test-spark: $(SPARK) ## run the tests that ask a real Spark; a few minutes
	@$(BIN)/python -m pytest -n 0 -m "spark and not campaign" $(ARGS)

# Superset needs other versions than the job does: an environment of its own.
BI := $(VENV)/bi/.ready
$(BI): $(READY) bi/requirements.lock
	@echo "setting up $(VENV)/bi (once; a few minutes)"
	@$(BIN)/python -m venv $(VENV)/bi
	@$(VENV)/bi/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r bi/requirements.lock
	@touch $(BI)

bi: $(BI) ## start Superset with five dashboards over the published set, on 127.0.0.1:8088
	@$(VENV)/bi/bin/python bi/start.py

test-bi: $(BI) ## run the tests that start Superset and look at it in Chromium; a few minutes
	@$(BIN)/python -m pytest -n 0 -m bi tests/bi $(ARGS)

parity: $(SPARK) ## three nights on Spark and on DuckDB, every table compared; ARGS="--lines 1000000 --variant bank"
	@$(BIN)/python -W ignore -m benchmarks.parity $(ARGS)

chaos: $(READY) ## kill the nightly job 200 times and starve it, write docs/chaos.md; ARGS="--kills 20 --seed 1"
	@$(BIN)/python -W ignore -m tests.chaos.campaign $(ARGS)

lint: $(READY) ## check style, formatting, types, SQL and dead code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/vulture
	@$(BIN)/sqlfluff lint --disable-progress-bar dbt_project

bench: $(READY) ## what a night costs at sizes S and M, with floor and peers; ARGS="--sizes S M L"; write docs/benchmarks.md
	@$(BIN)/python -c 'import polars, pyspark' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	@$(BIN)/python -m benchmarks.scale $(ARGS)

bench-alerts: $(READY) ## how soon movement alerts find a change and how many are false, write docs/alerts.md
	@$(BIN)/python -m benchmarks.alerts

bench-allocation: $(READY) ## how near the contact plan comes to the best possible, and how long it takes
	@$(BIN)/python -m benchmarks.allocation

bench-loop: $(READY) ## what the contact plan earns on businesses whose truth is known, write docs/learning-loop.md; about 20 minutes
	@$(BIN)/python -m benchmarks.loop $(ARGS)

bench-models: $(READY) ## how good the churn model is, and what its choice gives away, write docs/model-*.md; BENCH_CDNOW=FOLDER
	@$(BIN)/python -m benchmarks.models
	@$(BIN)/python -m benchmarks.regret

bench-simulation: $(READY) ## how real the simulated business is and how near scores come to its truth, write docs/simulation.md
	@$(BIN)/python -m benchmarks.simulation $(ARGS)

wheel: $(READY) ## build the wheel into dist/, with the dbt project and the playbook in it
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

docs: $(READY) ## build the guide and a page a table as a site into site/, links checked
	@$(BIN)/python -m pipelines.docs

LOCK := --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet
lock: ## pin every version with hashes (needs uv)
	uv pip compile pyproject.toml --extra postgres --extra dev --extra docs --extra build $(LOCK) -o requirements.lock
	uv pip compile pyproject.toml --extra postgres --extra build -c requirements.lock $(LOCK) -o requirements-run.lock
	uv pip compile pyproject.toml --extra spark --extra postgres --extra build -c requirements.lock $(LOCK) -o requirements-spark.lock
	uv pip compile bi/requirements.in $(LOCK) -o bi/requirements.lock
	uv pip compile pyproject.toml --all-extras -c requirements.lock $(LOCK) -o requirements-bench.lock

clean: ## remove the virtual environment and caches, never data
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
