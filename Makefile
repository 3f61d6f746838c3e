# `make demo`: install and run the pipeline on the embedded demo. `make test`: install and run every check.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check format install sample benchmarks clean

demo: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@echo "open reports/photo_digits.html"

# One command for everything that must hold: format, lint, types, layers, tests.
test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadfile

check: test

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11, 4) and 'Python 3.11.4 or newer is needed (it can extract archives safely); this is %s. Name one: make PYTHON=python3.12 ...' % sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

sample: $(STAMP)
	$(BIN)/python docs/sample/refresh.py

# Those that need no argument; the others say in their first lines what they are given.
benchmarks: $(STAMP)
	for script in $$(grep -L 'add_argument("[a-z]' benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) .scratch
