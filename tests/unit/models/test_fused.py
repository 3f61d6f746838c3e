"""Fused networks say what the networks say, and those that cannot be fused stay as they are."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.models.fused import fuse_for_prediction
from pipeline.models.predict import predict_logits
from tests.fixtures.zoo import RESNET18, VIT, build_small

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["small_resnet", RESNET18, VIT])
def test_logits_are_the_same(name: str) -> None:
    model = build_small(name).train()
    with torch.no_grad():  # statistics of its own, so that normalization is no identity
        model(torch.rand(8, 3, 32, 32))
    own = predict_logits(model.eval(), IMAGES)
    fused = fuse_for_prediction(model)
    np.testing.assert_allclose(predict_logits(fused, IMAGES), own, atol=1e-4)
    if name == "small_resnet":
        assert not any(isinstance(part, nn.BatchNorm2d) for part in fused.modules())
        assert any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    else:
        assert fused is model, "another library's predicts as it is"
        assert not fused.training


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
