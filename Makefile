# Two entry points: `make demo` and `make test`. Both set up .venv in this checkout first;
# what is set up already is not set up again until pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
comma := ,
PICTURES := build/demo
# Compiles the kernels once; they are cached beside the sources, and loaded in a second afterwards.
WARM := @$(BIN)/python -c "from cpsched.solving import prepare; prepare(lambda: print('== compiling kernels (once)', flush=True))"
WARM_ALL := @echo "== compiling kernels (half a minute, once)"; $(BIN)/python -c "from cpsched.kernels import compile_all; compile_all()"
export MPLBACKEND := Agg

.PHONY: demo test
.DEFAULT_GOAL := demo
.DELETE_ON_ERROR:

demo: .venv/plot.stamp
	$(WARM)
	@mkdir -p $(PICTURES)
	@echo "== job shop: ft10, 10 jobs x 10 machines, at most 30 s"
	$(BIN)/cpsched solve ft10 --time-limit 30 --plot $(PICTURES)/ft10.png
	@echo "== pods: 16 nodes, 64 pods of which the default scheduler leaves 11 pending, at most 10 s"
	@$(BIN)/cpsched generate pods --seed 484806185843093489 --output $(PICTURES)/pods.jsonl
	$(BIN)/cpsched solve $(PICTURES)/pods.jsonl --time-limit 10
	@echo "== VMs: 280 PMs, at most 50 migrations"
	@$(BIN)/cpsched generate vms --pms 280 --seed 3 --output $(PICTURES)/vms.json
	$(BIN)/cpsched solve $(PICTURES)/vms.json --max-moves 50 --time-limit 10

test: .venv/dev.stamp
	$(WARM_ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

.venv/bin/python:
	$(PYTHON) -m venv .venv

# $(1): extras. Without build isolation the build tool is the pinned one, too.
define install
@echo "== installing cpsched[$(1)] into .venv (a minute or two, once)"
@$(PIP) install -c constraints.txt setuptools
@$(PIP) install -c constraints.txt --no-build-isolation -e ".[$(1)]"
endef

.venv/plot.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(call install,plot)
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(call install,plot$(comma)rl$(comma)kubernetes$(comma)ray$(comma)dev)
	@touch .venv/plot.stamp $@
