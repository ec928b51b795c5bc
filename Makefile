# Plain venv and pip; uv is used where it is installed, because it is faster.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
comma := ,
SECONDS ?= 300
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-long test-faults chaos check fix bench bench-compare bench-honesty bench-search bench-service docs lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

define install
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing stratopt into $(VENV) (once)"
	@if [ -n "$(UV)" ]; then $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock -e '$(1)'; \
	 else $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock -e '$(1)'; fi
endef

$(VENV)/.runtime: pyproject.toml requirements.lock
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock
	$(call install,.[dev])
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime  ## See everything at work: server, batch over HTTP, ranking, report
	@$(BIN)/stratopt demo

serve: $(VENV)/.runtime  ## Run the HTTP service on 127.0.0.1:8000
	@$(BIN)/stratopt serve

test: $(VENV)/.dev  ## Run all tests; the last line counts them
	@$(BIN)/python tools/run_tests.py

test-long: $(VENV)/.dev  ## Run the exhaustive tests too
	@$(BIN)/python tools/run_tests.py --long

bench-honesty: $(VENV)/.dev  ## Does the verdict keep its promise? Worthless and planted markets, 30 minutes at most
	cd benchmarks && ../$(BIN)/python honesty.py --seeds 200 --minutes 30

check: $(VENV)/.dev  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: $(VENV)/.dev  ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-search: $(VENV)/.dev  ## Measure the search engines: cost of a suggestion, memory, time to the optimum (JSON)
	@$(BIN)/python benchmarks/search_speed.py

$(VENV)/.bench: pyproject.toml requirements.lock $(VENV)/.dev
	$(call install,.[dev$(comma)bench])
	@touch $@

bench: $(VENV)/.bench  ## Measure speed beside every peer in one run: benchmarks/results/speed.json and speed.md
	@$(BIN)/python benchmarks/speed.py

bench-compare: $(VENV)/.dev  ## Fail when a ratio to a peer is more than 15 % worse than the committed baseline
	@$(BIN)/python benchmarks/compare.py

$(VENV)/.docs: pyproject.toml requirements.lock $(VENV)/.dev
	$(call install,.[dev$(comma)docs])
	@touch $@

docs: $(VENV)/.docs  ## Build the documentation into docs/_build/html
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench-service: $(VENV)/.dev  ## Measure the service under load: benchmarks/results/service.json
	@$(BIN)/python benchmarks/service.py --json benchmarks/results/service.json

lock: $(VENV)/.dev  ## Write the versions that are installed now as the lock file
	@$(BIN)/python tools/write_lock.py

clean:  ## Remove what was built
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache demo-output artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

test-faults: $(VENV)/.dev  ## Kill servers and workers in every way and check what must hold
	@$(BIN)/python -m pytest tests/faults -m faults -q --timeout 300

chaos: $(VENV)/.dev  ## Random faults for SECONDS=300 with SEED=n
	@$(BIN)/python tools/chaos.py --seconds $(SECONDS) --seed $(SEED)
