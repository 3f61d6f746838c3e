"""Gradient cosine and last-layer TRAK against slow loops, traker itself and planted truths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from trak import TRAKer
from trak.projectors import NoOpProjector

from pipeline.attribution.estimators.cosine import grad_cosine as cosine_of_factors
from pipeline.attribution.estimators.last_layer import last_layer_trak
from pipeline.attribution.proof.group_effects import group_shares
from pipeline.attribution.scores import Factor, FactoredScores
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError, TrainingError
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import to_pixels
from pipeline.statistics.intervals import sidak_confidence

ALL = slice(None)


def make_linear(seed: int, n_classes: int = 3) -> Classifier:
    """A head on 12 pixels' averages: its last layer is all of it."""
    torch.manual_seed(seed)
    stages = nn.Sequential(nn.AvgPool2d(3), nn.PixelUnshuffle(2))
    return StagedClassifier(stages, 12, n_classes, [0.5] * 3, [0.25] * 3).eval()


def make_examples(n: int, seed: int, n_classes: int = 3) -> Examples:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return Examples(images, np.arange(n), rng.integers(0, n_classes, n), rng.integers(0, 2, n), np.arange(n))


def flip(examples: Examples) -> Examples:
    """The same images under the other one of two labels."""
    return Examples(examples.images, examples.rows, 1 - examples.labels, examples.groups, examples.ids)


def loop_gradients(model: Classifier, examples: Examples, *, of: str) -> torch.Tensor:
    """Gradients of the margin or of the loss, one image at a time, N x parameters, in float64."""
    model = _double(model)
    rows = []
    for image, label in zip(examples.images, examples.labels, strict=True):
        p = model(to_pixels(image[None]).double()).softmax(dim=1)[0, label]
        value = -p.log() if of == "loss" else (p / (1 - p)).log()
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, list(model.parameters()))]))
    return torch.stack(rows)


def _double(model: Classifier) -> Classifier:
    copy = make_linear(0, model.head.out_features)
    copy.load_state_dict(model.state_dict())
    return copy.double()


def loss_weights(model: Classifier, examples: Examples) -> torch.Tensor:
    p = _double(model)(to_pixels(examples.images).double()).softmax(dim=1)
    return 1 - p[torch.arange(len(examples)), torch.from_numpy(examples.labels)].detach()


def last_layer(models: list[Classifier], train: Examples, targets: Examples, **changes) -> FactoredScores:
    settings = {"ridge": 0.5, "loss_weighting": 1.0, "seed": 0} | changes
    return last_layer_trak(models, train=train, targets=targets, **settings)


def grad_cosine(train, targets) -> FactoredScores:
    factors = [Factor(a.__getitem__, b.__getitem__) for a, b in zip(train, targets, strict=True)]
    return cosine_of_factors(factors, n_train=len(train[0]), n_targets=len(targets[0]), dim=train[0].shape[1])


# --- gradient cosine ---


def test_cosine_equals_a_dense_loop_over_loss_gradients() -> None:
    models, train, targets = [make_linear(0), make_linear(1)], make_examples(40, 2), make_examples(7, 3)
    margins = [
        (loop_gradients(m, train, of="margin"), loop_gradients(m, targets, of="margin")) for m in models
    ]
    scores = grad_cosine([a.numpy() for a, _ in margins], [b.numpy() for _, b in margins])
    expected = np.zeros((40, 7))
    for model in models:
        losses = loop_gradients(model, train, of="loss"), loop_gradients(model, targets, of="loss")
        for row in range(40):
            for column in range(7):
                cosine = torch.cosine_similarity(losses[0][row], losses[1][column], dim=0)
                expected[row, column] += float(cosine) / 2
    np.testing.assert_allclose(scores.block(ALL, ALL), expected, atol=2e-6)
    pieces = [scores.block(slice(a, a + 9), slice(2, 5)) for a in range(0, 40, 9)]
    np.testing.assert_allclose(np.concatenate(pieces), expected[:, 2:5], atol=2e-6)
    assert scores.shape == (40, 7)


def test_a_step_on_a_training_image_moves_margins_the_way_the_cosine_says() -> None:
    model, train, targets = make_linear(0), make_examples(6, 2), make_examples(30, 3)
    margin = loop_gradients(model, train, of="margin"), loop_gradients(model, targets, of="margin")
    scores = grad_cosine([margin[0].numpy()], [margin[1].numpy()]).block(ALL, ALL)
    before = margins(model, targets)
    for row, step in enumerate(loop_gradients(model, train, of="loss")):
        moved = _double(model)
        with torch.no_grad():
            nn.utils.vector_to_parameters(
                nn.utils.parameters_to_vector(moved.parameters()) - 1e-4 * step, moved.parameters()
            )
        change = (margins(moved, targets) - before).numpy()
        clear = np.abs(scores[row]) > 0.05
        assert clear.sum() > 5
        np.testing.assert_array_equal(np.sign(change)[clear], np.sign(scores[row])[clear])


