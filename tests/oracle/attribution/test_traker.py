"""`estimator: traker`: the library itself, from images to scores, with its own parts and with ours."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from trak import TRAKer

from pipeline.attribution.estimators.estimate import estimate
from pipeline.attribution.estimators.traker import TrakerStore
from pipeline.attribution.estimators.traker_interface import require_traker
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import to_pixels
from pipeline.settings.attribution import AttributeSettings, TrakerSettings
from tests.fixtures.attribution import make_examples, make_net, make_settings

N, M = 300, 12
ALL = slice(None)
OWN = TrakerSettings(projector="own", score_computer="own", lambda_reg=0.01)


def settings(**traker: object) -> AttributeSettings:
    chosen = TrakerSettings.model_validate({"lambda_reg": 1e-3, **traker})
    return make_settings(estimator="traker", traker=chosen, max_models=None)


def store_of(folder: Path, models: list[Classifier], chosen: AttributeSettings) -> TrakerStore:
    return TrakerStore(
        [[model] for model in models], train=make_examples(N, 1), targets=make_examples(M, 2),
        settings=chosen, work_dir=folder, device="cpu",
    )  # fmt: skip


def scores_of(folder: Path, models: list[Classifier], chosen: AttributeSettings) -> np.ndarray:
    store = store_of(folder, models, chosen)
    store.compute()
    return store.scores().block(ALL, ALL)


def test_with_our_parts_it_gives_our_scores(tmp_path: Path) -> None:
    runs, train, targets = [[make_net(0)], [make_net(1)]], make_examples(N, 1), make_examples(M, 2)
    ours, theirs = (
        estimate(runs, train=train, targets=targets, settings=chosen, work_dir=tmp_path / name, device="cpu")
        for name, chosen in (
            ("ours", make_settings()),
            ("theirs", make_settings(estimator="traker", traker=OWN)),
        )
    )
    assert theirs.engine.startswith("traker 0.3")
    assert "this project's gradients and projection and score computer" in theirs.engine
    assert "traker" not in ours.engine
    assert ours.plain is not None
    assert theirs.plain is not None
    for one, other in (
        (ours.scores, theirs.scores),
        (ours.plain, theirs.plain),
        (ours.cosines, theirs.cosines),
    ):
        expected = one.block(slice(0, N), slice(0, M))
        found = other.block(slice(0, N), slice(0, M))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * abs(expected).max())
    np.testing.assert_allclose(theirs.one_minus_p_N, ours.one_minus_p_N, rtol=1e-5)
    np.testing.assert_allclose(theirs.self_influence_N, ours.self_influence_N, rtol=1e-3)


class Linear(StagedClassifier):
    """Two classes from 108 pixel values: log-odds are linear, so gradients of an image are the image."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.PixelUnshuffle(6)), 108, 2, [0.5] * 3, [0.25] * 3)


def test_its_own_parts_give_exact_trak_where_nothing_is_lost_by_projection(tmp_path: Path) -> None:
    """Without a ridge an invertible map of gradients changes no score, and 109 dimensions hold them all."""
    torch.manual_seed(0)
    model, train, targets = Linear(), two_classes(make_examples(N, 1)), two_classes(make_examples(M, 2))
    chosen = settings(lambda_reg=0.0).model_copy(update={"proj_dim": 109})
    store = TrakerStore(
        [[model]], train=train, targets=targets, settings=chosen, work_dir=tmp_path, device="cpu"
    )
    store.compute()
    assert store.projection.kind == "dense"
    assert "project" not in store.engine
    one_minus_p_N, phi_NP, phi_MP = exact_gradients(model, train, targets)
    exact_NM = one_minus_p_N[:, None] * (phi_NP @ torch.linalg.pinv(phi_NP.T @ phi_NP) @ phi_MP.T).numpy()
    found_NM = store.scores().block(ALL, ALL)
    factor = (found_NM * exact_NM).sum() / (exact_NM**2).sum()  # its score computer has no unit
    assert factor > 0
    np.testing.assert_allclose(found_NM / factor, exact_NM, atol=0.01 * abs(exact_NM).max())


def two_classes(examples: Examples) -> Examples:
    return Examples(examples.images, examples.rows, examples.labels % 2, examples.groups, examples.ids)


