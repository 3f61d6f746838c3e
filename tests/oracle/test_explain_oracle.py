"""Against slow twins and the defining libraries: closed-form CAM, plain grad-cam, OpenCV resizing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from pipeline.explain.cam import raw_cams
from pipeline.explain.energy import energy_in_masks, pull_masks, upsample_map
from pipeline.models.networks import Classifier, build_model
from pipeline.models.predict import to_pixels


def build(name: str) -> Classifier:
    model = build_model(name, n_classes=4, width=6, pretrained=False, mean=[0.5] * 3, std=[0.25] * 3, seed=1)
    return model.eval()


def noise(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@torch.no_grad()
def closed_form(model: Classifier, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """relu(Σ_k w_ck A_k) / cells: GradCAM of the last stage before average pooling and a linear head."""
    features = model.stages((to_pixels(images) - model.mean) / model.std)
    weights = model.head.weight[torch.from_numpy(targets)]
    cams = torch.einsum("nk,nkhw->nhw", weights, features).relu() / features[0, 0].numel()
    return cams.numpy()


@pytest.mark.parametrize(("name", "side"), [("small_resnet", 32), ("resnet18", 64)])
def test_last_stage_equals_the_closed_form(name, side):
    model, images = build(name), noise(6, side)
    targets = np.array([0, 1, 2, 3, 0, 1])
    expected = closed_form(model, images, targets)
    maps = raw_cams(model, model.stages[-1], images, targets, batch_size=4)
    assert np.abs(maps - expected).max() <= 3e-6 * expected.max()


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
