# Needs Python 3.11 to 3.13 and make. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install install-dev chat test eval faults scale audit screenshots format clean

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
$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@
$(VENV)/.installed-dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed
