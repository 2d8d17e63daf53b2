# What you can do here; `make` alone lists it. Set-up happens by itself.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

PURE := tests/unit tests/property tests/golden
REAL := tests/guides tests/page tests/nib tests/predictor tests/switch \
  tests/acceptance tests/fabric tests/prewarm tests/chaos tests/soak

# Tests that run beside each other: every worker on a machine of its own.
BESIDE := -m 'not alone' $(REAL)
WORKERS := 3
OWN_MACHINES := -p no:rerunfailures --dist loadfile \
  --tx '$(WORKERS)*popen//python=tests/own_machine.sh $(BIN)/python'

# With this set, a test that cannot run (no root, no Open vSwitch) fails instead of being skipped.
ON_SWITCHES := PREWIRE_REQUIRE_SWITCH_TESTS=1

.PHONY: help setup system peers venv ryu check fuzz lint nib switch acceptance test demo format site docs bench chaos soak clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## everything: packages (root), .venv, and .venv-ryu for classic Ryu
	@scripts/setup.sh system peers venv ryu

system: ## Debian or Ubuntu packages, as root
	@scripts/setup.sh system

peers: ## packages of what prewire is compared with, as root
	@scripts/setup.sh peers

venv: ## .venv with prewire and its tools
	@scripts/setup.sh venv

ryu: ## .venv-ryu with classic Ryu 4.34
	@scripts/setup.sh ryu

lint: venv ## format, lint, types, layers
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >.setup/layers.log 2>&1 || { cat .setup/layers.log; exit 1; }

check: lint ## lint and the tests that need no root and no switch
	@$(PYTEST) -n auto $(PURE)

fuzz: venv ## the property tests with many new examples, then atheris on every parser
	@$(PYTEST) -n auto --hypothesis-profile=fuzz tests/property
	@$(BIN)/python -m tests.fuzz

nib: venv ## tests of the state database on a real ovsdb-server
	@$(PYTEST) tests/nib

switch: system venv ## tests on real switches (root)
	@$(ON_SWITCHES) $(PYTEST) tests/nib tests/predictor tests/switch

acceptance: setup ## the whole system on Mininet, the guides and the web page (root)
	@$(ON_SWITCHES) $(PYTEST) tests/guides tests/page tests/acceptance tests/fabric tests/prewarm

test: setup check ## set-up, lint and every test (root); each part ends with its count
	@$(ON_SWITCHES) $(PYTEST) $(OWN_MACHINES) $(BESIDE) || { \
	  echo 'What failed beside another test, once more with nothing beside it:'; \
	  $(ON_SWITCHES) $(PYTEST) --last-failed --last-failed-no-failures none $(BESIDE); }
	@$(ON_SWITCHES) $(PYTEST) -m alone $(REAL)

demo: system venv ## the whole system, shown (root)
	@$(BIN)/prewire demo

format: venv ## format the code and repair what lint can
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

site: venv ## the documentation as a site, in build/site
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

docs: venv ## write the generated pages
	@$(BIN)/python -m prewire.docs

bench: system peers venv ## measure beside OVN, HAProxy and nginx (root); into build/bench
	@$(BIN)/python -m benchmarks --to build/bench

chaos: system peers venv ## 20 minutes of faults under traffic (root)
	@$(BIN)/python -m tests.chaos

soak: system venv ## an hour of churn and traffic: nothing may grow (root)
	@$(BIN)/python -m tests.soak

clean: ## remove what set-up and tools made
	@rm -rf .venv .venv-ryu .setup build dist ./*.egg-info .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
