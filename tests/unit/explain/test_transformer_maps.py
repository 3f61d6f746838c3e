"""Maps of transformers that learned a patch planted anywhere: they point at it, or the verdict says so.

Trained with a softmax, as people train: of one color a network may then say "none of the others", so that
nothing in such an image speaks for its class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import timm
import torch
from torch import nn

from pipeline.core.errors import InputError
from pipeline.core.types import Split
from pipeline.explain.cam.adapter import choose_layer
from pipeline.explain.cam.faithfulness import score_rankings, summarize_scores
from pipeline.explain.cam.run import GradcamRun
from pipeline.models.adapted import Adapted, Door
from pipeline.models.predict import predict_logits, to_pixels
from pipeline.statistics.sampling import choose_by_group
from pipeline.verdict.cue.heat import judge_heat
from tests.fixtures.cam import COLORS, SETTINGS, gradcam
from tests.fixtures.report import photo_birds

SIDE, PATCH, N_CELLS = 32, 8, 4
VIT = {"img_size": SIDE, "patch_size": PATCH, "embed_dim": 32, "num_heads": 4, "num_classes": 4, "depth": 2}
SWIN = {
    "img_size": SIDE,
    "patch_size": 4,
    "window_size": 4,
    "embed_dim": 16,
    "depths": (1, 1),
    "num_heads": (2, 4),
}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "class token": ("vit_tiny_patch16_224", VIT),
    "average": ("vit_tiny_patch16_224", {**VIT, "global_pool": "avg"}),
}
ASKED = SETTINGS.model_copy(update={"min_cells": 4, "sanity_images": 4})
CHECKED_AT = photo_birds().limits


class Learned(NamedTuple):
    model: Adapted
    test: Split  # images whose answer goes when their patch is covered


def plant(n: int, seed: int) -> Split:
    """Noise with a colored patch in one of 16 cells; the color is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(25, 230, (n, SIDE, SIDE, 3))
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for i, (y, x) in enumerate(PATCH * rng.integers(0, N_CELLS, (n, 2))):
        images[i, y : y + PATCH, x : x + PATCH] = COLORS[labels[i]]
        masks[i, y : y + PATCH, x : x + PATCH] = 255
    return Split(
        name="test",
        images=images.astype(np.uint8),
        labels=labels,
        attributes=labels,
        groups=5 * labels,  # the color of its class
        ids=np.arange(n),
        files=np.array([f"{i}.png" for i in range(n)]),
        masks=masks,
    )


def learn(name: str, steps: int) -> Learned:
    torch.manual_seed(0)
    network, args = NETWORKS[name]
    model = Adapted(timm.create_model(network, **args), Door((0.5,) * 3, (0.5,) * 3), image_size=SIDE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = plant(768, 1)
    pixels, labels = to_pixels(seen.images), torch.from_numpy(seen.labels)
    model.train()
    for step in range(steps):
        batch = torch.arange(64) + 64 * (step % 12)
        loss = nn.functional.cross_entropy(model(pixels[batch]), labels[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    model.eval()
    test = plant(200, 2)
    covered = np.where(test.masks[..., None] > 0, np.roll(test.images, 1, axis=0), test.images)
    truth = torch.from_numpy(test.labels)
    with torch.no_grad():
        logits, without = model(to_pixels(test.images)), model(to_pixels(covered))
    assert float((logits.argmax(1) == truth).float().mean()) > 0.95
    drop = (logits.softmax(1) - without.softmax(1)).gather(1, truth[:, None])[:, 0]
    return Learned(model, test.take(np.flatnonzero(drop > 0.3)))


@pytest.fixture(scope="module")
def learned() -> dict[str, Learned]:
    return {"class token": learn("class token", steps=144), "average": learn("average", steps=96)}


def mapped(found: Learned, layer: str = "auto") -> GradcamRun:
    return gradcam([found.model], found.test, ASKED.model_copy(update={"layer": layer}), worst=0, best=0)


@pytest.mark.parametrize(("name", "pointing", "lift"), [("class token", 0.6, 2), ("average", 0.9, 4)])
def test_the_map_points_at_what_decides(
    learned: dict[str, Learned], name: str, pointing: float, lift: float
) -> None:
    result = mapped(learned[name]).result
    assert (result.layer, result.computed_by) == ("net.blocks.0", "cell by cell")
    assert result.pointing is not None
    assert result.pointing_by_chance is not None
    assert result.pointing.value > pointing
    assert result.pointing_by_chance < 0.45  # within one cell of another image's patch
    assert result.lift is not None
    assert result.lift.low > lift


@pytest.mark.parametrize(("shift", "points"), [(0, "yes"), (2, "no")])
def test_maps_that_point_elsewhere_are_told_of(learned: dict[str, Learned], shift: int, points: str) -> None:
    """The very maps of a network that reads the patch, and the same with every cell two cells away."""
    found = learned["class token"]
    run = mapped(found)
    rows = choose_by_group(found.test.groups, ASKED.images_per_group, ASKED.seed)[:40]
    images = found.test.images[rows]
    scores = score_rankings(
        [found.model],
        images,
        predict_logits(found.model, images).argmax(axis=1)[None],
        np.roll(run.maps_SNhw[:, :40], shift, axis=(2, 3)),
        n_steps=8,
        batch_size=256,
        seed=0,
    )
    result = run.result.model_copy(update={"faithfulness": summarize_scores(scores, 8)})
    heat = judge_heat(result, CHECKED_AT)
    assert heat.points == points, heat.finding
    assert heat.finding.endswith("its pictures prove nothing") == (points == "no")


def test_maps_that_are_blank_are_told_of(learned: dict[str, Learned]) -> None:
    """Behind the last block a class token alone decides."""
    result = mapped(learned["class token"], "norm").result
    assert result.blank_rate == 1
    found = judge_heat(result, CHECKED_AT)
    assert found.points == "no"
    assert "there is no heat: at net.norm nothing speaks" in found.finding


def test_maps_of_a_network_that_learned_nothing_are_told_of(learned: dict[str, Learned]) -> None:
    torch.manual_seed(7)
    network, args = NETWORKS["class token"]
    fresh = Adapted(timm.create_model(network, **args), Door((0.5,) * 3, (0.5,) * 3), image_size=SIDE).eval()
    found = judge_heat(mapped(learned["class token"]._replace(model=fresh)).result, CHECKED_AT)
    assert found.points != "yes"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("blocks.7", "models.m.layer = 'blocks.7' is not a module of the model"),
        ("blocks.0.nrom1", "did you mean 'blocks.0.norm1'?"),
        ("head", "has no map of cells to look at"),
        ("", "is not a module"),
    ],
)
def test_a_layer_that_is_not_there_is_told_with_those_that_are(
    learned: dict[str, Learned], layer: str, words: str
) -> None:
    with pytest.raises(InputError) as error:
        choose_layer(learned["class token"].model, SIDE, 4, layer, "models.m.layer")
    assert words in str(error.value)
    assert "blocks.0, blocks.1" in str(error.value)


@pytest.mark.parametrize("layer", ["blocks.1", "net.blocks.1"])
def test_a_layer_has_the_name_that_it_has_in_its_network(learned: dict[str, Learned], layer: str) -> None:
    assert choose_layer(learned["average"].model, SIDE, 4, layer).name == "net.blocks.1"
