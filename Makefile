# make demo   train on the embedded molecules, predict new ones, draw which atoms mattered
# make test   the whole suite
# make lint   format, lint, types
# Each sets up what it needs in .venv first; PYTHON=python3.12 chooses the interpreter that makes it.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo test lint clean

demo: $(STAMP)
	rm -rf build/demo
	$(BIN)/graphattn train bbb --out build/demo/model
	$(BIN)/graphattn predict build/demo/model examples/new_molecules.csv --out build/demo/predictions.csv
	$(BIN)/graphattn explain build/demo/model 'CN1C=NC2=C1C(=O)N(C(=O)N2C)C caffeine' 'NC(Cc1ccc(O)c(O)c1)C(=O)O levodopa' --out build/demo/atoms
	@echo "Model: build/demo/model   predictions: build/demo/predictions.csv   drawings: build/demo/atoms"

test: $(STAMP)
	$(BIN)/pytest -n auto --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright --pythonpath $(BIN)/python

# A stamp, not the folder: a second run is instant, an interrupted install is taken up again.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "graphattn needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)."; \
		echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check $(if $(CI),--quiet) -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
