# One list of what can be done here; pre-commit and .ci/run call these targets too.
# Written for GNU make 3.81 (what macOS ships) and newer.

SHELL := /bin/sh
BIN := .venv/bin
STAMP := .venv/.installed
CODE := leitstand projects data_contracts infra serving monitoring flows tests benchmarks

# Without byte-code every start of the stack takes twice the time, so nobody's environment may switch it off here.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lock bench bench-packages bench-serving clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make .venv with the leitstand command in it (PYTHON=python3.12 picks the interpreter)

$(STAMP): requirements.lock pyproject.toml infra/setup/install.sh
	@sh infra/setup/install.sh
	@touch $@

demo: setup ## run one real use case from its data to a watched model
	$(BIN)/leitstand demo

test: setup ## run all tests (ARGS='-k contract' for some)
	$(BIN)/python -m pytest $(ARGS)

check: setup ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## renew requirements.lock from pyproject.toml (UPGRADE=1 takes the newest versions inside the windows)
	@UPGRADE="$(UPGRADE)" sh infra/setup/lock.sh

bench: setup ## measure speed and memory, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-packages: setup ## serve a package of each project from an environment of its own, report size and start
	$(BIN)/python -m benchmarks.packages

bench-serving: setup ## measure the service beside others (needs wrk), write benchmarks/SERVING.md
	$(BIN)/python -m benchmarks.serving

fuzz: setup ## send the service 20,000 made-up requests (CASES=1000 for fewer)
	FUZZ_CASES="$(or $(CASES),20000)" $(BIN)/python -m pytest tests/serving/test_fuzz.py $(ARGS)

soak: setup ## hours of load, overload and killed workers (ARGS='--minutes 5' for less)
	$(BIN)/python -m benchmarks.soak $(ARGS)

swap: setup ## promotions and rollbacks under load: failed requests, and how long the old model goes on (ARGS='--rounds 3' for less)
	$(BIN)/python -m benchmarks.swap $(ARGS)

clean: ## remove .venv and all caches; data and models in .leitstand stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
