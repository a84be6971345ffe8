# Sundial's verbs; `make help` lists them. Everything is installed into .venv and ~/.cache/sundial.
PYTHON ?= python3
CLUSTER ?= auto
BENCH_EXECUTIONS ?= 10000000
STORIES ?= 3000
ODDITIES ?= 1000000
PY := .venv/bin/python
UV := VIRTUAL_ENV=.venv .venv/bin/uv
.DEFAULT_GOAL := help
.PHONY: help demo test unit model cluster-tests database-tests celery-tests pod-tests chart-tests image release release-dry-run fmt lint types contracts verify check generate lock relock setup programs token-rotation bench bench-api bench-burst bench-mirror bench-plan bench-rate bench-release bench-runner bench-scale bench-writes chaos degraded import-scale mirror-kills mirror-search mutants walk clean

help: ## List these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

demo: setup programs ## Show Sundial at work, installed by the chart (CLUSTER=auto|local|kind|k3d, or current with IMAGE=; DEMO=processes, DEMO_SECONDS=60)
	$(PY) -m sundial_demo --cluster $(CLUSTER)

test: setup programs ## Run all tests (about an hour on two cores; the first run builds Kubernetes too, 15 to 20 minutes more)
	$(PY) -m pytest -n 3 --dist loadfile tests/unit tests/model tests/database tests/cluster
	$(PY) -m pytest -n 3 --dist loadfile -p no:schemathesis tests/celery_tasks
	$(PY) -m pytest -n 2 --dist loadfile -p no:schemathesis tests/pods tests/chart
	$(PY) -m pytest -p no:schemathesis tests/chaos

unit: .venv/installed ## Run the tests of seconds that need no cluster
	$(PY) -m pytest -n 2 -p no:schemathesis tests/unit

model: .venv/installed ## Run the searches and simulations, which need no cluster but minutes
	$(PY) -m pytest -n 2 tests/model

cluster-tests: setup programs ## Run the tests that need a control plane
	$(PY) -m pytest -n 3 --dist loadfile tests/cluster

database-tests: setup ## Run the tests that need a Postgres (the system's, else that of a wheel)
	$(PY) -m pytest -n 2 --dist loadfile tests/database

celery-tests: setup ## Run the tests that need Celery's brokers (Debian's Redis and RabbitMQ)
	$(PY) -m pytest -n 3 --dist loadfile -p no:schemathesis tests/celery_tasks

pod-tests: setup programs ## Run the tests that need a real node
	$(PY) -m pytest -n 2 --dist loadfile -p no:schemathesis tests/pods

chart-tests: setup programs ## Run the tests of the Helm chart, some on a real node
	$(PY) -m pytest -n 2 --dist loadfile -p no:schemathesis tests/chart

image: setup ## Build the image, with a shell and without (Docker, else buildah), and check their sizes
	$(PY) -m sundial_devcluster image
	$(PY) -m sundial_devcluster image --runtime no-shell

release-dry-run: setup ## Do all of a release that needs no registry, and print the rest (TWICE=1 builds the image twice and compares)
	$(PY) -m sundial_release rehearse --registry "$(REGISTRY)" --base "$(BASE)" $(if $(TWICE),--twice)

release: .venv/installed ## Build for amd64 and arm64, push image and chart to REGISTRY= on BASE=NAME@sha256:..., sign both (docs/releasing.md)
	$(PY) -m sundial_release publish --registry "$(REGISTRY)" --base "$(BASE)"

fmt: .venv/installed ## Format the code
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lint: .venv/installed ## Check format and style
	.venv/bin/ruff format --check . && .venv/bin/ruff check .

types: .venv/installed ## Check types
	.venv/bin/mypy

contracts: .venv/installed ## Check that the layers are kept
	.venv/bin/lint-imports --no-logo

generate: .venv/installed ## Write the generated files again: crds/, the chart's files, docs/openapi.json, docs/licenses.md
	$(PY) -m sundial_core.crds
	$(PY) -m sundial_core.chart
	$(PY) -m sundial_api.openapi_file
	$(PY) -m sundial_release licenses

verify: .venv/installed ## Fail if a generated file or the lock is not what its source gives
	$(PY) -m sundial_core.crds --check
	$(PY) -m sundial_core.chart --check
	$(PY) -m sundial_api.openapi_file --check
	$(PY) -m sundial_release licenses --check
	for lock in $(LOCKS); do cp $$lock .venv/checked.$$lock; done
	$(call write_locks,.venv/checked.)
	for lock in $(LOCKS); do diff -u -I '^ *#' $$lock .venv/checked.$$lock || exit 1; done

check: lint types contracts verify ## Everything but the tests

LOCKS = requirements.lock requirements.runtime.lock requirements.build.lock
LOCK = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header
# What is tested, what the image ships of it, and what builds the wheel: $(1) stands before their names.
define write_locks
	$(LOCK) --extra dev $(2) -o $(1)requirements.lock pyproject.toml
	$(LOCK) -c $(1)requirements.lock -o $(1)requirements.runtime.lock pyproject.toml
	$(LOCK) -c $(1)requirements.lock --group build -o $(1)requirements.build.lock
