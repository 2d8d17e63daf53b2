# What you can do here; `make` alone lists it. Set-up happens by itself.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

# Tests that have a machine of their own, so to say, and run side by side; and those on the one
# Mininet, or with traffic that is measured.
PURE := tests/unit tests/property tests/golden
APART := tests/nib tests/switch --ignore-glob='*/test_topologies*' --ignore-glob='*/test_dpdk*'
ON_MININET := $(wildcard tests/switch/test_topologies*.py tests/switch/test_dpdk*.py) \
  tests/acceptance tests/fabric

# With this set, a test that cannot run (no root, no Open vSwitch) fails instead of being skipped.
ON_SWITCHES := PREWIRE_REQUIRE_SWITCH_TESTS=1

.PHONY: help setup system venv ryu check fuzz lint nib switch acceptance test demo format docs bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## everything: packages (root), .venv, and .venv-ryu for classic Ryu
	@scripts/setup.sh system venv ryu

system: ## Debian or Ubuntu packages, as root
	@scripts/setup.sh system

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

fuzz: venv ## the property tests with many new examples
	@$(PYTEST) -n auto --hypothesis-profile=fuzz tests/property

nib: venv ## tests of the state database on a real ovsdb-server
	@$(PYTEST) tests/nib

switch: system venv ## tests on real switches (root)
	@$(ON_SWITCHES) $(PYTEST) tests/nib tests/switch

acceptance: setup ## the whole system on Mininet (root)
	@$(ON_SWITCHES) $(PYTEST) tests/acceptance tests/fabric

test: setup check ## set-up, lint and every test (root); each part ends with its count
	@$(ON_SWITCHES) $(PYTEST) -n 2 --dist loadfile $(APART)
	@$(ON_SWITCHES) $(PYTEST) $(ON_MININET)

demo: system venv ## the whole system, shown (root)
	@$(BIN)/prewire demo

format: venv ## format the code and repair what lint can
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

docs: venv ## write the generated pages
	@$(BIN)/python -m prewire.docs

bench: system venv ## measure (root)
	@$(BIN)/python -m benchmarks

clean: ## remove what set-up and tools made
	@rm -rf .venv .venv-ryu .setup build dist ./*.egg-info .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
