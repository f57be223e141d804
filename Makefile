# make run             the whole study: simulate, ingest, train, report     RUNS=64     STUDY=dodging_robot
# make test            ruff, mypy, then every test that needs neither a server nor half a minute
# make test-services   whole studies through Merlin; real brokers, databases, Slurm and other users; faults; the wheel
# make soak            faults without end, and their table: an hour and a half
# make bench           speed and accuracy; the other figures of docs/measured.md name their commands
# make lock            renew requirements.lock from the ranges     PACKAGE=numpy: this one alone
# make format          ruff's repairs and layout
# make clean           away with the environment and everything else that can be built again
#
# Each builds or extends .venv first where it has to (setup.sh). A study's own packages are an extra of its name.

ifdef STUDY
SPEC = studies/$(STUDY)/suite.yaml
PGEN = $(shell grep -ls "^def get_custom_generator" studies/$(STUDY)/pgen_ensembles.py)
EXTRA = $(shell sed -n 's/^\($(STUDY)\) = \[.*/\1/p' pyproject.toml)
else
SPEC = ball_bounce_suite_merlin_lstm.yaml
PGEN = pgen_ensembles.py
RUNS ?= 64
endif

# one more than cores, since some tests wait for others' processes
PYTEST = .venv/bin/python -m pytest -n $(shell echo $$(($$(nproc) + 1))) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Celery refuses to run as root unless told so, because whoever reaches its broker can run code. Ours is a socket in
# a folder that only this user may enter.
ifeq ($(shell id -u),0)
export C_FORCE_ROOT = 1
endif

.PHONY: run known test test-services soak bench lock format clean

run: known
	@./setup.sh $(EXTRA)
	.venv/bin/sim2seq run "$(SPEC)" $(if $(PGEN),--pgen "$(PGEN)") $(if $(RUNS),--runs $(RUNS))

known:  # before the environment is built
	@$(if $(wildcard $(SPEC)),:,$(error STUDY=$(STUDY): expected one of: $(patsubst studies/%/suite.yaml,%,$(wildcard studies/*/suite.yaml))))

test:
	@./setup.sh test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PYTEST) --ignore tests/services

test-services:
	@./setup.sh test
	$(PYTEST) tests/services

soak:
	@./setup.sh test
	@./setup.sh fuzz || echo "no atheris here: fuzzing goes without coverage"
	.venv/bin/python benchmarks/fuzz.py --json fuzz.json
	.venv/bin/python benchmarks/soak.py --json soak.json

bench:
	@./setup.sh
	.venv/bin/python benchmarks/pipeline.py
	.venv/bin/python benchmarks/scale.py
	.venv/bin/python benchmarks/stream.py
	.venv/bin/python benchmarks/training.py
	.venv/bin/python benchmarks/accuracy.py

lock:
	@test -x .venv/bin/uv || ./setup.sh || test -x .venv/bin/uv
	.venv/bin/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 \
	    --fork-strategy fewest $(if $(PACKAGE),--upgrade-package $(PACKAGE),--upgrade) \
	    --no-annotate --custom-compile-command "make lock" --output-file requirements.lock

format:
	@./setup.sh test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .services .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist *.egg-info soak.json fuzz.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
