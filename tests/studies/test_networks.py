"""Networks side by side are the networks that they would be alone, and what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from studies.frame.ensembles import (
    Ensemble,
    Recipe,
    load_digits_in_parts,
    train_ensemble,
    with_noise,
    with_random,
)
from studies.grokking import LOGITS, N_HEADS, GrokkingSettings, first_weights, train_networks

RECIPE = Recipe(width=16, steps=12, lr=0.01, every=4, blocks=2)


def _problem() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((30, 5), np.float32), rng.integers(0, 3, (3, 30))


def test_a_network_of_an_ensemble_is_the_one_trained_alone() -> None:
    images, labels = _problem()
    asked = [(images, labels[1])]
    together, (accuracies,) = train_ensemble(RECIPE, images, labels, [4, 5, 6], asked)
    alone, (own,) = train_ensemble(RECIPE, images, labels[1:2], [5], asked)
    torch.testing.assert_close(together.first_MDH[1], alone.first_MDH[0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(together.blocks_LMHH[:, 1], alone.blocks_LMHH[:, 0], atol=2e-5, rtol=1e-4)
    assert accuracies.shape == (4, 3)
    assert accuracies[:, 1] == pytest.approx(own[:, 0])


def test_an_ensemble_of_one_is_a_plain_training() -> None:
    images, labels = _problem()
    found, _ = train_ensemble(RECIPE, images, labels[:1], [7], [])
    start = Ensemble.start(RECIPE, 5, 3, [7])
    first, one, two, last = (
        torch.nn.Parameter(part.detach().clone())
        for part in (start.first_MDH[0], *start.blocks_LMHH[:, 0], start.last_MHK[0])
    )
    optimizer = torch.optim.Adam([first, one, two, last], lr=0.01)
    for _ in range(RECIPE.steps):
        hidden = (torch.from_numpy(images) @ first).relu()
        hidden = hidden + (hidden @ one).relu()
        hidden = hidden + (hidden @ two).relu()
        optimizer.zero_grad()
        F.cross_entropy(hidden @ last, torch.from_numpy(labels[0])).backward()
        optimizer.step()
    torch.testing.assert_close(found.last_MHK[0], last, atol=2e-5, rtol=1e-4)


def test_the_network_that_is_measured_answers_as_the_ensemble() -> None:
    recipe = Recipe(width=16, steps=3, lr=0.01, every=1)
    images, labels = _problem()
    trained, _ = train_ensemble(recipe, images, labels, [4, 5, 6], [])
    pixels = torch.from_numpy(images).view(30, 1, 1, 5)
    torch.testing.assert_close(trained.network(2)(pixels), trained.logits(torch.from_numpy(images))[2])


def test_noise_changes_exactly_its_share_of_the_labels() -> None:
    labels = np.arange(200) % 10
    for share in (0.0, 0.35, 1.0):
        noisy = with_noise(labels, share, seed=3)
        assert (noisy != labels).mean() == share
        assert set(noisy) <= set(range(10))


def test_random_labels_are_right_by_chance() -> None:
    labels = np.arange(4000) % 10
    drawn = with_random(labels, 1.0, seed=3)
    assert (drawn == labels).mean() == pytest.approx(0.1, abs=0.02)
    assert (with_random(labels, 0.5, seed=3) == labels).mean() == pytest.approx(0.55, abs=0.02)
    assert (with_random(labels, 0.0, seed=3) == labels).all()


def test_parts_of_the_digits_share_no_image() -> None:
    digits = load_digits_in_parts(500, 300)
    sizes = [len(part[1]) for part in (digits.train, digits.val, digits.test)]
    assert sizes == [500, 300, 997]
    assert max(digits.train[0].max(), digits.test[0].max()) == 1


def _attend(w: dict[str, torch.Tensor], a: int, b: int, modulus: int) -> torch.Tensor:
    """One network's logits the long way: attention over three tokens, by torch's own function."""
    stream = w["embed"][[a, b, modulus]] + w["position"]
    heads = [(stream @ w[name]).view(3, N_HEADS, -1).transpose(0, 1) for name in ("query", "key", "value")]
    mixed = F.scaled_dot_product_attention(*heads).transpose(0, 1).flatten(1)
    stream = stream + mixed @ w["project"]
    stream = stream + (stream @ w["up"] + w["up_bias"]).relu() @ w["down"]
    return (stream @ w["out"])[2]


def test_the_transformer_is_the_one_that_attends_token_by_token() -> None:
    weights = first_weights("transformer", 7, 8, [0, 1])
    weights["up_bias"] = torch.randn(weights["up_bias"].shape)
    a, b = torch.tensor([[0, 3], [6, 2]]), torch.tensor([[5, 3], [1, 4]])
    found = LOGITS["transformer"](weights, a, b)
    for m in range(2):
        own = {name: part[m] for name, part in weights.items()}
        for n in range(2):
            slow = _attend(own, int(a[m, n]), int(b[m, n]), 7)
            torch.testing.assert_close(found[m, n], slow, atol=1e-5, rtol=1e-4)


def test_the_perceptron_embeds_both_numbers() -> None:
    weights = first_weights("mlp", 7, 4, [0])
    a, b = torch.tensor([[2]]), torch.tensor([[5]])
    w = {name: part[0] for name, part in weights.items()}
    hidden = (w["embed"][2] @ w["first"] + w["embed"][5] @ w["second"]).relu()
    torch.testing.assert_close(LOGITS["mlp"](weights, a, b)[0, 0], hidden @ w["out"])


def test_training_ends_when_all_is_known_and_notes_every_evaluation() -> None:
    settings = GrokkingSettings(
        modulus=5, mlp_width=16, transformer_width=8, fractions=[0.5], claimed=[0.5], decay=1.0, lr=0.01,
        steps=20, every=5, seeds=[0, 1],
    )  # fmt: skip
    found = train_networks(settings, "mlp", 0.6, 1.0, 16)["accuracies"]
    assert found.shape == (5, 2, 2)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[-1, 0] > found[0, 0]).all()
