"""The record of an evaluation holds what was planted in data and networks."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.records.evaluation import EvaluationResult
from pipeline.verdict.evidence.rules import choose_thresholds
from pipeline.verdict.fix.comparing import compare_predictions
from tests.fixtures.planted.audit import audit_data, explain_method
from tests.fixtures.planted.data import Planted

ERM, DRO = (0.985, 0.78, 0.62, 0.95), (0.94, 0.90, 0.84, 0.90)


def evaluation(method: str, table: tuple[float, float, float, float]) -> EvaluationResult:
    return explain_method(Planted(), method, table).evaluated.result


def test_every_group_has_the_planted_accuracy_and_the_lowest_is_the_worst() -> None:
    found = evaluation("erm", ERM)
    for measured, planted in zip(found.test.groups, ERM, strict=True):
        assert measured.value == pytest.approx(planted, abs=1 / measured.n)
        assert measured.low < planted < measured.high
    assert found.test.worst_group.index == 2


def test_the_swapped_cue_moves_as_many_predictions_as_the_table_says() -> None:
    for method, table in (("erm", ERM), ("group_dro", DRO)):
        found = evaluation(method, table).cue_use
        assert found is not None
        (exchange,) = found.exchanges
        planted = (table[0] - table[1] + table[3] - table[2]) / 2
        assert exchange.size.low <= planted <= exchange.size.high  # redrawn donors of a few hundred images
        assert found.natural is not None
        assert found.natural.value == pytest.approx(planted, abs=0.01)


def test_a_gain_is_the_difference_of_the_tables_in_the_group_that_pays() -> None:
    test = audit_data(Planted()).packed.test
    methods = [explain_method(Planted(), name, table) for name, table in (("erm", ERM), ("group_dro", DRO))]
    limits = choose_thresholds(min_effect=0.05, min_test=100, min_val=30, min_kappa=0.05)
    (found,) = compare_predictions(
        {m.history.method: m.evaluated.predictions.test_SN == test.labels for m in methods},
        test,
        audit_data(Planted()).packed.info,
        [m.evaluated.result for m in methods],
        limits,
    )
    assert found.group_index == 2
    assert found.gain.value == pytest.approx(DRO[2] - ERM[2], abs=0.01)
    assert found.gain.low > 0


def test_wrong_labels_are_what_harms_most() -> None:
    found = explain_method(Planted(), "erm", ERM).attribution
    assert found is not None
    assert found.flipped_share_in_harmful == 1.0
    assert found.label_errors is not None
    listed = {suspects.ranking: suspects for suspects in found.label_errors.lists}["attribution"]
    assert listed.precision is not None
    assert found.flipped_share_overall is not None
    assert listed.precision.low > 2 * found.flipped_share_overall  # the list goes on beyond the planted ones


def test_a_record_is_read_back_as_it_was_written() -> None:
    for name, table in (("erm", ERM), ("group_dro", DRO)):
        found = evaluation(name, table)
        assert EvaluationResult.model_validate_json(found.model_dump_json()) == found
        assert np.isfinite([group.low for group in found.val.shrunk]).all()
