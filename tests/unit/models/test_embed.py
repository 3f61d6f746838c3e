"""Embeddings are what the head sees, of every network."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.embed import embed_split
from pipeline.models.predict import predict_logits
from pipeline.models.registry import build_model
from tests.fixtures.train import make_split


@pytest.mark.parametrize("name", ["small_resnet", "vit_tiny"])
def test_head_of_embeddings_gives_the_logits(name: str) -> None:
    split = make_split(20)
    model = build_model(
        name, n_classes=3, width=4, image_size=16, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
    )
    model.train()
    found = embed_split(model, split, batch_size=8)
    assert model.training, "the flag is restored"
    assert found.shape == (20, model.head.in_features)
    assert found.dtype == np.float32
    weight, bias = (p.detach().numpy() for p in (model.head.weight, model.head.bias))
    np.testing.assert_allclose(found @ weight.T + bias, predict_logits(model, split.images), atol=1e-5)
