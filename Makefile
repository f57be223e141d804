# make run    the whole study: simulate, ingest, train, report     RUNS=64
# make test   every check
# make soak   faults without end, and their table: about an hour
# make bench  the measured figures of the README

RUNS ?= 64

# Celery refuses to run as root unless told so, because whoever reaches its broker can run code. Ours is a socket in
# a folder that only this user may enter.
ifeq ($(shell id -u),0)
export C_FORCE_ROOT = 1
endif

.PHONY: run test soak bench format clean env

run: env
	.venv/bin/sim2seq run ball_bounce_suite_merlin_lstm.yaml --pgen pgen_ensembles.py --runs $(RUNS)

test: env
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile

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
