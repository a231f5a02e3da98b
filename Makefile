# `make demo` and `make test` are all that a newcomer needs; each sets the checkout up by itself.
.DEFAULT_GOAL := help
PY := .venv/bin/python
PEERS := .venv-peers
ARGS ?=
# a process for each core, and a file of tests to one of them: its fixtures are made once
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo serve team test check clinic pictures pages looks bench bench-overhead bench-peers format lint lock clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 22

setup:  ## the virtual environment with pinned packages, and what the system lacks
	@scripts/setup.sh

# neither needs a browser or PostgreSQL
demo serve: export SETUP = demo

demo: setup  ## server and three real trainings, live (ARGS=--exit: end with them and check what came of it)
	.venv/bin/trainvitals demo $(ARGS)

serve: setup  ## the server alone, on SQLite (ARGS="--port 9000")
	.venv/bin/trainvitals serve $(ARGS)

team: setup  ## PostgreSQL in a local folder and the server on it, without containers
	scripts/team.sh

# trainings that run side by side would fight for cores
test check: export OMP_NUM_THREADS = 1

test: setup  ## every test there is, PostgreSQL, browser and trainings included
	$(PY) -m pytest $(SIDE_BY_SIDE) -m "not browser" $(ARGS) || [ $$? = 5 ]  # 5: of those named, none
	$(PY) -m pytest $(SIDE_BY_SIDE) -m browser $(or $(ARGS),tests/browser) || [ $$? = 5 ]  # apart: each takes a core

lint: setup  ## format, lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy client_sdk server dashboard migrations clinic
	.venv/bin/lint-imports

check: lint  ## lint, and the fast tests
	$(PY) -m pytest -q -m "not slow" $(SIDE_BY_SIDE) $(ARGS)

clinic: setup  ## judge the recorded sick and healthy trainings, and write docs/clinic.md (ARGS="show 'vanishing_*'")
	$(PY) -m clinic $(ARGS)

pictures: setup  ## take the pictures of docs/pictures anew, from the demo
	$(PY) scripts/pictures.py

pages: setup  ## take the pictures of docs/pages.md anew, and write docs/accessibility.md (ARGS="runs layers")
	$(PY) -m scripts.all_pages $(ARGS)

looks: setup  ## keep how the pages look as what the browser tests hold them against
	$(PY) -m scripts.all_pages --looks

bench: bench-overhead  ## step overhead, ingest, queries (ARGS=--quick)
	@set -e; for file in $$(grep -l '"__main__"' benchmarks/*.py); do \
	  echo "== $$file"; $(PY) -m benchmarks.$$(basename $$file .py) $(ARGS); done

bench-overhead: setup  ## what watching costs a training step, beside peers where they are installed (ARGS=--quick)
	$(or $(wildcard $(PEERS)/bin/python),$(PY)) -m benchmarks.overhead $(ARGS)

bench-peers: setup  ## wandb, TensorBoard and trainscope for bench-overhead, in an environment beside .venv
	$(PY) -m venv $(PEERS)
	@echo "import site; site.addsitedir('$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
	  > $$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/trainvitals.pth
	$(PEERS)/bin/pip install -q -c requirements/dev.lock -r requirements/peers.txt

format: setup  ## format, and mend what the linter can mend
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock:  ## write requirements/dev.lock anew from .venv
	@{ head -1 requirements/dev.lock; .venv/bin/pip freeze --exclude-editable | \
	  grep -Ev '^(torch==|triton|nvidia-[^m]|#|-e)|trainvitals|@ '; } > requirements/dev.lock.new
	@mv requirements/dev.lock.new requirements/dev.lock

clean:  ## all that can be made again, but the virtual environment
	rm -rf build dist artefacts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
