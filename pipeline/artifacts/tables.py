"""Small files for `dvc metrics` and `dvc plots`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import pandas as pd

from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.training import TrainHistory


def metrics_json(values: Mapping[str, float | int | None]) -> str:
    """Flat numbers, rounded so that diffs show what matters."""
    rounded = {key: round(v, 5) if isinstance(v, float) else v for key, v in values.items()}
    return json.dumps(rounded, indent=1) + "\n"


def learning_curves(history: TrainHistory, info: DatasetInfo) -> pd.DataFrame:
    """Validation accuracy per epoch, seed and group, long format; rows `average` and `worst` too."""
    rows = []
    for record in history.epochs:
        shown = {"average": record.val_average, "worst": record.val_worst}
        shown |= {inert(g.name): a for g, a in zip(info.groups, record.val_accuracy, strict=True)}
        rows += [
            {"epoch": record.epoch, "seed": record.seed, "group": group, "val_accuracy": value}
            for group, value in shown.items()
            if value is not None
        ]
    return pd.DataFrame(rows)


def mean_curves(histories: Iterable[TrainHistory]) -> pd.DataFrame:
    """Mean over seeds per method and epoch of the average and the worst group: what `dvc plots` draws."""
    rows = [
        {"method": h.method, "epoch": r.epoch, "val_average": r.val_average, "val_worst_group": r.val_worst}
        for h in histories
        for r in h.epochs
    ]
    frame = pd.DataFrame(rows, columns=["method", "epoch", "val_average", "val_worst_group"])
    return frame.groupby(["method", "epoch"], as_index=False, sort=False).mean().round(5)


def evaluation_metrics(result: EvaluationResult) -> dict[str, float | int | None]:
    """Accuracies on test and, where it promises anything, on validation."""
    test = result.test
    # of images that trained the model it would promise nothing
    val = None if result.trained_on_val else result.val
    return {
        "test_average": test.average.value,
        "test_adjusted_average": test.adjusted_average.value,
        "test_worst_group": test.worst_group.value,
        "test_worst_group_low": test.worst_group.low,
        "test_worst_group_high": test.worst_group.high,
        "test_worst_group_corrected": test.worst_group_corrected.value
        if test.worst_group_corrected
        else None,
        "test_gap": test.gap.value if test.gap else None,
        "val_average": None if val is None else val.average.value,
        "val_worst_group": None if val is None else val.worst_group.value,
        "optimism_average": result.optimism.average.value if result.optimism else None,
        "optimism_worst_group": result.optimism.worst_group.value if result.optimism else None,
    }


def reliance_metrics(result: EvaluationResult) -> dict[str, float | int | None]:
    """Per intervention how accuracy changes and, with a control, how many more predictions flip."""
    reliance: dict[str, float | int | None] = {}
    for change in result.interventions:
        reliance[f"{change.name}_accuracy_change"] = change.accuracy_change.value
        if change.flip_rate_control is not None:
            reliance[f"{change.name}_flip_excess"] = change.flip_rate.value - change.flip_rate_control.value
    for exchange in result.cue_use.exchanges if result.cue_use else []:
        reliance[f"{exchange.name}_shift"] = exchange.size.value
    for cue in result.cues:
        if cue.exchange is not None:
            reliance[f"{cue.exchange.name}_shift_found"] = cue.exchange.size.value
    sensitivity, agreement = result.foreground_sensitivity, result.color_agreement
    return {
        **reliance,
        "foreground_sensitivity": sensitivity.value if sensitivity else None,
        "color_agreement_excess": agreement.excess.value if agreement else None,
    }


def indicator_metrics(result: IndicatorsResult) -> dict[str, float | int | None]:
    """The number over all images of every indicator, or the first of its parts; None: not measured."""
    return {
        i.name: i.overall.value if i.overall else i.parts[0].estimate.value if i.parts else None
        for i in result.indicators
    }


def group_table(evaluations: Iterable[EvaluationResult]) -> pd.DataFrame:
    """Test accuracy per group and method with its interval: what `dvc plots` draws.

    Groups with too few images to count have a note; without images they have n alone.
    """
    return pd.DataFrame(
        [
            {
                "group": inert(g.name),
                "method": result.method,
                "accuracy": round(g.value, 5) if g.n else None,
                "low": round(g.low, 5) if g.n else None,
                "high": round(g.high, 5) if g.n else None,
                "n": g.n,
                "note": "" if g.sufficient else "too few to decide" if g.n else "no images",
            }
            for result in evaluations
            for g in result.test.groups
        ],
        columns=["group", "method", "accuracy", "low", "high", "n", "note"],
    )


def inert(name: str) -> str:
    """A user's name as plain text wherever `dvc plots` or a spreadsheet puts it.

    DVC writes data into a script of its page as they are, where `</script>` would end it.
    """
    plain = re.sub("[\u202a-\u202e\u2066-\u2069]", "", " ".join(name.split()))
    plain = plain.translate({ord("<"): "\u2039", ord(">"): "\u203a"})
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