endef
relock: .venv/installed ## Write the locks again after a change of pyproject.toml; what is pinned stays
	$(call write_locks,,)
lock: .venv/installed ## Pin the newest dependencies that pyproject.toml allows
	$(call write_locks,,--upgrade)

bench: setup programs ## Measure everything, print one JSON (about an hour; QUICK=1 tries it with tiny numbers)
	PYTHONPATH=tests $(PY) -m bench $(if $(QUICK),--quick)

bench-burst: setup programs ## Measure 1,000 Jobs due at once: bare loop, Sundial, CronJob (about 35 minutes)
	PYTHONPATH=tests $(PY) -m bench.burst

bench-scale: setup programs ## Measure a restart with 10,000 ScheduledJobs, and idling (about 12 minutes)
	PYTHONPATH=tests $(PY) -m bench.scale

bench-rate: setup programs ## Measure lateness at 20 starts a second, and the rate that is too much (about 8 minutes)
	PYTHONPATH=tests $(PY) -m bench.rate

bench-release: setup programs ## Measure an installation by the chart, an upgrade, and leaders that go (about 4 minutes)
	PYTHONPATH=tests $(PY) -m bench.releases

bench-runner: setup programs ## Measure what the runner of functions and Celery tasks costs (about 5 minutes)
	PYTHONPATH=tests $(PY) -m bench.runner

bench-writes: setup programs ## Count the writes of a successful run (about 4 minutes)
	PYTHONPATH=tests $(PY) -m bench.writes

bench-api: setup programs ## Measure the mirror, then the API's lists with 10 million executions (BENCH_EXECUTIONS=200000 is quick)
	PYTHONPATH=tests $(PY) -m bench.api --executions $(BENCH_EXECUTIONS)

bench-mirror: setup programs ## Measure the mirror: first sync of 10,000 ScheduledJobs with 30,000 Jobs, lag (about 12 minutes)
	PYTHONPATH=tests $(PY) -m bench.mirror

bench-plan: .venv/installed ## Measure planning 10,000 schedules from cold
	PYTHONPATH=tests $(PY) -m bench.plan

import-scale: setup programs ## Import an original installation of 10,000 jobs and 1,000,000 executions, interrupted once and killed once
	SUNDIAL_IMPORT_JOBS=10000 SUNDIAL_IMPORT_EXECUTIONS=1000000 $(PY) -m pytest -s tests/cluster/test_import_scale.py

mirror-kills: setup programs ## Kill the mirror and its Postgres 50 times, then compare rows and cluster (5 minutes)
	SUNDIAL_KILLS=50 SUNDIAL_OUTAGE_SECONDS=120 $(PY) -m pytest tests/cluster/test_mirror_faults.py

mirror-search: setup ## Play 3,000 orders of events and draw 1,000,000 odd objects at the mirror (hours; STORIES=, ODDITIES=)
	SUNDIAL_STORIES=$(STORIES) SUNDIAL_ODDITIES=$(ODDITIES) $(PY) -m pytest -n 2 tests/database/test_mirror_orders.py tests/database/test_mirror_oddities.py

chaos: setup programs ## Kill, freeze, rob and cut off leaders, then check every slot (CHAOS_KILLS=100, CHAOS_SEED=any, CHAOS_LEASE=4, CHAOS_FAULT=one alone; 20 minutes)
	PYTHONPATH=tests $(PY) -m chaos

degraded: setup programs ## Try each trouble of the API's with each way to log in (10 minutes)
	SUNDIAL_ALL_LOGINS=1 $(PY) -m pytest -p no:schemathesis tests/cluster/test_api_degraded.py

token-rotation: setup programs ## See a release go on when the tokens of ten minutes that it began with have ended (13 minutes)
	$(PY) -m pytest -s -p no:schemathesis tests/rotation

mutants: .venv/installed ## Break each guard of tests/mutants/guards.toml in every small way: some test must notice (GUARDS=fence; 10 minutes)
	PYTHONPATH=tests $(PY) -m mutants $(GUARDS)

walk: setup programs ## Count the files that a due slot goes through, from the timer to the stored status (2 minutes)
	PYTHONPATH=tests $(PY) -m walk

setup: .venv/installed ## Make the virtual environment and install Debian's packages for a real node and Postgres
	test "$$(id -u)" != 0 || $(PY) -m sundial_devcluster packages

programs: .venv/installed ## Build Kubernetes' programs, once
	$(PY) -m sundial_devcluster programs

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Sundial needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	test -x $(PY) || $(PYTHON) -m venv .venv || { rm -rf .venv && apt-get update && apt-get install -y --no-install-recommends python3-venv && $(PYTHON) -m venv .venv; }
	sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p}' requirements.lock > .venv/uv.lock
	$(PY) -m pip install --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(UV) pip install --require-hashes -r requirements.lock || $(PY) -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

clean: ## Remove the virtual environment (`rm -r ~/.cache/sundial` removes the built programs)
	rm -rf .venv
