"""The summary's contract with machines, its curves and the targets it shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.files import load_artifact, save_artifact
from pipeline.core.words import duration, p_clause, p_text, percent, points, quoted, score
from pipeline.records.attribution import TargetAttribution
from pipeline.records.report import Report
from pipeline.records.training import EpochRecord
from pipeline.report.cards.index import Card, make_card
from pipeline.report.guesses import Guess
from pipeline.report.page.pictures import Pictures
from pipeline.report.page.test_images import MethodOutcomes, choose_images, choose_targets, describe_images
from pipeline.verdict.learning import summarize_curves
from tests.fixtures.report import (
    BEFORE,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    replant,
)

CONTRACT = {
    "dataset": {"name", "classes", "attributes", "n", "groups", "source_info"},
    "color": {"findings", "color_only"},
    "provenance": {"params_hash", "versions", "seeds", "created"},
}


def test_keys_that_machines_rely_on() -> None:
    summary = json.loads(build_report(photo_birds()).model_dump_json())
    assert summary["schema_version"] == 5
    for part, keys in CONTRACT.items():
        assert keys <= set(summary[part])
    assert set(summary["dataset"]["n"]) == {"train", "val", "test"}
    assert {"name", "label", "attribute", "n_train", "n_val", "n_test"} <= set(
        summary["dataset"]["groups"][0]
    )
    assert {"source", "licence", "checksums"} <= set(summary["dataset"]["source_info"])
    assert {"balanced_accuracy", "kappa", "low", "high", "p_value"} <= set(summary["color"]["color_only"])
    method = summary["methods"]["erm"]
    assert {"labels_used", "seeds", "test"} <= set(method)
    for name in ("average", "adjusted_average", "worst_group"):
        assert {"value", "low", "high", "n"} <= set(method["test"][name])
    assert {"index", "name", "value", "low", "high", "n"} <= set(method["test"]["groups"][0])
    attribution = summary["attribution"]["erm"]
    assert {"engine", "n_models", "proj_dim", "n_train", "n_targets", "seconds", "groups"} <= set(attribution)
    assert set(attribution["groups"][0]) == {
        "train_index", "test_index", "train_group", "test_group", "value", "low", "high", "n_train", "n_test",
    }  # fmt: skip
    cam = summary["gradcam"]["erm"]
    assert cam["layer"] == "stages.0"
    assert cam["blank_rate"] == 0
    assert 0 < cam["energy_in_mask"]["value"] < 1
    assert [r["rung"] for r in summary["verdict"]["rungs"]] == [
        "available",
        "used",
        "harmful",
        "caused_by",
        "fixed_by",
    ]
    assert all({"rung", "status", "evidence"} <= set(r) for r in summary["verdict"]["rungs"])


def test_energy_is_null_without_masks() -> None:
    assert build_report(plain_hundred()).gradcam["erm"].energy_in_mask is None


@pytest.mark.parametrize("make", [photo_birds, plain_hundred, hostile_birds, bare])
def test_written_and_read_again_it_is_the_same(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    summary = build_report(make())
    save_artifact(tmp_path / "report.json", summary)
    assert load_artifact(tmp_path / "report.json", Report) == summary
    card = make_card(summary, Pictures())
    save_artifact(tmp_path / "card.json", card)
    assert load_artifact(tmp_path / "card.json", Card) == card


def test_curves_equal_a_plain_loop() -> None:
    records = [
        EpochRecord(
            seed=s,
            epoch=e,
            train_loss=1.0,
            train_accuracy=[None],
            val_accuracy=[0.1 * e + 0.01 * s, None if e == 1 else 0.5],
            val_average=0.2 * e + 0.02 * s,
            val_worst=None,
            seconds=1.0,
        )
        for s in range(3)
        for e in (1, 2)
    ]
    curves = summarize_curves(records, ["a", "b"])
    assert curves is not None
    assert curves.epochs == [1, 2]
    assert (curves.n_epochs, curves.n_seeds) == (2, 3)
    for position, epoch in enumerate(curves.epochs):
        values = [r.val_average for r in records if r.epoch == epoch]
        assert curves.average.mean[position] == pytest.approx(sum(values) / 3)
        assert curves.average.low[position] == pytest.approx(min(values))
        assert curves.average.high[position] == pytest.approx(max(values))
    assert curves.groups[1].mean == [None, 0.5]
    assert summarize_curves([], ["a"]) is None


def test_long_training_keeps_first_and_last_epoch() -> None:
    record = photo_birds().histories["erm"].epochs[0]
    records = [record.model_copy(update={"epoch": e}) for e in range(1000)]
    curves = summarize_curves(records, ["a", "b", "c", "d"])
    assert curves is not None
    assert len(curves.epochs) == 150
    assert curves.n_epochs == 1000
    assert (curves.epochs[0], curves.epochs[-1]) == (0, 999)


def target(image: int, group: int, share: float) -> TargetAttribution:
    return TargetAttribution(
        id=image, label=0, group=group, predicted=0, correct_share=share, helpful=[], harmful=[]
    )


def test_targets_shown_start_with_failures_of_the_worst_group() -> None:
    targets = [target(10 * g + i, g, i / 4) for g in range(4) for i in range(5)]
    chosen = choose_targets(targets, worst=2, n_shown=6)
    assert [t.id for t in chosen] == [20, 21, 22, 0, 10, 30]
    assert [t.id for t in choose_targets(targets[:5], worst=0, n_shown=4)] == [0, 1, 2, 3]
    assert len(choose_targets(targets, worst=None, n_shown=100)) == len(targets)
    assert choose_targets([], worst=0, n_shown=3) == []


def test_kappa_interval_on_the_scale_of_accuracy() -> None:
    found = photo_birds().color.color_only  # of two classes
    estimate = Guess("color, linear", found).accuracy
    assert (estimate.low, estimate.high) == pytest.approx((0.5 + found.low / 2, 0.5 + found.high / 2))
    assert estimate.value == found.balanced_accuracy


def test_how_numbers_are_written() -> None:
    assert percent(0.62349) == "62.3%"
    assert percent(float("nan")) == percent(None) == "–"
    assert [points(v) for v in (0.0412, -0.0412, -0.0001, 0.0)] == ["+4.1", "−4.1", "0.0", "0.0"]
    assert [p_text(p) for p in (0.0004, 0.001, 0.0123, 0.5)] == [
        "p < 0.001",
        "p = 0.001",
        "p = 0.012",
        "p = 0.50",
    ]
    assert [p_text(None), p_clause(None), p_clause(0.5)] == ["–", "", ", p = 0.50"]
    assert [score(v) for v in (-0.01234, 0.5, 0.0)] == ["−0.0123", "+0.5", "0"]
    assert [duration(s) for s in (4.23, 200, 7500)] == ["4.2 s", "3 min 20 s", "2 h 05 min"]
    assert quoted("a\nb  c") == "“a b c”"
    assert quoted("طائر").startswith("“\u2068")


def test_a_recommended_model_is_named_with_the_groups_that_it_serves_worse() -> None:
    inputs = replant(photo_birds(), test=[2000] * 4, erm=BEFORE, group_dro=[0.905, 0.90, 0.90, 0.95])
    loss, _, _, even = inputs.comparisons[0].groups
    verdict = build_report(inputs).verdict
    step = verdict.next_steps[0]
    assert step.action == "Use the Group DRO model instead of ERM."
    interval = f"[{points(-loss.gain.high)}, {points(-loss.gain.low)}]"
    assert f"takes 8.0 points {interval} from “{loss.name}”" in step.because
    assert even.name not in step.because
    assert [fall.index for fall in verdict.recommendation.falls] == [0]


def test_methods_take_turns_in_choosing_images_and_none_is_shown_twice() -> None:
    attributions = photo_birds().attributions
    chosen = choose_images(attributions, {"erm": 2, "group_dro": 1}, 6)
    first, second = (choose_targets(attributions[m].targets, g, 6) for m, g in (("erm", 2), ("group_dro", 1)))
    assert [t.id for t in chosen[:4]] == [first[0].id, second[0].id, first[1].id, second[1].id]
    assert len({t.id for t in chosen}) == len(chosen) == 6
    assert choose_images({}, {}, 6) == []


def test_what_methods_say_of_an_image_is_counted_over_seeds() -> None:
    ids, predicted = np.array([7, 8, 9]), np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0]])
    outcomes = {
        "erm": MethodOutcomes(ids, predicted, {8: 1}),
        "dfr": MethodOutcomes(np.array([9]), np.array([[1]])),
    }
    (image,) = describe_images([target(8, 2, 1 / 3)], outcomes)
    assert set(image.methods) == {"erm"}, "the other one did not see it"
    found = image.methods["erm"]
    assert (found.predicted, found.n_seeds, found.map_class) == (1, 3, 1)
    assert found.correct_share == pytest.approx(1 / 3), "label 0"
