"""Progress without a terminal: every item once, a line now and then."""

from __future__ import annotations

import logging

import pytest

from pipeline.core import progress


def test_items_pass_through_and_lines_say_how_far(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        assert list(progress.track(["a", "b", "c"], "gradients")) == ["a", "b", "c"]
    assert "gradients: 2 of 3 batches (67 %)" in caplog.text


def test_quick_loops_stay_silent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        assert list(progress.track([], "gradients")) == []
        assert list(progress.track([1], "gradients")) == [1]
    assert caplog.text == ""


def test_bytes_are_shown_as_megabytes_and_may_start_part_way(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with (
        caplog.at_level(logging.INFO, logger=progress.__name__),
        progress.Progress("archive", total=4_000_000, unit="B", start=1_000_000) as bar,
    ):
        bar.update(1_000_000)
    assert "archive: 2 of 4 MB (50 %)" in caplog.text
