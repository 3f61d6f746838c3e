"""Fused networks say what the networks say, and those that cannot be fused stay as they are."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.models.fused import fuse_for_prediction
from pipeline.models.predict import predict_logits
from pipeline.models.registry import build_model

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["small_resnet", "resnet18", "vit_tiny"])
def test_logits_are_the_same(name: str) -> None:
    model = build_model(
        name, n_classes=3, width=8, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0, image_size=32
    ).train()
    with torch.no_grad():  # statistics of its own, so that normalization is no identity
        model(torch.rand(8, 3, 32, 32))
    own = predict_logits(model.eval(), IMAGES)
    fused = fuse_for_prediction(model)
    np.testing.assert_allclose(predict_logits(fused, IMAGES), own, atol=1e-4)
    is_normalized = any(isinstance(part, nn.BatchNorm2d) for part in fused.modules())
    assert not is_normalized
    assert any(isinstance(part, nn.BatchNorm2d) for part in model.modules()) == (name != "vit_tiny")


class _Choosy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        mean_NC = pixels_NCHW.mean(dim=(2, 3))
        out: Tensor = self.head(mean_NC if bool(mean_NC.sum() > 0) else -mean_NC)
        return out


def test_a_network_that_looks_at_its_values_predicts_as_it_is() -> None:
    model = _Choosy()
    assert fuse_for_prediction(model) is model
    assert predict_logits(fuse_for_prediction(model), IMAGES).shape == (4, 2)
