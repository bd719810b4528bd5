# Needs Python 3.11 to 3.13 and make. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
PIP := $(BIN)/python -m pip install --quiet --constraint $(LOCK)

.PHONY: install install-dev lock chat test eval faults scale training audit screenshots format clean

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev
chat: install
	$(BIN)/qa index
	$(BIN)/qa-chat
test: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest
eval: install-dev
	$(BIN)/qa-eval run --exams --baseline eval/baseline.json --json .eval/record.json --html .eval/report.html
faults: install-dev
	$(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile=slow
audit: install-dev
	$(BIN)/python -m tests.licences
# make scale SCALE="--recorded 1000000 --plain DIR": one more size, and plain LlamaIndex with Chroma beside it.
scale: install-dev
	$(BIN)/qa-eval scale $(SCALE) --json .eval/scale.json
	$(BIN)/qa-eval load --json .eval/load.json
# The tests of training, which need the extra `train`.
training: install-dev
	$(PIP) --editable '.[dev,train]'
	$(BIN)/python -m pytest tests/test_reader_training.py tests/test_training_run.py
# The versions that are installed, for each Python and system that is supported. What the lock holds is kept where pyproject.toml
# allows it; make lock RENEW=--upgrade takes the newest. uv stands in an environment of its own, so that a lock that cannot be
# installed can be mended; of pip's configuration it is told the index.
lock: $(VENV)/lock/bin/uv
	UV_DEFAULT_INDEX="$$($(VENV)/lock/bin/python -m pip config list | sed -nE "s/^(global|user|site|:env:)\.index-url='(.*)'$$/\2/p" | tail -1)" \
		$< pip compile --quiet --universal --python-version 3.11 --extra dev --extra mcp --extra report --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" $(RENEW) pyproject.toml --output-file $(LOCK)
screenshots: install-dev
	$(BIN)/python -m ui.screenshots.make
format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13), "Python 3.11 to 3.13 is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)
$(VENV)/.installed: $(BIN)/python pyproject.toml $(LOCK)
	$(PIP) --editable .
	touch $@
$(VENV)/.installed-dev: $(BIN)/python pyproject.toml $(LOCK)
	$(PIP) --editable '.[dev,mcp]'
	touch $@ $(VENV)/.installed
$(VENV)/lock/bin/uv:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet 'uv>=0.9'
