"""Found cues that a model uses are told from those that it does not, and from those that nothing can test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from torch import Tensor, nn

from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.cues.look import look
from pipeline.cues.places import exchanged_places
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.found_cues import (
    Exchanged,
    cues_to_exchange,
    measure_found_cues,
)
from pipeline.models.interface import Classifier
from pipeline.records.base import Provenance
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.evaluation import CueUseFound
from pipeline.records.verdict import FoundCueUse
from pipeline.verdict.cue.found import judge_found
from pipeline.verdict.evidence.rules import choose_thresholds
from tests.fixtures.cues import found_cue, going_with, mixed_facts, textures
from tests.fixtures.explain import reader

LIMITS = choose_thresholds(min_effect=0.05, min_test=50, min_val=20, min_kappa=0.1)
N = 800


class TopRight(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW[:, :, :4, -4:]


class Middle(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW[:, :, 12:20, 12:20]


USES = reader(TopRight(), [-1.0, -1.0, -1.0], 0.6)  # class 1 where the corner is dark
DOES_NOT = reader(Middle(), [1.0, 1.0, 1.0], -1.5)  # class 1 where the middle is bright


def split_of(images: UInt8Array, labels_N: Int64Array, first: int, name: str) -> Split:
    return Split(
        name="test" if name == "test" else "train",
        images=images,
        labels=labels_N,
        attributes=labels_N,
        groups=labels_N,
        ids=np.arange(first, first + len(labels_N)),
        files=np.array([f"{i}.png" for i in range(len(labels_N))]),
    )


def marked(kappa: float, n_classes: int = 2, seed: int = 0) -> tuple[Split, Split]:
    """Train and test: the middle shows the class, and a dark corner goes with class 1."""
    labels_N = np.arange(N) % n_classes
    images, cue_N = textures(N, seed), going_with(labels_N, kappa, seed)
    images[:, 12:20, 12:20] = np.where(labels_N == 1, 210, 45)[:, None, None, None]
    images[cue_N == 1, :4, -4:] = 5
    half = N // 2
    return (
        split_of(images[:half], labels_N[:half], 0, "train"),
        split_of(images[half:], labels_N[half:], half, "test"),
    )


def exchange(splits: tuple[Split, Split], model: Classifier, *cues: CueFinding) -> list[CueUseFound]:
    (train, test), facts = splits, mixed_facts(N, 0)
    data = Exchanged(
        models=[model, model],
        train=look(train, facts),
        test=test,
        seen=look(test, facts).seen,
        rows=np.arange(len(test)),
        predicted_SN=predict_classes([model, model], test.images),
        group_names=[f"class {k}" for k in range(int(test.labels.max()) + 1)],
        min_test=20,
        seed=0,
    )
    return measure_found_cues(cues, data)


def judged(splits: tuple[Split, Split], model: Classifier, cue: CueFinding) -> FoundCueUse:
    (answer,) = judge_found(exchange(splits, model, cue), LIMITS)
    return answer


CORNER = found_cue("corners", part="top right", places={"top right": 0.6, "top left": 0.01})


@pytest.mark.parametrize("kappa", [0.6, 1.0])  # with and without images of either kind in each class
def test_a_used_corner_is_used(kappa: float) -> None:
    answer = judged(marked(kappa), USES, CORNER)
    assert (answer.used, answer.is_shortcut) == ("yes", True)
    assert answer.shift is not None
    assert answer.shift.low > 0.7


def test_a_corner_that_is_there_to_be_used_and_is_not() -> None:
    (found,) = exchange(marked(0.6), DOES_NOT, CORNER)
    assert found.carried is not None
    assert found.carried.low > 0.9
    assert (found.own_class, found.parts) == (1.0, ["top right"])
    assert found.exchange is not None
    assert found.exchange.size.high < 0.05
    assert [group.value for group in found.groups] == [0.0, 0.0]
    assert judge_found([found], LIMITS)[0].used == "no"


def test_many_classes_of_which_one_is_marked() -> None:
    assert judged(marked(0.9, n_classes=3), DOES_NOT, CORNER).used != "yes"


@pytest.mark.parametrize(
    ("cue", "why"),
    [
        (found_cue("camera", kind="file"), "no edit"),
        (found_cue("background"), "do not have it"),
        (found_cue("jpeg", kind="file"), "do not show"),  # qualities that left nothing in these pixels
    ],
)
def test_what_cannot_be_tested_is_not_cleared(cue: CueFinding, why: str) -> None:
    answer = judged(marked(0.6), DOES_NOT, cue)
    assert answer.used == "insufficient"
    assert why in answer.sentence


def test_where_all_images_look_the_same_nothing_is_exchanged() -> None:
    train, test = marked(0.0)
    same = dataclasses.replace(test, images=np.repeat(test.images[:1], len(test), axis=0))
    (found,) = exchange((train, same), USES, CORNER)
    assert (found.n_images, found.exchange) == (0, None)
    assert judge_found([found], LIMITS)[0].used == "insufficient"


def test_the_strongest_that_models_can_see_are_exchanged() -> None:
    cues = [
        found_cue("file_name", kind="file", is_visible=False),
        found_cue("attr_site", kind="column"),
        found_cue("border", under="corners"),
        found_cue("noise", found=False),
        *(found_cue(name) for name in ("corners", "jpeg", "color", "texture", "sharpness", "spectrum")),
    ]
    result = CuesResult(
        provenance=Provenance(), cues=cues, absent=[], n_train=9, n_train_total=9, n_tests=9, seconds=0
    )
    chosen = [cue.name for cue in cues_to_exchange(result)]
    assert chosen == ["corners", "jpeg", "color", "texture", "sharpness"]
    assert cues_to_exchange(None) == []
    result.cues[6] = found_cue("color", may_be_content=True)
    assert "color" not in [cue.name for cue in cues_to_exchange(result, with_content=False)]
    both = found_cue(
        "corners", part="top left", places={"top left": 0.6, "top right": 0.4, "bottom left": 0.2}
    )
    assert exchanged_places(both) == ["top left", "top right"]
