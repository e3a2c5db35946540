# The commands of this project; `make help` describes them. All set-up happens by itself, on a bare Debian with Python 3.11 too.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
ENV = .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-test live test doctor bench evaluate soak

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with everything a show needs
	@$(PYTHON) tools/setup_environment.py --for live

setup-test:
	@$(PYTHON) tools/setup_environment.py --for test

live: setup ## a voice drives a face: microphone to window (ARGS="--audio demo --osc 127.0.0.1:9000")
	@$(ENV) run_live.py $(ARGS)

test: setup-test ## style, types and all tests
	@$(ENV) -m ruff check .
	@$(ENV) -m ruff format --check .
	@$(ENV) -m mypy
	@OMP_NUM_THREADS=1 $(ENV) -m pytest --numprocesses 2 --dist loadfile $(ARGS)

doctor: setup ## what is seen of this machine, what draws how fast on it, what to install for more (ARGS="--no-bench")
	@$(ENV) -m tools.doctor $(ARGS)

bench: setup ## speed of every engine and size on this machine, beside the peer
	@$(ENV) -m tools.bench_engine $(ARGS)

evaluate: setup-test ## how well it hears and how well its faces are read: MANIFEST=speech/manifest.csv NETWORKS=folder
	@$(ENV) -m tools.evaluate_emotion --manifest "$(MANIFEST)" $(ARGS)
	@$(ENV) -m tools.evaluate_expression $(if $(NETWORKS),--networks "$(NETWORKS)")

soak: setup-test ## a show of hours: does memory grow, does anything fail (ARGS="--minutes 60")
	@$(ENV) -m tools.soak $(ARGS)
