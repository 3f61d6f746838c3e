"""One thread per test process: workers do not fight over cores, and training gives the same numbers."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest

from tests.fixtures.shared import FOLDER

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere

# else each of the processes that tests start compiles the package anew, a second of its time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if FOLDER not in os.environ:  # the first process is the last to end
    _shared = tempfile.TemporaryDirectory(prefix="shared-by-tests-")
    os.environ[FOLDER] = _shared.name

LONGEST_FIRST = (  # by measurement: the files that take longest, then what is left of their folders
    "tests/unit/methods/test_methods.py",
    "tests/pipeline/test_whole_road.py",
    "tests/browser/test_report_accessibility.py",
    "tests/browser/",
    "tests/pipeline/",
    "tests/unit/stages/",
    "tests/unit/methods/",
    "tests/unit/parallel/",
    "tests/oracle/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no process is left alone with one at the end."""

    def place(item: pytest.Item) -> int:
        fits = (i for i, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(name))
        return next(fits, len(LONGEST_FIRST))

    items.sort(key=place)
