"""The flat numbers that `dvc metrics diff` compares."""

from __future__ import annotations

import json

from pipeline.stages.tables import evaluation_metrics, metrics_json
from tests.report_fixtures import photo_birds


def test_metrics_say_how_accuracy_changes_and_how_many_more_flip_than_under_the_control() -> None:
    result = photo_birds().evaluations["erm"]
    values = evaluation_metrics(result)
    for change in result.interventions:
        assert values[f"{change.name}_accuracy_change"] == change.accuracy_change.value
        assert (f"{change.name}_flip_excess" in values) == (change.flip_rate_control is not None)
        if change.flip_rate_control is not None:
            excess = change.flip_rate.value - change.flip_rate_control.value
            assert values[f"{change.name}_flip_excess"] == excess
    bare = result.model_copy(
        update={"interventions": [], "foreground_sensitivity": None, "color_agreement": None}
    )
    shown = json.loads(metrics_json(evaluation_metrics(bare)))
    assert shown["foreground_sensitivity"] is None
    assert shown["color_agreement_excess"] is None
    assert set(shown) < set(values)