def exact_gradients(
    model: Classifier, train: Examples, targets: Examples
) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """1 - p of the training images; gradients of log(p / (1 - p)) of both, weight and bias of class 1."""
    wide = model.double().eval()
    found = []
    for examples in (train, targets):
        features = wide.embed(to_pixels(examples.images).double()).detach()
        signs = torch.from_numpy(2 * examples.labels - 1).double()
        found.append(torch.cat([features, torch.ones(len(features), 1)], 1) * signs[:, None])
    p_N2 = wide(to_pixels(train.images).double()).softmax(1).detach().numpy()
    model.float()
    return 1 - p_N2[np.arange(len(train)), train.labels], found[0], found[1]


@pytest.mark.parametrize("projector", ["traker", "own"])
def test_a_killed_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, projector: str
) -> None:
    models, chosen = [make_net(0), make_net(1)], settings(projector=projector)
    whole = scores_of(tmp_path / "whole", models, chosen)
    featurize, done = TRAKer.featurize, []
    die_at = [28]  # 19 batches of the first network, 9 of the second

    def count(self: TRAKer, batch: list[torch.Tensor], inds: np.ndarray) -> None:
        if len(done) == die_at[0]:
            raise KeyboardInterrupt
        featurize(self, batch, inds=inds)
        done.append(inds[0])

    monkeypatch.setattr(TRAKer, "featurize", count)
    with pytest.raises(KeyboardInterrupt):
        store_of(tmp_path / "killed", models, chosen).compute()
    folder = next((tmp_path / "killed").iterdir())
    flags = np.load(folder / "1" / "_is_featurized.mmap", mmap_mode="r+")
    assert flags.sum() == 9 * 16
    flags[10 * 16 : 10 * 16 + 5] = 1  # killed while a batch was flagged: its gradients may be missing
    flags.flush()
    (folder / "experiments.json").write_text('{"targ')  # and while this was written
    die_at[0] = -1
    for _ in range(2):
        np.testing.assert_array_equal(scores_of(tmp_path / "killed", models, chosen), whole)
        assert len(done) == 2 * 19, "each batch once: what was done is not done again"


def test_a_network_that_was_flagged_but_not_noted_is_taken(tmp_path: Path) -> None:
    store = store_of(tmp_path, [make_net(0)], settings())
    store.compute()
    whole = store.scores().block(ALL, ALL)
    note = store.folder / "id_0.json"
    note.write_text('{"0": {"is_featurized": 0, "is_finalized": 0}}')
    np.testing.assert_array_equal(scores_of(tmp_path, [make_net(0)], settings()), whole)


def test_other_weights_are_not_taken_for_those_in_the_store(tmp_path: Path) -> None:
    first = scores_of(tmp_path, [make_net(0)], settings())
    second = scores_of(tmp_path, [make_net(1)], settings())
    assert abs(first - second).max() > 0.1 * abs(first).max()
    assert len(list(tmp_path.iterdir())) == 1, "the stale store is gone"


def test_it_is_quiet_and_leaves_the_networks_and_the_log_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model, handlers = make_net(0).train(), list(logging.getLogger().handlers)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scores_of(tmp_path, [model], settings())
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_sizes_without_meaning_name_its_own_setting(tmp_path: Path) -> None:
    chosen = settings(lambda_reg=0.0).model_copy(update={"proj_dim": 512})
    with pytest.raises(
        InputError, match=r"attribute\.traker\.lambda_reg = 0: .* Set attribute\.traker\.lambda"
    ):
        store_of(tmp_path, [make_net(0)], chosen)
    singular = settings(lambda_reg=0.0).model_copy(update={"traker": TrakerSettings(score_computer="own")})
    with pytest.raises(InputError, match=r"cannot be inverted. Raise attribute\.traker\.lambda_reg"):
        TrakerStore(
            [[make_net(0)]], train=repeated(N), targets=make_examples(M, 2), settings=singular,
            work_dir=tmp_path, device="cpu",
        ).compute()  # fmt: skip


def repeated(n: int) -> Examples:
    """One image over and over: one direction of gradients."""
    images = np.repeat(make_examples(1, 1).images, n, axis=0)
    return Examples(images, np.arange(n), np.zeros(n, int), np.zeros(n, int), np.arange(n))


def test_another_interface_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    require_traker()
    monkeypatch.delattr(TRAKer, "finalize_scores")
    with pytest.raises(
        InputError, match=r"interface of 0\.3; version .* pip install 'traker>=0\.3\.2,<0\.4'"
    ):
        require_traker()
