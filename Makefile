# make repro [PROFILE=sample|small|paper] [WORKERS=2]   the whole pipeline to tables; make help lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# A CPU build is enough. Where pip would take the CUDA build and you do not want it, follow
# pytorch.org for your platform and pass TORCH="torch==2.13.0 --index-url ...".
TORCH ?= torch==2.13.0
PROFILE ?= sample
WORKERS ?=
DASK ?=
KILLS ?= 20
PYTEST ?=

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup profile repro tables test lint ui bench performance chaos lock clean distclean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12
	@echo
	@echo "profiles: sample (default: generated data, no network), small (public data), paper (all of the paper's data)"
	@echo "WORKERS=4 runs stale cells four at a time, DASK=tcp://host:8786 on a Dask cluster (docs/cluster.md)"
	@echo "EMDE_MIRROR=<folder or URL> is tried before the registered sources of data"

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "make: expected Python 3.11 or newer, found %d.%d; pass PYTHON=/path/to/python" % v[:2])'
	@echo "installing into $(VENV) (about three minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet $(TORCH)
	@$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed  ## create .venv from the lock

profile: setup
	@emde profile $(PROFILE) >/dev/null

repro: setup  ## run the chosen PROFILE to tables; only what changed is run
	@python -m flows.repro --profile $(PROFILE) $(if $(WORKERS),--workers $(WORKERS)) $(if $(DASK),--dask $(DASK))
	@emde tables --profile $(PROFILE)
	@echo "page: $(CURDIR)/results/generated/$(PROFILE)/tables/index.html"

tables: profile  ## print the tables of what has been run
	@emde tables --profile $(PROFILE)

lint: setup
	@ruff check .
	@ruff format --check --quiet .
	@mypy

test: lint  ## lint, types and all tests (but those that need a GPU)
	@python -m pytest -m "not gpu" $(PYTEST)

ui: setup  ## start the Prefect server and serve the flows
	@python -m flows.ui

bench: setup  ## measure speed against this machine's own ceilings
	@python -m benchmark.bench
	@python -m flows.bench

performance: setup  ## write docs/performance.md from the newest kept report
	@python -m benchmark.bench_page

chaos: setup  ## kill -9 server, worker and stages KILLS times on the sample profile; nothing may be lost
	@python -m tests.flows.chaos --kills $(KILLS)

lock: setup  ## maintainers: write requirements.lock from what is installed
	@$(BIN)/python -m pip list --format=freeze --exclude torch --exclude pip --exclude emde-suite > requirements.lock

clean:  ## remove results, caches and compiled code; data and .venv stay
	@rm -rf results/generated .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean  ## also remove data, profile and .venv
	@rm -rf data profile.yaml $(VENV) *.egg-info
