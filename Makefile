# Each target makes .venv when it is needed; nothing has to be installed by hand but Python 3.10+.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check format bench clean

# Train on synthetic shapes (minutes on a CPU), measure, draw pictures.
demo: .venv/installed
	$(BIN)/python run.py experiment=quickstart
	$(BIN)/python run.py experiment=quickstart task=eval checkpoint=auto
	$(BIN)/python run.py experiment=quickstart task=predict checkpoint=auto source=data/shapes/val
	@echo "Next, for the commands of README.md: source .venv/bin/activate"

# Everything. ONNX Runtime, OpenVINO and browsers have processes of their own: workers that had loaded them died in later tests.
RUNTIMES := tests/export tests/inference tests/serving
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
test: .venv/installed
	$(PYTEST) $(RUNTIMES:%=--ignore=%)
	$(PYTEST) $(RUNTIMES)

# Lint, types and the fast tests.
check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(PYTEST) -m "not slow" -q $(RUNTIMES:%=--ignore=%)
	$(PYTEST) -m "not slow" -q $(RUNTIMES)

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every benchmark, up to 15 minutes: leave the machine alone meanwhile. Rewrites benchmarks/RESULTS.md.
bench: .venv/installed
	$(BIN)/python benchmarks/run_all.py

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info runtime/build runtime/*.egg-info .pytest_cache .ruff_cache .hypothesis