def margins(model: Classifier, examples: Examples) -> torch.Tensor:
    p = _double(model)(to_pixels(examples.images).double()).softmax(dim=1)
    own = p[torch.arange(len(examples)), torch.from_numpy(examples.labels)].detach()
    return (own / (1 - own)).log()


def test_a_copy_has_cosine_one_and_a_copy_with_the_other_label_minus_one() -> None:
    model, targets = make_linear(0, n_classes=2), make_examples(9, 3, n_classes=2)
    same, flipped = (loop_gradients(model, e, of="margin").numpy() for e in (targets, flip(targets)))
    assert np.diag(grad_cosine([same], [same]).block(ALL, ALL)) == pytest.approx(np.ones(9))
    assert np.diag(grad_cosine([flipped], [same]).block(ALL, ALL)) == pytest.approx(-np.ones(9))


def test_cosine_of_unrelated_features_is_null_and_of_no_feature_zero() -> None:
    rng = np.random.default_rng(0)
    train, targets = rng.normal(size=(400, 256)), rng.normal(size=(60, 256))
    train[7] = 0
    scores = grad_cosine([train], [targets]).block(ALL, ALL)
    assert (scores[7] == 0).all()
    assert abs(scores.mean()) < 4 / np.sqrt(scores.size * 256)
    assert scores.std() == pytest.approx(1 / 16, rel=0.05)  # 1 / sqrt(dimensions)


