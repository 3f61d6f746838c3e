"""The flat numbers that `dvc metrics diff` compares."""

from __future__ import annotations

import json

import pytest

from pipeline.artifacts.tables import evaluation_metrics, metrics_json, reliance_metrics
from pipeline.records.training import EpochRecord, LastLayer
from pipeline.statistics.intervals import wilson
from pipeline.train.sweep import training_metrics
from tests.fixtures.report import photo_birds


def test_metrics_say_how_accuracy_changes_and_how_many_more_flip_than_under_the_control() -> None:
    result = photo_birds().evaluations["erm"]
    values = reliance_metrics(result)
    for change in result.interventions:
        assert values[f"{change.name}_accuracy_change"] == change.accuracy_change.value
        assert (f"{change.name}_flip_excess" in values) == (change.flip_rate_control is not None)
        if change.flip_rate_control is not None:
            excess = change.flip_rate.value - change.flip_rate_control.value
            assert values[f"{change.name}_flip_excess"] == excess
    bare = result.model_copy(
        update={"interventions": [], "foreground_sensitivity": None, "color_agreement": None}
    )
    shown = json.loads(metrics_json(reliance_metrics(bare)))
    assert shown["foreground_sensitivity"] is None
    assert shown["color_agreement_excess"] is None
    assert set(shown) < set(values)


def test_a_sweep_sees_validation_of_the_kept_epochs_only() -> None:
    inputs = photo_birds()
    history, info = inputs.histories["erm"], inputs.info
    n_groups = len(info.groups)

    def epoch(seed: int, number: int, accuracy: list[float | None]) -> EpochRecord:
        known = [a for a in accuracy if a is not None]
        return EpochRecord(
            seed=seed, epoch=number, train_loss=0.1, train_accuracy=[None] * n_groups, val_accuracy=accuracy,
            val_average=0.8, val_worst=min(known), seconds=1.0,
        )  # fmt: skip

    high = [0.9] * (n_groups - 1)
    epochs = [
        epoch(0, 0, [1.0, *high]),  # not kept
        epoch(0, 1, [0.5, *high]),
        epoch(1, 0, [0.7, *high]),
        epoch(1, 1, [0.1, *high]),  # not kept
    ]
    trained = history.model_copy(update={"epochs": epochs, "selected_epoch": {"0": 1, "1": 0}})
    values = training_metrics(trained, info, knows_groups=True, min_val=1)
    blind = training_metrics(trained, info, knows_groups=False, min_val=1)
    assert blind == {"selected_val_average": 0.8}, "groups would be used without being declared"
    assert values["selected_val_average"] == 0.8
    assert values["selected_val_worst_group"] == pytest.approx(0.6)
    n = info.groups[0].n_val
    assert values["selected_val_worst_group_low"] == wilson(round(0.6 * n), n).low

    unmeasured = [epoch(0, 1, [None, *high]), epoch(1, 0, [None, *high])]
    assert training_metrics(
        trained.model_copy(update={"epochs": unmeasured}), info, knows_groups=True, min_val=1
    )["selected_val_worst_group"] == pytest.approx(0.9)

    layers = [
        LastLayer(
            seed=s, fit_on="val", penalty="l1", strength=0.1, tried={"0.1": a, "1": 0.99}, n_fits=20,
            images_per_group=50, nonzero=0.5,
        )
        for s, a in enumerate((0.6, 0.7))
    ]  # fmt: skip
    dfr = trained.model_copy(update={"last_layers": layers})
    assert training_metrics(dfr, info, knows_groups=True, min_val=1) == {
        "selected_val_worst_group": pytest.approx(0.65)
    }


def test_validation_that_trained_a_model_is_no_metric_of_it() -> None:
    result = photo_birds().evaluations["erm"]
    assert evaluation_metrics(result)["val_worst_group"] == result.val.worst_group.value
    values = evaluation_metrics(result.model_copy(update={"trained_on_val": True}))
    assert values["val_average"] is values["val_worst_group"] is None
