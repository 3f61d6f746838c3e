"""Every indicator is one file, and says what it is in words that people read."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline.indicators as room
from pipeline.indicators.indicator import ImageIndicator
from pipeline.indicators.registry import MODULES, find_indicator
from pipeline.statistics.generalization.named import find_statistic, name_of


@pytest.mark.parametrize("name", MODULES)
def test_an_indicator_has_its_files_name_words_and_a_statistic_that_records_can_name(name: str) -> None:
    found = find_indicator(name)
    assert found.name == name
    words = found.words
    assert words.title[0].islower() or words.title.split()[0].isupper() or words.title.startswith("Brier")
    assert words.sees.endswith(".")
    assert words.source
    assert found.least < found.most
    if isinstance(found, ImageIndicator):
        assert find_statistic(name_of(found.statistic)) is found.statistic


def test_no_file_with_an_indicator_is_forgotten() -> None:
    folder = Path(str(room.__file__)).parent
    having = {path.stem for path in folder.glob("*.py") if "\nINDICATOR = " in path.read_text()}
    assert having == set(MODULES)
