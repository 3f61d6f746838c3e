"""Memorization: networks learn what is simple first; noise makes them large, sensitive and easily flipped.

Shape legend: S seeds, V levels of label noise, E evaluations, N images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.indicators.attacks.linf import Budget, attack
from pipeline.indicators.norms import measure_norms
from pipeline.indicators.sensitivity import jacobian_norm
from pipeline.settings.base import Seeds, Settings
from studies.frame.ensembles import (
    Digits,
    Ensemble,
    Perceptron,
    Recipe,
    load_digits_in_parts,
    train_ensemble,
    with_random,
)
from studies.frame.lists import Shares
from studies.frame.study import (
    Chart,
    Finding,
    Number,
    Study,
    Trainings,
    Verdict,
    line_over_seeds,
    over_seeds,
)

SIDE = 8
CLEAN = 0.9  # accuracy on rightly labelled training images at which wrongly labelled ones are looked at
FOLLOWS = 0.5  # least rank correlation
MEASURES = {
    "sensitivity": "sensitivity",
    "critical": "share of critical samples",
    "norm": "norm of the weights",
}


class MemorizationSettings(Settings):
    levels: Shares = Field(
        min_length=3, description="shares of labels that are drawn at random, ascending from 0 to 1"
    )
    shown_level: float = Field(description="one of them: that of the order of learning")
    n_train: int = Field(ge=50)
    n_probe: int = Field(ge=50, description="further images that linear probes are fitted on")
    width: int = Field(ge=4)
    steps: int = Field(ge=1)
    every: int = Field(ge=1)
    lr: float = Field(gt=0)
    attack_radius: float = Field(gt=0, le=1, description="of critical samples, pixels in 0 to 1")
    attack_steps: int = Field(ge=1)
    measured_images: int = Field(ge=10, description="test images for sensitivity and critical samples")
    seeds: Seeds = Field(min_length=2)


def at_level(settings: MemorizationSettings, level: float) -> Arrays:
    """Networks trained with a share of random labels: accuracies E x S, measures S, linear probes S."""
    digits = load_digits_in_parts(settings.n_train, settings.n_probe)
    images, right_N = digits.train
    given_SN = np.stack([with_random(right_N, level, seed) for seed in settings.seeds])
    is_right_SN = given_SN == right_N
    recipe = Recipe(settings.width, settings.steps, settings.lr, settings.every)
    asked = [
        (images, given_SN),
        (images, np.where(is_right_SN, given_SN, -1)),
        (images, np.where(is_right_SN, -1, given_SN)),
        digits.test,
    ]
    networks, noted = train_ensemble(recipe, images, given_SN, settings.seeds, asked)
    start = Ensemble.start(recipe, images.shape[1], 10, settings.seeds)
    found = dict(zip(("given", "right", "wrong", "test"), noted, strict=True))
    found |= {"probe": probe(networks, digits), "probe_untrained": probe(start, digits)}
    pixels = torch.from_numpy(digits.test[0][: settings.measured_images]).view(-1, 1, SIDE, SIDE)
    each = [measure(networks.network(m), pixels, settings) for m in range(len(settings.seeds))]
    return found | {name: np.array([row[name] for row in each]) for name in MEASURES}


def measure(network: Perceptron, pixels: Tensor, settings: MemorizationSettings) -> dict[str, float]:
    """The audit's own numbers of one network at test images."""
    network.eval()
    budget = Budget(settings.attack_radius, settings.attack_steps, restarts=1, seed=0)
    with torch.no_grad():
        answers = network(pixels).argmax(1)
    return {
        "sensitivity": float(jacobian_norm(network, pixels).mean()),
        "critical": float(attack(network, pixels, answers, budget).flips_N.double().mean()),
        "norm": measure_norms(network)["norm"],
    }


