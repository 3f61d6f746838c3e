"""Regularization: what textbooks say of L1, L2, polynomials, dropout, stochastic depth and early stopping.

Shape legend: S seeds, N samples, D features, G degrees, E evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.settings.base import Seeds, Settings
from studies.frame.ensembles import Recipe, load_digits_in_parts, train_ensemble, with_noise
from studies.frame.study import (
    Chart,
    Finding,
    Line,
    Number,
    Study,
    Trainings,
    Verdict,
    line_over_seeds,
    over_seeds,
)


class LinearSettings(Settings):
    samples: int = Field(ge=10)
    features: int = Field(ge=4)
    relevant: int = Field(ge=1, description="features with a weight of 1 or -1")
    noise: float = Field(ge=0)


class PolynomialSettings(Settings):
    samples: int = Field(ge=5)
    noise: float = Field(ge=0)
    degrees: list[int] = Field(min_length=3)
    ridge: float = Field(gt=0, description="penalty on squared weights of Legendre polynomials")


class NetworkSettings(Settings):
    n_train: int = Field(ge=50)
    n_val: int = Field(ge=50)
    label_noise: float = Field(ge=0, lt=1)
    width: int = Field(ge=4)
    blocks: int = Field(ge=1, description="residual blocks, of stochastic depth's comparison alone")
    steps: int = Field(ge=1)
    every: int = Field(ge=1)
    lr: float = Field(gt=0)
    dropout: float = Field(gt=0, lt=1)
    stochastic_depth: float = Field(gt=0, lt=1)


class RegularizationSettings(Settings):
    linear: LinearSettings
    polynomial: PolynomialSettings
    network: NetworkSettings
    seeds: Seeds = Field(min_length=2)


def linear(settings: RegularizationSettings) -> Arrays:
    """Of cross-validated lasso and ridge, and least squares: weights that are exactly 0, and lengths, S."""
    from sklearn.linear_model import LassoCV, RidgeCV

    s = settings.linear
    found: dict[str, list[float]] = {}
    for seed in settings.seeds:
        rng = np.random.default_rng([seed, 9])
        beta_D = np.zeros(s.features)
        beta_D[: s.relevant] = rng.choice([-1.0, 1.0], s.relevant)
        x_ND = rng.normal(size=(s.samples, s.features))
        y_N = x_ND @ beta_D + s.noise * rng.normal(size=s.samples)
        fits = {
            "l1": LassoCV(cv=5, random_state=0, max_iter=5000).fit(x_ND, y_N).coef_,
            "l2": RidgeCV(alphas=np.logspace(-2, 3, 30)).fit(x_ND, y_N).coef_,
            "none": np.linalg.lstsq(x_ND, y_N, rcond=None)[0],
        }
        for name, fit_D in fits.items():
            found.setdefault(f"zeros_{name}", []).append(float((fit_D[s.relevant :] == 0).mean()))
            found.setdefault(f"length_{name}", []).append(float(np.linalg.norm(fit_D)))
    return {name: np.array(values) for name, values in found.items()}


def polynomial(settings: RegularizationSettings) -> Arrays:
    """Squared errors of fits to a noisy sine by degree, S x G; the test points have no noise."""
    s = settings.polynomial
    errors: dict[str, list[list[float]]] = {"train": [], "test": [], "test_ridge": []}
    at_test = np.linspace(-1, 1, 401)
    for seed in settings.seeds:
        rng = np.random.default_rng([seed, 10])
        x_N = rng.uniform(-1, 1, s.samples)
        y_N = np.sin(np.pi * x_N) + s.noise * rng.normal(size=s.samples)
        for row in errors.values():
            row.append([])
        for degree in s.degrees:
            design = np.polynomial.legendre.legvander(x_N, degree)
            test = np.polynomial.legendre.legvander(at_test, degree)
            plain = np.linalg.lstsq(design, y_N, rcond=None)[0]
            penalized = np.linalg.solve(design.T @ design + s.ridge * np.eye(degree + 1), design.T @ y_N)
            errors["train"][-1].append(float(((design @ plain - y_N) ** 2).mean()))
            for name, fit in (("test", plain), ("test_ridge", penalized)):
                errors[name][-1].append(float(((test @ fit - np.sin(np.pi * at_test)) ** 2).mean()))
    return {name: np.array(rows) for name, rows in errors.items()}


def networks(settings: RegularizationSettings, blocks: int, dropout: float, depth: float) -> Arrays:
    """Accuracies on validation and test images during training with noisy labels, E x S."""
    s = settings.network
    digits = load_digits_in_parts(s.n_train, s.n_val)
    labels_SN = np.stack([with_noise(digits.train[1], s.label_noise, seed) for seed in settings.seeds])
    recipe = Recipe(s.width, s.steps, s.lr, s.every, blocks, dropout, depth)
    asked = [digits.val, digits.test]
    _, (val_ES, test_ES) = train_ensemble(recipe, digits.train[0], labels_SN, settings.seeds, asked)
    return {"val": val_ES, "test": test_ES}


def run(settings: RegularizationSettings, train: Trainings) -> Finding:
    s = settings.network
    tasks = {
        "plain": (settings, 0, 0.0, 0.0),
        "dropout": (settings, 0, s.dropout, 0.0),
        "deep": (settings, s.blocks, 0.0, 0.0),
        "stochastic_depth": (settings, s.blocks, 0.0, s.stochastic_depth),
    }
    trained = train(networks, tasks)
    return judge(
        train(linear, {"linear": (settings,)})["linear"],
        train(polynomial, {"polynomial": (settings,)})["polynomial"],
        trained,
        settings.polynomial.degrees,
        s.every,
    )


def judge(
    linear: Arrays, polynomial: Arrays, trained: Mapping[str, Arrays], degrees: list[int], every: int
) -> Finding:
    """Every claim by the interval of one number: above its limit, below, or neither."""
    last = {name: arrays["test"][-1] for name, arrays in trained.items()}
    test_ES, val_ES = trained["plain"]["test"], trained["plain"]["val"]
    n_seeds = test_ES.shape[1]
    stopped_S = test_ES[val_ES.argmax(axis=0), np.arange(n_seeds)]
    plain, ridge = np.log(polynomial["test"]), np.log(polynomial["test_ridge"])
    middle = plain.mean(axis=0).argmin()
    claims: list[tuple[str, str, Float64Array, float]] = [
        ("L1 makes weights exactly 0 that L2 leaves", "irrelevant weights that are exactly 0: L1 less L2",
         linear["zeros_l1"] - linear["zeros_l2"], 0.5),
        ("L2 shrinks weights", "length of the weights: least squares less L2",
         linear["length_none"] - linear["length_l2"], 0.0),
        ("the highest degree fits worse than a middle one", "log error, highest degree less the best one",
         plain[:, -1] - plain[:, middle], 0.0),
        ("L2 repairs the highest degree", "log error at the highest degree: plain less L2",
         plain[:, -1] - ridge[:, -1], 0.0),
        ("dropout helps", "test accuracy: dropout less plain", last["dropout"] - last["plain"], 0.0),
        ("stochastic depth helps", "test accuracy: stochastic depth less plain",
         last["stochastic_depth"] - last["deep"], 0.0),
        ("early stopping helps", "test accuracy: stopped by validation less the last step",
         stopped_S - last["plain"], 0.0),
    ]  # fmt: skip
    estimates = [over_seeds(values_S) for _, _, values_S, _ in claims]
    held = [e.low > limit for e, (*_, limit) in zip(estimates, claims, strict=True)]
    failed = [e.high <= limit for e, (*_, limit) in zip(estimates, claims, strict=True)]
    verdict: Verdict = "supported" if all(held) else "refuted" if any(failed) else "not shown"
    listed = {
        "holds": [text for (text, *_), is_held in zip(claims, held, strict=True) if is_held],
        "does not hold": [text for (text, *_), is_failed in zip(claims, failed, strict=True) if is_failed],
        "not shown": [text for (text, *_), a, b in zip(claims, held, failed, strict=True) if not a and not b],
    }
    sentence = " ".join(
        f"{word.capitalize()}: {', '.join(texts)}." for word, texts in listed.items() if texts
    )
    units = ["share", "number", "number", "number", "share", "share", "share"]
    return Finding(
        verdict=verdict,
        sentence=sentence,
        numbers=[
            Number.model_validate({"title": title, "estimate": e, "seeds": n_seeds, "unit": unit})
            for (_, title, *_), e, unit in zip(claims, estimates, units, strict=True)
        ],
        charts=[_degrees(polynomial, degrees), _steps(trained, every)],
    )


def _degrees(polynomial: Arrays, degrees: list[int]) -> Chart:
    titles = {"train": "training points", "test": "test, no penalty", "test_ridge": "test, L2"}
    lines = [line_over_seeds(text, degrees, polynomial[name], log=True) for name, text in titles.items()]
    return Chart(
        title="Polynomial regression", x_label="degree", y_label="squared error", lines=lines, log_y=True
    )


def _steps(trained: Mapping[str, Arrays], every: int) -> Chart:
    titles = {
        "plain": "plain", "dropout": "dropout", "deep": "with residual blocks",
        "stochastic_depth": "with blocks, stochastic depth",
    }  # fmt: skip
    lines: list[Line] = []
    for name, text in titles.items():
        test_ES = trained[name]["test"]
        lines.append(line_over_seeds(text, every * np.arange(len(test_ES)), test_ES.T))
    return Chart(
        title="Networks trained with noisy labels", x_label="steps", y_label="test accuracy", lines=lines,
        share=True,
    )  # fmt: skip


STUDY = Study(
    name="regularization",
    title="Regularization",
    claim="Seven claims, each by a 95 % interval over seeds. Lasso makes at least half more of the "
    "irrelevant weights exactly 0 than ridge; ridge's weights are shorter than those of least squares; the "
    "highest degree of a polynomial has a larger test error than the best one, and L2 makes it smaller; on "
    "digits with noisy labels dropout, stochastic depth and early stopping each raise test accuracy.",
    refuted_by="The interval of any of the seven numbers wholly at or below its limit (0.5 of the first, "
    "else 0).",
    source="Tibshirani 1996; Hoerl and Kennard 1970; Srivastava et al. 2014; Huang et al. 2016 "
    "(arXiv:1603.09382); Prechelt 1998",
    settings=RegularizationSettings,
    run=run,
)
