"""Against slow twins and the defining libraries: grad-cam, autograd, OpenCV, SciPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy import stats
from torch import nn

from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.explain.cam.closed_form import closed_form_cams, computed_by, raw_maps
from pipeline.explain.cam.energy import energy_in_masks, pull_masks
from pipeline.explain.cam.faithfulness import blur_images, score_rankings
from pipeline.explain.cam.pointing import play_pointing, reach_masks
from pipeline.explain.cam.upsampling import upsample_map
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import to_pixels
from pipeline.statistics.maps import spearman, top_overlap
from tests.fixtures.zoo import RESNET18, VIT, build_small


def build(name: str) -> Classifier:
    return build_small(name, n_classes=4, width=6, seed=1).eval()


def noise(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(("name", "side"), [("small_resnet", 32), ("small_resnet", 96)])
def test_the_closed_form_equals_grad_cam_at_the_last_stage(name, side):
    model, images = build(name), noise(6, side)
    targets = np.array([0, 1, 2, 3, 0, 1])
    last = model.map_layers()[-1]
    assert computed_by(model, last) == "closed form"
    expected = raw_cams(model, model.stages[-1], images, targets, batch_size=4)
    maps = raw_maps(model, last, images, targets, batch_size=4)
    assert expected.max() > 0
    assert np.abs(maps - expected).max() <= 3e-6 * expected.max()
    picked = closed_form_cams(model, images, targets[[4, 1]], rows=np.array([4, 1]))
    np.testing.assert_allclose(picked, maps[[4, 1]], rtol=1e-4, atol=1e-6 * maps.max())


def test_the_closed_form_is_used_only_where_it_holds():
    model = build("small_resnet")
    assert computed_by(model, "stages.2") == "grad-cam"
    for other in (VIT, RESNET18):
        network = build(other)
        assert computed_by(network, network.map_layers()[-1]) == "grad-cam"

    class Peak(StagedClassifier):
        def embed(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
            return self.stages(pixels_NCHW).amax(dim=(2, 3))

    assert computed_by(Peak(model.stages, 48, 4, [0.5] * 3, [0.2] * 3), "stages.3") == "grad-cam"
    model.add_module("head", nn.Sequential(nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 4)))
    assert computed_by(model, "stages.3") == "grad-cam"


def test_vit_maps_equal_a_loop_over_images():
    """Cell by cell: what of activation times gradient is above zero, the class token left out."""
    model, images, targets = build(VIT), noise(3, 32), np.array([2, 0, 3])
    layer = choose_layer(model, 32, 4)
    assert (layer.name, layer.cells) == ("net.blocks.0", (8, 8))
    maps = raw_cams(model, layer.module, images, targets)
    kept: list[torch.Tensor] = []
    hook = layer.module.register_forward_hook(lambda _m, _i, output: kept.append(output))
    for image, target, found in zip(images, targets, maps, strict=True):
        kept.clear()
        logit = model(to_pixels(image[None]))[0, target]
        (grads,) = torch.autograd.grad(logit, kept[0])
        expected = (kept[0] * grads)[0, 1:].relu().sum(1).reshape(8, 8).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=3e-6 * max(expected.max(), 1e-6))
    hook.remove()


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_scaled_maps_equal_the_librarys_own(stage):
    """Cutting the graph at the layer and leaving out the scaling changes nothing else."""
    model, images = build("small_resnet"), noise(5, 32)
    targets = np.array([3, 2, 1, 0, 3])
    cam = GradCAM(model=model, target_layers=[model.stages[stage]])
    try:
        scaled = cam(to_pixels(images), [ClassifierOutputTarget(int(k)) for k in targets])
    finally:
        cam.activations_and_grads.release()
    maps = raw_cams(model, model.stages[stage], images, targets)
    for raw, theirs in zip(maps, scaled, strict=True):
        low, high = raw.min(), raw.max()
        upsampled = cv2.resize((raw - low) / (1e-7 + high - low), (32, 32))
        upsampled = (upsampled - upsampled.min()) / (1e-7 + upsampled.max() - upsampled.min())
        np.testing.assert_allclose(upsampled, theirs, atol=2e-5)


def test_energy_equals_upsampling_every_map_over_every_mask():
    rng = np.random.default_rng(0)
    maps = np.maximum(rng.normal(size=(2, 7, 5, 5)), 0).astype(np.float32)
    masks = (rng.random((7, 24, 24)) < 0.4).astype(np.uint8) * 255
    pulled, _ = pull_masks(masks, np.arange(7), (5, 5), batch_size=3)
    energy, null = energy_in_masks(maps, pulled, (24, 24))
    for s in range(2):
        for i in range(7):
            big = cv2.resize(maps[s, i], (24, 24), interpolation=cv2.INTER_LINEAR).astype(np.float64)
            np.testing.assert_allclose(upsample_map(maps[s, i], 24, 24), big, atol=1e-5)
            shares = [(big * (mask > 0)).sum() / big.sum() for mask in masks]
            assert energy[s, i] == pytest.approx(shares[i], abs=1e-6)
            assert null[s, i] == pytest.approx(np.mean(np.delete(shares, i)), abs=1e-6)


@pytest.mark.parametrize(("cells", "side"), [(4, 32), (8, 32), (3, 28), (5, 24)])
def test_pointing_equals_a_loop_over_pixels(cells, side):
    rng = np.random.default_rng(1)
    maps = np.maximum(rng.normal(size=(2, 9, cells, cells)), 0).astype(np.float32)
    masks = np.zeros((9, side, side), np.uint8)
    for mask, (y, x) in zip(masks, rng.integers(0, side - 5, (9, 2)), strict=True):
        mask[y : y + 3, x : x + 5] = 255
    hits, chance = play_pointing(maps, reach_masks(masks, np.arange(9), (cells, cells), batch_size=4))
    cell = side / cells

    def is_near(map_hw: np.ndarray, mask: np.ndarray) -> bool:
        row, column = np.unravel_index(map_hw.argmax(), map_hw.shape)
        y, x = (row + 0.5) * cell - 0.5, (column + 0.5) * cell - 0.5
        return any(abs(y - v) <= cell and abs(x - u) <= cell for v, u in np.argwhere(mask > 127))

    for s in range(2):
        for i in range(9):
            near = [is_near(maps[s, i], mask) for mask in masks]
            assert hits[s, i] == near[i]
            assert chance[s, i] == pytest.approx(np.mean(np.delete(near, i)))


def test_similarity_of_maps_equals_scipys():
    rng = np.random.default_rng(4)
    first, second = (np.maximum(rng.normal(size=(12, 4, 4)), 0).astype(np.float32) for _ in range(2))
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected, atol=1e-12)
    for a, b, overlap in zip(first, second, top_overlap(first, second), strict=True):
        tops = [set(np.argsort(-m.ravel())[:3]) & set(np.flatnonzero(m > 0)) for m in (a, b)]
        assert overlap == pytest.approx(len(tops[0] & tops[1]) / len(tops[0] | tops[1]))


def test_insertion_and_deletion_equal_a_loop():
    """One image and one set of pixels at a time."""
    model, images = build("small_resnet"), noise(3, 16)
    maps = np.random.default_rng(3).random((1, 3, 4, 4)).astype(np.float32)
    predicted = np.array([[1, 3, 0]])
    scores = score_rankings([model], images, predicted, maps, n_steps=6, batch_size=32, seed=0)
    blurred = blur_images(images)
    for i in range(3):
        order = np.argsort(-upsample_map(maps[0, i], 16, 16).ravel(), kind="stable")
        curves = []
        for start, end in ((blurred[i], images[i]), (images[i], blurred[i])):
            curve = []
            for fraction in np.linspace(0, 1, 6):
                mixed = start.reshape(-1, 3).copy()
                top = order[: round(fraction * 256)]
                mixed[top] = end.reshape(-1, 3)[top]
                with torch.no_grad():
                    logits = model(to_pixels(mixed.reshape(1, 16, 16, 3)))
                curve.append(float(logits.softmax(1)[0, predicted[0, i]]))
            curves.append(np.trapezoid(curve, dx=0.2))
        assert scores.map_SN[0, i] == pytest.approx(curves[0] - curves[1], abs=1e-5)