@torch.no_grad()
def probe(networks: Ensemble, digits: Digits) -> Float64Array:
    """Test accuracies S of logistic regressions on features, of images that trained no network."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted, asked = (
        networks.features(torch.from_numpy(part[0])).numpy() for part in (digits.val, digits.test)
    )
    scores = []
    for fitted_NH, asked_NH in zip(fitted, asked, strict=True):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
        scores.append(model.fit(fitted_NH, digits.val[1]).score(asked_NH, digits.test[1]))
    return np.array(scores)


def run(settings: MemorizationSettings, train: Trainings) -> Finding:
    tasks = {f"level_{level}": (settings, level) for level in settings.levels}
    found = dict(zip(settings.levels, train(at_level, tasks).values(), strict=True))
    return judge(found, settings.shown_level, settings.every)


def judge(found: Mapping[float, Arrays], shown_level: float, every: int) -> Finding:
    """Every claim by the interval of one number over seeds: above its limit, below, or neither."""
    levels, shown = list(found), found[shown_level]
    random, real = found[max(levels)], found[min(levels)]
    wrong_S = _wrong_when_right_is_known(shown)
    claims: list[tuple[str, str, Float64Array, float]] = [
        ("random labels are learned by heart", "training accuracy on random labels",
         random["given"][-1], 0.95),
        ("right labels are learned before wrong ones",
         f"wrong labels not yet learned when {CLEAN:.0%} of the right ones are", 1 - wrong_S, 0.5),
        ("test accuracy falls while wrong labels are learned", "test accuracy: its best less its last",
         shown["test"].max(axis=0) - shown["test"][-1], 0.0),
    ]  # fmt: skip
    for name, title in MEASURES.items():
        rank_S = _rank_correlations(np.array(levels), np.stack([found[level][name] for level in levels]))
        claims.append((f"{title} rises with noise", f"rank correlation with noise: {title}", rank_S, FOLLOWS))
    claims.append(
        ("real labels make better features than random ones", "linear probe: real less random labels",
         real["probe"] - random["probe"], 0.0)
    )  # fmt: skip
    estimates = [over_seeds(values_S, least=-1, most=1) for _, _, values_S, _ in claims]
    held = [e.low > limit for e, (*_, limit) in zip(estimates, claims, strict=True)]
    failed = [e.high <= limit for e, (*_, limit) in zip(estimates, claims, strict=True)]
    if not held[0]:
        verdict: Verdict = "not shown"  # nothing was memorized, so nothing follows
    else:
        verdict = "supported" if all(held) else "refuted" if any(failed) else "not shown"
    listed = {
        "Holds": held,
        "Does not hold": failed,
        "Not shown": [not a and not b for a, b in zip(held, failed, strict=True)],
    }
    told = {
        word: [
            f"{text} ({e.value:.2f}, {e.low:.2f} to {e.high:.2f})"
            for (text, *_), e, is_so in zip(claims, estimates, rows, strict=True)
            if is_so
        ]
        for word, rows in listed.items()
    }
    n_seeds = len(wrong_S)
    numbers = [
        Number(title=title, estimate=e, seeds=n_seeds)
        for (_, title, *_), e in zip(claims, estimates, strict=True)
    ]
    probes = {
        "real labels": real["probe"], "random labels": random["probe"],
        "no training": real["probe_untrained"],
    }  # fmt: skip
    numbers += [
        Number(
            title=f"linear probe: {text}",
            estimate=over_seeds(values_S, least=0, most=1),
            seeds=n_seeds,
            unit="share",
        )
        for text, values_S in probes.items()
    ]
    return Finding(
        verdict=verdict,
        sentence=" ".join(f"{word}: {', '.join(texts)}." for word, texts in told.items() if texts),
        numbers=numbers,
        charts=[_order(shown, shown_level, every), _measures(found), _accuracies(found)],
        notes=["One hidden layer on digits of 8 x 8 pixels; larger networks may differ."],
    )


def _wrong_when_right_is_known(shown: Arrays) -> Float64Array:
    """Share of the wrong labels that are answered once the right ones are known, S; NaN: never known."""
    reached_ES = shown["right"] >= CLEAN
    first_S = reached_ES.argmax(axis=0)
    wrong_S = shown["wrong"][first_S, np.arange(len(first_S))]
    return np.where(reached_ES.any(axis=0), wrong_S, 1.0)


def _rank_correlations(levels_V: Float64Array, values_VS: Float64Array) -> Float64Array:
    """Spearman's, of each seed; 0 of a constant."""
    from scipy.stats import spearmanr

    moves_S = values_VS.std(axis=0) > 0  # what is the same at all levels does not rise
    rank_S = np.zeros(values_VS.shape[1])
    rank_S[moves_S] = [spearmanr(levels_V, column).statistic for column in values_VS.T[moves_S]]
    return rank_S


def _order(shown: Arrays, level: float, every: int) -> Chart:
    titles = {"right": "right training labels", "wrong": "wrong training labels", "test": "test images"}
    x = every * np.arange(len(shown["test"]))
    return Chart(
        title=f"Order of learning with {level:.0%} random labels", x_label="steps", y_label="accuracy",
        lines=[line_over_seeds(text, x, shown[name].T) for name, text in titles.items()], share=True,
    )  # fmt: skip


def _measures(found: Mapping[float, Arrays]) -> Chart:
    """Each measure relative to its mean without noise."""
    levels, first = list(found), found[min(found)]
    lines = [
        line_over_seeds(
            title, levels, np.stack([found[level][name] for level in levels], axis=1) / first[name].mean()
        )
        for name, title in MEASURES.items()
    ]
    return Chart(
        title="What follows noise",
        x_label="share of random labels",
        y_label="relative to no noise",
        lines=lines,
    )


def _accuracies(found: Mapping[float, Arrays]) -> Chart:
    levels = list(found)
    titles = {"given": "training labels as given", "test": "test images"}
    lines = [
        line_over_seeds(text, levels, np.stack([found[level][name][-1] for level in levels], axis=1))
        for name, text in titles.items()
    ]
    lines.append(
        line_over_seeds("linear probe, test", levels, np.stack([found[v]["probe"] for v in levels], axis=1))
    )
    return Chart(
        title="Accuracy after training", x_label="share of random labels", y_label="accuracy", lines=lines,
        share=True,
    )  # fmt: skip


STUDY = Study(
    name="memorization",
    title="Memorization",
    claim="Networks on digits learn random labels by heart (95 %). With noisy labels, less than half of the "
    "wrong labels are learned when 90 % of the right ones are, and test accuracy falls afterwards. "
    "Sensitivity, critical samples and the norm of the weights rise with the share of random labels (rank "
    "correlation above 0.5). Features learned from real labels serve a linear probe better than those from "
    "random labels. Each by a 95 % interval over seeds.",
    refuted_by="Any of these numbers with its interval wholly on the other side of its limit.",
    source="Arpit et al. 2017 (arXiv:1706.05394); Zhang et al. 2017 (arXiv:1611.03530); Maennel et al. 2020 "
    "(arXiv:2006.10455)",
    settings=MemorizationSettings,
    run=run,
)
