"""One thread per test process: workers do not fight over cores, and training gives the same numbers."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere

LONGEST_FIRST = ("tests/pipeline/", "tests/unit/stages/", "tests/unit/methods/", "tests/unit/parallel/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST_FIRST))
