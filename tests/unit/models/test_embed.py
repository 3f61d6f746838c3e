"""Embeddings are what the head sees, of every network."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.embed import embed_split
from pipeline.models.predict import predict_logits
from tests.fixtures.train import make_split
from tests.fixtures.zoo import RESNET18, VIT, build_small


@pytest.mark.parametrize("name", ["small_resnet", VIT, RESNET18])
def test_head_of_embeddings_gives_the_logits(name: str) -> None:
    split = make_split(20)
    model = build_small(name, image_size=16)
    model.train()
    found = embed_split(model, split, batch_size=8)
    assert model.training, "the flag is restored"
    assert found.shape == (20, model.head.in_features)
    assert found.dtype == np.float32
    weight, bias = (p.detach().numpy() for p in (model.head.weight, model.head.bias))
    np.testing.assert_allclose(found @ weight.T + bias, predict_logits(model, split.images), atol=1e-5)
