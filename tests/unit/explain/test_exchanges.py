"""Exchanges carry one property and nothing else, and the shifts they cause are told from strangeness."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from benchmarks.planted_cues import make_twin, train_network
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair
from pipeline.explain.reliance.changed import Editor, predict_classes
from pipeline.explain.reliance.cue_use import choose_cue, choose_exchanges, measure_cue_use
from pipeline.explain.reliance.exchanges import EXCHANGES
from pipeline.explain.reliance.interventions import SWAP
from pipeline.plan.params_file import read_params
from pipeline.records.evaluation import Carried, CueUse, EvaluationResult
from pipeline.statistics.cues.cue_use import exchange_shifts, favored_classes, natural_shift
from pipeline.verdict.cue.used import judge_used
from pipeline.verdict.evidence.rules import choose_thresholds
from tests.fixtures.explain import NOISE_READER, WALL_READER, make_info, make_split, make_train, run_reliance
from tests.fixtures.report import around

pytestmark = pytest.mark.slow

FAVORED = np.eye(2, dtype=bool)  # value v goes with class v


def draw(n: int = 6, seed: int = 0, **ink: Any) -> UInt8Array:
    """Strokes of one color on black, with some noise in their strength."""
    rng = np.random.default_rng(seed)
    strength = np.zeros((n, 16, 16, 1))
    strength[:, 4:12, 6:9] = rng.uniform(0.5, 1, (n, 8, 3, 1))
    strength[:, 7, 6:9] = 1
    return (strength * np.array(ink.get("color", (255, 0, 0)))).astype(np.uint8)


@pytest.mark.parametrize("name", list(EXCHANGES))
def test_an_exchange_with_the_image_itself_changes_nothing(name: str) -> None:
    test = make_split(12)
    images = test.images
    edited = EXCHANGES[name].edit(Pair(images, images, test.masks, test.masks))
    assert np.abs(edited.astype(int) - images).max() <= 1


def test_ink_gets_the_color_of_ink_and_paper_stays() -> None:
    red, green = draw(color=(255, 0, 0)), draw(seed=1, color=(0, 255, 0))
    turned = EXCHANGES["color_exchange"].edit(Pair(red, green, None, None)).astype(int)
    strokes = red[..., 0] > 100
    assert np.abs(turned[~(red.max(axis=3) > 0)]).max() <= 2
    assert turned[strokes, 0].mean() < 30
    assert turned[strokes, 1].mean() > 150


def test_texture_frame_and_rim_go_where_they_belong() -> None:
    rng = np.random.default_rng(0)
    smooth = np.full((3, 16, 16, 3), 120, np.uint8)
    rough = np.clip(120 + rng.normal(0, 30, (3, 16, 16, 1)) * np.ones(3), 0, 255).astype(np.uint8)
    textured = EXCHANGES["texture_exchange"].edit(Pair(smooth + (rough % 3), rough, None, None))
    assert textured.std() > 15
    framed = smooth.copy()
    framed[:, :2], framed[:, -2:], framed[:, :, :2], framed[:, :, -2:] = 0, 0, 0, 0
    given = EXCHANGES["frame_exchange"].edit(Pair(smooth, framed, None, None))
    np.testing.assert_array_equal(given, framed)
    mask = np.zeros((3, 16, 16), np.uint8)
    mask[:, 5:11, 5:11] = 255
    outlined = np.full((3, 16, 16, 3), 200, np.uint8)
    outlined[:, 4:12, 4:12] = 0
    outlined[:, 5:11, 5:11] = 200
    cut = EXCHANGES["rim_exchange"].edit(Pair(np.full_like(outlined, 200), outlined, mask, mask))
    assert cut[:, 4, 6:10].mean() < 50
    assert (cut[:, :2] == 200).all()
    assert (cut[:, 7:9, 7:9] == 200).all()


def shifts_of(
    exchanged_N: Int64Array, control_N: Int64Array, labels_N: Int64Array, values_N: Int64Array
) -> Any:
    return exchange_shifts(
        exchanged_N[None], control_N[None], labels_N, values_N, 1 - values_N, FAVORED, seed=0
    )


def test_shifts_by_hand_and_what_strangeness_alone_gives() -> None:
    labels = np.repeat([0, 0, 0, 1, 1, 1], 60)  # two thirds of each class show its value
    values = np.repeat([0, 0, 1, 1, 1, 0], 60)
    follows = shifts_of(1 - values, values, labels, values)
    assert (follows.up.value, follows.down.value, follows.size.value, follows.is_balanced) == (1, 1, 1, True)
    wrong = shifts_of(1 - labels, labels, labels, values)  # all accuracy lost, evenly
    assert (wrong.up.value, wrong.down.value, wrong.size.value) == (0, 0, 0)
    one_class = shifts_of(np.ones_like(labels), labels, labels, values)  # strange images are class 1
    assert (one_class.up.value, one_class.down.value, one_class.size.value) == (0.5, -0.5, 0)
    assert not shifts_of(1 - labels, labels, labels, labels).is_balanced
    assert shifts_of(labels, labels, labels, np.zeros_like(labels)) is None  # one direction only


def test_natural_shift_by_hand() -> None:
    labels, values = np.repeat([0, 0, 1, 1], 50), np.repeat([0, 1, 0, 1], 50)
    for predicted, shift in ((values, 1.0), (labels, 0.0), (1 - values, -1.0)):
        found = natural_shift(predicted[None], labels, values, FAVORED)
        assert found is not None
        assert found.value == shift
        assert found.low < shift or shift == -1
    assert natural_shift(labels[None], labels, labels, FAVORED) is None  # no class with both values
    np.testing.assert_array_equal(
        favored_classes(labels[:150], values[:150], 2, 2), [[False, True], [True, False]]
    )


def test_the_least_change_that_carries_most_is_chosen_before_any_prediction() -> None:
    def carried(**shares: float) -> list[Carried]:
        return [Carried(name=name, share=around(share, 0.05, 400)) for name, share in shares.items()]

    assert choose_exchanges(carried(background_swap=0.9, color_exchange=1.0)) == [SWAP]
    assert choose_exchanges(carried(background_swap=0.2, color_exchange=0.7, rim_exchange=0.4)) == [
        "color_exchange"
    ]
    assert choose_exchanges(carried(color_exchange=0.95, texture_exchange=1.0)) == ["color_exchange"]
    assert choose_exchanges(carried(texture_exchange=0.6, look_exchange=0.9)) == [
        "look_exchange",
        "texture_exchange",
    ]
    assert choose_exchanges([Carried(name="color_exchange", share=None), *carried(rim_exchange=0.3)]) == []


@pytest.mark.parametrize(("model", "shift"), [(WALL_READER, 1.0), (NOISE_READER, 0.0)])
def test_a_model_of_the_wall_follows_the_exchange_of_walls(model: Any, shift: float) -> None:
    found = run_reliance([model], make_split(400)).cue_use
    (exchange,) = found.exchanges
    assert exchange.name == SWAP
    assert exchange.size.value == pytest.approx(shift, abs=0.15)
    assert found.association is not None
    assert found.association.cramers_v > 0.8


def test_an_attribute_that_images_do_not_show_is_not_exchanged() -> None:
    rng = np.random.default_rng(0)
    test, train = make_split(400, masks=False), make_train()
    hidden = dataclasses.replace(train, attributes=rng.integers(0, 2, len(train)), masks=None)
    test = dataclasses.replace(test, attributes=rng.integers(0, 2, 400))
    cue = choose_cue(hidden, test, make_info(), test.labels)
    found = measure(cue, test, WALL_READER)
    assert found.carried
    assert found.exchanges == []


def measure(cue: Any, test: Any, model: Any) -> CueUse:
    rows = np.arange(len(test))
    swap = Editor([model], test, make_info(), 0).predict_masked(rows).get(SWAP)
    predicted = predict_classes([model], test.images)
    return measure_cue_use(
        cue, models=[model], test=test, rows=rows, predicted_SN=predicted, swap=swap, seed=0
    )


@pytest.mark.parametrize(("agreement", "status"), [(0.9, "yes"), (0.5, "no")])
def test_colored_digits_and_their_null(agreement: float, status: str) -> None:
    """The short form of `benchmarks.used_cues`: one network on red and green digits."""
    twin = make_twin("ink", 3, agreement=agreement, test_agreement=1 - agreement)
    model = train_network(twin, 3, epochs=4)
    found = measure(choose_cue(twin.train, twin.test, twin.info, twin.test.labels), twin.test, model)
    entry = read_params().dataset("photo_digits")
    evaluation = EvaluationResult.model_construct(method="erm", interventions=[], cue_use=found)
    limits = choose_thresholds(
        min_effect=entry.report.min_effect,
        min_test=entry.evaluate.min_test,
        min_val=entry.evaluate.min_val,
        min_kappa=entry.color.min_kappa,
    )
    assert judge_used(evaluation, None, limits).status == status
    if status == "yes":
        assert found.exchanges[0].size.value > 0.8  # drawing them again in the other color flips about all
