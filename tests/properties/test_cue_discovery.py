"""`benchmarks.cue_discovery` around the detector: the road to it, what is counted, which data there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from benchmarks.cue_discovery.__main__ import describe_base
from benchmarks.cue_discovery.bases import MissingBaseError, load_base
from benchmarks.cue_discovery.chance import draw_labels
from benchmarks.cue_discovery.examine import Finding, examine
from benchmarks.cue_discovery.expected import DESCRIPTIONS
from benchmarks.cue_discovery.planted import KINDS, plant
from benchmarks.cue_discovery.tables import null_table, planted_table
from benchmarks.cue_discovery.tasks import Outcome, Planted, null_tasks, planted_tasks, run_task
from pipeline.core.types import PackedSplit
from tests.fixtures.planted_files import N, photographs


def name_bytes(train: PackedSplit, test: PackedSplit, facts: pd.DataFrame, info: Any) -> list[Finding]:
    """A stand-in for the detector, which reads the file's length and nothing else."""
    assert [len(train), info.n["val"], len(test)] == [round(N * share) for share in (0.6, 0.15, 0.25)]
    assert train.images.shape[1:] == (64, 64, 3)
    assert list(facts["id"]) == list(range(N))
    length = facts["bytes"].to_numpy()[train.ids]
    kappa = cohen_kappa_score(train.labels, length > np.median(length))
    return [Finding("file's length", "bytes", abs(kappa) > 0.3, abs(kappa))]


def test_what_is_planted_goes_the_users_road(tmp_path: Path) -> None:
    images = photographs()
    plant(images, draw_labels(N, (0.5, 0.5), 0), "size", 0.9, 0, tmp_path)
    (finding,) = examine(tmp_path, name_bytes)
    assert finding.found
    assert finding.kappa == pytest.approx(0.9, abs=0.1)
    outcome = run_task(images, Planted("corner", 0.9, 2, 0), name_bytes)
    assert outcome.named == [], "BMP of one size are equally long"


def test_tables_count_what_was_named() -> None:
    right, wrong = (Finding(family, family, True, 0.5) for family in ("size", "light"))
    planted = [Planted("size", 0.9, 2, seed) for seed in range(4)]
    named = [[right], [wrong, right], [wrong], []]
    outcomes = [Outcome(task, each) for task, each in zip(planted, named, strict=True)]
    table = planted_table(outcomes, {"size": frozenset({"size"})})
    assert "| kappa 0.9 |" in table
    assert "| found 50 % [15, 85], first 33 % [6, 79] |" in table
    assert "any 75 % [30, 95]" in planted_table(outcomes, {})
    nulls = [Outcome(task, [wrong] if i == 1 else []) for i, task in enumerate(null_tasks(8))]
    rows = null_table(nulls).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["2"] * 4
    assert rows[0].endswith("| 0 % [0, 66] | none |")
    assert rows[1].endswith("| 50 % [9, 91] | light (1) |")
    assert describe_base("digits", nulls, {}).count("\n\n") == 1


def test_tasks_are_every_combination_that_a_cue_has_values_for() -> None:
    tasks = planted_tasks(["size", "blur"], [0.1, 0.9], [2, 10], 3)
    assert [(task.kind, task.n_classes) for task in tasks[::6]] == [("size", 2), ("size", 10), ("blur", 2)]
    assert len(set(tasks)) == len(tasks) == 18
    assert set(DESCRIPTIONS) == set(KINDS)


def test_a_base_has_images_that_differ_and_one_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = load_base("digits", n=30)
    assert len({image.tobytes() for image in images}) == 30
    monkeypatch.delenv("PIPELINE_REAL_DATA", raising=False)
    with pytest.raises(MissingBaseError, match="PIPELINE_REAL_DATA, which is not set"):
        load_base("cifar100")
    monkeypatch.setenv("PIPELINE_REAL_DATA", str(tmp_path))
    with pytest.raises(MissingBaseError, match="no folder tiny-imagenet-200 in"):
        load_base("tiny_imagenet")
