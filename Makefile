# `make demo`: install and run the pipeline on the embedded demo. `make test`: install and run every check.
# `make quick`: the checks that take about a minute.
# PYTHON=python3.12 names the interpreter; without it the first one that fits is taken
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
# two processes that take whole files, in the order of tests/conftest.py
TWO := -n 2 --dist loadfile --no-loadscope-reorder
QUICK := -m "not slow" tests/unit tests/test_*.py
STAMP := $(VENV)/.installed

.PHONY: demo test quick coverage lint check format install shipped sample benchmarks clean

demo: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@echo "open reports/photo_digits.html"

# What both `test` and `quick` begin with, and what .pre-commit-config.yaml runs before a commit.
lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One command for everything that must hold: format, lint, types, layers, tests.
test: lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(TWO)

# The same without the tests that take longest: about a minute of tests, for use while writing.
quick: lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(TWO) $(QUICK)

# Of the quick tests alone: counting lines takes a third longer, which all tests cannot afford.
coverage: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(TWO) $(QUICK) --cov --cov-report=
	@echo "the quick tests run $$($(BIN)/coverage report --format=total) % of the lines; $(BIN)/coverage report lists them"

check: test

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	python=$$(.ci/find_python.sh $(PYTHON)) && "$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# What the package carries for projects elsewhere: copies of what lies at the top, which are the ones to edit.
shipped:
	cp dvc.yaml pipeline/project/files/stages.yaml
	cp .dvcignore pipeline/project/files/dvcignore
	cp params.yaml .dvc/plots/method_curves.json .dvc/plots/method_groups.json .dvc/plots_page.html pipeline/project/files/

sample: $(STAMP)
	$(BIN)/python docs/sample/refresh.py

# Those that need no argument; the others say in their first lines what they are given.
benchmarks: $(STAMP)
	for script in $$(grep -L 'add_argument("[a-z]' benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) .scratch
