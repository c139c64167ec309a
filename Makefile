# make repro [PROFILE=sample|small|paper] [WORKERS=4]   a profile from raw files to its page; make help lists the rest.
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
PORT ?= 4200
KILLS ?= 20
TINY ?=
RENEW ?=
PYTEST ?=
SITE ?= results/generated/site
# of two settings with one name the later folder's counts
KEPT ?= ablations density claims movielens-1m session-baselines neural-baselines release small plus public paper-settings
REHEARSAL ?= .cache/rehearsal

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup pipeline repro proof tables site test lint ui bench gpu performance chaos rehearsal lock clean distclean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12
	@echo
	@echo "profiles: sample (default: generated data, no network), small (public data), paper (all of the paper's data)"
	@echo "WORKERS=4 runs stale cells four at a time (default: two), DASK=tcp://host:8786 on a Dask cluster (docs/cluster.md)"
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

repro: setup  ## run a PROFILE to tables and pages; only what changed is run
	@python -m flows.repro --profile $(PROFILE) $(if $(WORKERS),--workers $(WORKERS)) $(if $(DASK),--dask $(DASK))

proof: setup  ## the default profile again, in a clone: dvc.lock must stay as committed (RENEW=1: take the new one)
	@python -m flows.proof $(if $(RENEW),--renew)

tables: setup  ## print the tables of what has been run
	@emde tables --profile $(PROFILE)

site: setup  ## the kept results as a folder of web pages that can be hosted as it is
	@emde site --results $(KEPT:%=results/reported/%) --out $(SITE)

pipeline: setup  ## write the DVC pipelines anew after a change of profiles, parameters or imports
	@emde pipeline

lint: setup
	@ruff check .
	@ruff format --check --quiet .
	@mypy

test: lint  ## lint, types and all tests (but those that need a GPU)
	@python -m pytest -m "not gpu" -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST)

ui: setup  ## start Prefect's server on PORT, this checkout's deployments and their worker
	@python -m flows.ui --port $(PORT)

bench: setup  ## measure speed against this machine's own ceilings
	@python -m benchmark.speed
	@python -m flows.bench

gpu: setup  ## measure on a GPU: tests, EMDE, baselines, top-k, the training step (TINY=1: in minutes, on a CPU too)
	@python -m benchmark.speed.gpu results/generated/gpu $(if $(TINY),--tiny)

performance: setup  ## write docs/performance.md from the newest kept report
	@python -m benchmark.speed.page

chaos: setup  ## kill -9 server, worker and stages KILLS times on the sample profile; nothing may be lost
	@python -m tests.flows.chaos --kills $(KILLS)

rehearsal: setup  ## the whole paper profile on stand-ins and small networks, in a copy; a kill and its resume
	@rm -rf $(REHEARSAL)
	@python -m tests.paper.rehearse $(REHEARSAL) --one-process

lock: setup  ## maintainers: write requirements.lock from what is installed
	@$(BIN)/python -m tests.lock

clean:  ## remove results, caches and compiled code; data and .venv stay
	@rm -rf results/generated .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean  ## also remove data and .venv
	@rm -rf data $(VENV) *.egg-info