def test_cosine_reads_half_precision_memory_maps(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    train, targets = 500 * rng.normal(size=(50, 2048)), 500 * rng.normal(size=(6, 2048))  # <x, y> over fp16
    stored = np.memmap(tmp_path / "train", np.float16, "w+", shape=train.shape)
    stored[:] = train
    half = grad_cosine([stored], [targets.astype(np.float16)]).block(ALL, ALL)
    np.testing.assert_allclose(half, grad_cosine([train], [targets]).block(ALL, ALL), atol=1e-4)


def test_no_network_is_refused() -> None:
    with pytest.raises(InputError, match="at least one trained model"):
        cosine_of_factors([], n_train=3, n_targets=2, dim=4)
    with pytest.raises(InputError, match="at least one trained model"):
        last_layer([], make_examples(5, 2), make_examples(3, 3))


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(TrainingError, match="not finite"):
        grad_cosine([np.full((3, 4), np.nan)], [np.ones((2, 4))]).block(ALL, ALL)


# --- last-layer TRAK ---


@pytest.mark.parametrize("loss_weighting", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_last_layer_equals_the_closed_form_of_a_slow_loop(n_classes: int, loss_weighting: float) -> None:
    models = [make_linear(0, n_classes), make_linear(1, n_classes)]
    train, targets = make_examples(80, 2, n_classes), make_examples(9, 3, n_classes)
    total, weight = 0, 0
    for model in models:
        g_train = loop_gradients(model, train, of="margin")
        g_target = loop_gradients(model, targets, of="margin")
        ridge = 0.5 * g_train.square().sum(dim=1).mean()
        kernel = g_train.T @ g_train + ridge * torch.eye(g_train.shape[1])
        total = total + g_train @ torch.linalg.solve(kernel, g_target.T) / 2
        weight = weight + loss_weights(model, train) / 2
    expected = (total * weight[:, None] ** loss_weighting).numpy()
    scores = last_layer(models, train, targets, loss_weighting=loss_weighting)
    np.testing.assert_allclose(scores.block(ALL, ALL), expected, rtol=1e-3, atol=1e-5 * abs(expected).max())
    pieces = [scores.block(slice(a, a + 9), slice(2, 5)) for a in range(0, 80, 9)]
    np.testing.assert_allclose(np.concatenate(pieces), scores.block(ALL, ALL)[:, 2:5], rtol=1e-4, atol=1e-7)


def test_last_layer_equals_traker_on_all_parameters_of_a_linear_model(tmp_path: Path) -> None:
    model, train, targets = make_linear(0), make_examples(150, 2), make_examples(9, 3)
    n_parameters = 39
    # traker divides gradients by the root of the number of parameters, and its ridge is absolute
    square = float(loop_gradients(model, train, of="margin").square().sum(dim=1).mean()) / n_parameters
    traker = TRAKer(
        model=make_linear(0),
        task="image_classification",
        train_set_size=150,
        save_dir=str(tmp_path),
        device="cpu",
        projector=NoOpProjector(grad_dim=n_parameters, device="cpu"),
        lambda_reg=0.5 * square,
        use_half_precision=False,
        logging_level=50,
    )
    traker.load_checkpoint(model.state_dict(), model_id=0)
    traker.featurize(train.batch(0, 150, "cpu"), num_samples=150)
    traker.finalize_features()
    traker.start_scoring_checkpoint("all", model.state_dict(), 0, num_targets=9)
    traker.score(targets.batch(0, 9, "cpu"), num_samples=9)
    theirs = np.array(traker.finalize_scores("all"))
    ours = last_layer([model], train, targets).block(ALL, ALL)
    factor = (theirs * ours).sum() / (ours**2).sum()  # traker scales each model's scores
    assert factor > 0
    np.testing.assert_allclose(theirs / factor, ours, rtol=1e-2, atol=1e-3 * abs(ours).max())


def test_last_layer_sees_through_a_body_and_leaves_the_model_as_it_was() -> None:
    torch.manual_seed(3)
    stages = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    model = StagedClassifier(stages, 8, 3, [0.5] * 3, [0.25] * 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train, targets = make_examples(60, 2), make_examples(5, 3)
    scores = last_layer([model], train, targets, batch_size=7).block(ALL, ALL)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    np.testing.assert_allclose(
        scores, last_layer([model], train, targets).block(ALL, ALL), rtol=1e-3, atol=1e-6
    )


def test_a_sketch_of_the_last_layer_keeps_the_scores_nearly() -> None:
    models, train, targets = (
        [make_linear(s, 12) for s in range(4)],
        make_examples(300, 2, 12),
        make_examples(40, 3, 12),
    )
    exact = last_layer(models, train, targets).block(ALL, ALL)
    sketched = last_layer(models, train, targets, most_dimensions=110).block(ALL, ALL)  # of 143
    assert np.corrcoef(exact.ravel(), sketched.ravel())[0, 1] > 0.85
    other = last_layer(models, train, targets, most_dimensions=110, seed=1).block(ALL, ALL)
    assert not np.allclose(sketched, other)


def test_second_moment_is_regular_without_ridge_unless_a_feature_is_constant() -> None:
    train, targets = make_examples(200, 2), make_examples(5, 3)
    assert np.isfinite(last_layer([make_linear(0)], train, targets, ridge=0).block(ALL, ALL)).all()
    black = Examples(train.images.copy(), train.rows, train.labels, train.groups, train.ids)
    black.images[:, :, :, 0] = 0  # a constant feature is a multiple of the bias
    with pytest.raises(InputError, match=r"Raise attribute\.ridge"):
        last_layer([make_linear(0)], black, targets, ridge=0)


def test_weights_that_are_not_finite_are_refused() -> None:
    model = make_linear(0)
    model.head.weight.data[0, 0] = torch.nan
    with pytest.raises(TrainingError, match="not finite"):
        last_layer([model], make_examples(50, 2), make_examples(5, 3))


def test_images_with_the_other_label_harm_and_groups_drawn_at_random_do_not() -> None:
    """Planted: a tenth of the training labels is flipped. Null: groups that mean nothing."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 1000)
    images = rng.integers(0, 200, (1000, 6, 6, 3)) + 25 * labels[:, None, None, None]
    flipped = rng.random(1000) < 0.1
    model = make_linear(0, n_classes=2)
    given = np.where(flipped, 1 - labels, labels)
    train = Examples(images.astype(np.uint8), np.arange(1000), given, labels, np.arange(1000))
    targets = make_examples(200, 6, n_classes=2)
    targets.images[:] = rng.integers(0, 200, (200, 6, 6, 3)) + 25 * targets.labels[:, None, None, None]
    fit(model, train)
    effect = last_layer([model], train, targets).block(ALL, ALL).mean(axis=1).astype(np.float64)
    wrong = group_shares(effect, flipped.astype(np.int64), ["right", "wrong"], 100)[1]
    assert wrong.harmful.value > 0.8
    assert wrong.harmful.low > wrong.expected
    assert wrong.helpful.high < wrong.expected
    nothing = group_shares(
        effect, rng.integers(0, 4, 1000), list("abcd"), 100, confidence=sidak_confidence(8)
    )
    assert all(s.low <= share.expected <= s.high for share in nothing for s in (share.harmful, share.helpful))


def fit(model: Classifier, examples: Examples) -> None:
    pixels, labels = examples.batch(0, len(examples), "cpu")
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(pixels), labels).backward()
        optimizer.step()


def test_sums_of_last_layer_scores_equal_those_of_the_matrix() -> None:
    scores = last_layer([make_linear(0), make_linear(1)], make_examples(50, 2), make_examples(5, 3))
    matrix, rng = scores.block(ALL, ALL).astype(np.float64), np.random.default_rng(0)
    assert scores.shape == matrix.shape == (50, 5)
    weights_NI, weights_MJ = rng.random((50, 3)), rng.random((5, 2))
    np.testing.assert_allclose(scores.train_sums(weights_NI), weights_NI.T @ matrix, atol=1e-6)
    np.testing.assert_allclose(scores.target_sums(weights_MJ), matrix @ weights_MJ, atol=1e-6)
