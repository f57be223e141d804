# make run    the whole study: simulate, ingest, train, report     RUNS=64     STUDY=dodging_robot: that of studies/
# make test   every check
# make soak   faults without end, and their table: about an hour
# make bench  the measured figures of the README

ifdef STUDY
SPEC = studies/$(STUDY)/suite.yaml
PGEN = studies/$(STUDY)/pgen_ensembles.py
else
SPEC = ball_bounce_suite_merlin_lstm.yaml
PGEN = pgen_ensembles.py
RUNS ?= 64
endif

# Celery refuses to run as root unless told so, because whoever reaches its broker can run code. Ours is a socket in
# a folder that only this user may enter.
ifeq ($(shell id -u),0)
export C_FORCE_ROOT = 1
endif

.PHONY: run known test soak bench format clean env

run: known env
	.venv/bin/sim2seq run "$(SPEC)" --pgen "$(PGEN)" $(if $(RUNS),--runs $(RUNS))

known:  # before the environment is built
	@$(if $(wildcard $(SPEC)),:,$(error STUDY=$(STUDY): expected one of: $(patsubst studies/%/suite.yaml,%,$(wildcard studies/*/suite.yaml))))

test: env
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

soak: env
	.venv/bin/python -m pip install --quiet 'atheris>=3,<4' || echo "no atheris here: fuzzing goes without coverage"
	.venv/bin/python benchmarks/fuzz.py --json fuzz.json
	.venv/bin/python benchmarks/soak.py --json soak.json

bench: env
	.venv/bin/python benchmarks/pipeline.py
	.venv/bin/python benchmarks/scale.py
	.venv/bin/python benchmarks/stream.py
	.venv/bin/python benchmarks/training.py
	.venv/bin/python benchmarks/accuracy.py

format: env
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .services .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

env:
	@./setup.sh
