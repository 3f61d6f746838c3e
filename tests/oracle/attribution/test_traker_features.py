"""The featurizer inside a real TRAKer: the store holds what exact gradients would give."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from trak import TRAKer

from pipeline.attribution.estimators.traker_parts import FusedProjector, HookGradientComputer
from pipeline.attribution.gradients.featurizer import make_featurizer
from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from tests.fixtures.gradients import per_sample_gradients

SIDE, N, DIM = 8, 24, 12_000  # more dimensions than parameters: inner products are exact


@pytest.fixture(autouse=True)
def _own_root_handlers() -> Iterator[None]:
    """TRAKer adds a handler to the root logger."""
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers = before


def _model(seed: int) -> Classifier:
    return build_model(
        "small_resnet", n_classes=3, width=2, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=seed
    )


def _traker(model: Classifier, folder: Path) -> TRAKer:
    featurizer = make_featurizer(
        model, image_shape=(3, SIDE, SIDE), dim=DIM, projection="block_sketch", precision="fp32", seed=0,
        device="cpu",
    )  # fmt: skip
    traker = TRAKer(
        model=model,
        task="image_classification",
        train_set_size=N,
        save_dir=str(folder),
        device="cpu",
        gradient_computer=HookGradientComputer.using(featurizer),
        projector=FusedProjector(featurizer),
        use_half_precision=False,
        logging_level=logging.CRITICAL,
    )
    traker.projector.computer = traker.gradient_computer
    return traker


def _images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(N, 3, SIDE, SIDE, generator=generator), torch.arange(N) % 3


def test_store_holds_inner_products_and_weights_of_the_loaded_weights(tmp_path: Path) -> None:
    model, (pixels, labels) = _model(0), _images()
    traker = _traker(model, tmp_path)
    for model_id in (0, 1):
        state = _model(model_id + 5).state_dict()
        traker.load_checkpoint(state, model_id=model_id)
        traker.gradient_computer.stream = model_id
        for start in range(0, N, 10):
            rows = slice(start, min(N, start + 10))
            traker.featurize((pixels[rows], labels[rows]), inds=np.arange(rows.start, rows.stop))
        store = traker.saver.current_store
        assert store["is_featurized"].all()
        stored = torch.from_numpy(np.array(store["grads"])).double()
        grads = per_sample_gradients(_model(model_id + 5), pixels, labels)
        flat = torch.cat([g.flatten(1) for g in grads.values()], 1).double()
        expected = flat @ flat.T / flat.shape[1]  # traker divides by the square root of the size
        torch.testing.assert_close(stored @ stored.T, expected, rtol=1e-4, atol=1e-6)
        with torch.no_grad():
            p = _model(model_id + 5).eval()(pixels).softmax(1)[torch.arange(N), labels]
        torch.testing.assert_close(torch.from_numpy(np.array(store["out_to_loss"]))[:, 0], 1 - p)
        loss_grad = traker.gradient_computer.compute_loss_grad((pixels[:4], labels[:4]))  # another batch
        torch.testing.assert_close(loss_grad[:, 0], 1 - p[:4])


def test_a_forgotten_stream_is_an_error(tmp_path: Path) -> None:
    model, batch = _model(0), _images()
    traker = _traker(model, tmp_path)
    traker.load_checkpoint(model.state_dict(), model_id=0)
    with pytest.raises(InputError, match="stream"):
        traker.featurize(batch, inds=np.arange(N))
    traker.gradient_computer.stream = 4
    with pytest.raises(InputError, match="drawn for model 4, not 0"):
        traker.featurize(batch, inds=np.arange(N))
