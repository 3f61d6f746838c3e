"""The examples in the docstrings of statistics/ run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import pipeline.statistics

MODULES = [
    module.name
    for module in pkgutil.walk_packages(pipeline.statistics.__path__, "pipeline.statistics.")
    if not module.ispkg
]
SHOWN = {
    "intervals",
    "means",
    "multiplicity",
    "picked",
    "sampling",
    "sources",
    "accuracy.balanced",
    "accuracy.groups",
    "accuracy.optimism",
    "accuracy.selection",
    "accuracy.worst_group",
    "comparison.compare",
    "comparison.paired",
    "cues.association",
    "cues.separation",
    "retrained.group_check",
    "retrained.label_errors",
    "retrained.lds",
    "retrained.subsets",
}


def test_what_people_call_is_shown() -> None:
    shown = {
        name for name in MODULES if ">>> " in Path(str(importlib.import_module(name).__file__)).read_text()
    }
    assert {f"pipeline.statistics.{name}" for name in SHOWN} <= shown


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
