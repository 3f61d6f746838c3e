"""Flat minima: do SAM and SWA end in flatter minima than SGD, and are they more accurate?

Shape legend: S seeds, M methods (SGD first).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.settings.base import Seeds, Settings
from studies.frame.study import Chart, Finding, Line, Number, Study, Trainings, over_seeds
from studies.small.images import cued_digits
from studies.small.measures import adaptive_sharpness
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, ratio, told

METHODS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SAM": {"sam_rho": 0.05},
    "ASAM": {"sam_rho": 0.5, "sam_adaptive": True},
    "SWA": {"average": "swa", "swa_start": 0.75},
}
SMALLEST = 1e-6  # sharpness below it is rounding


class FlatMinimaSettings(Settings):
    n_train: int = Field(ge=100)
    width: int = Field(ge=2, description="of both hidden layers")
    strength: float = Field(
        ge=0.5, lt=1, description="share of training images whose tint agrees with the class"
    )
    ease: float = Field(gt=0, le=8, description="distance of the tints in their standard deviations")
    steps: int = Field(ge=10, description="of batches of 64")
    lr: float = Field(gt=0, description="constant, for all alike")
    seeds: Seeds = Field(min_length=3)


def train_method(settings: FlatMinimaSettings, seed: int, method: str) -> Arrays:
    """Adaptive sharpness (worst, average), and test accuracy of all images and of each group."""
    train, test = cued_digits(seed, settings.n_train, strength=settings.strength, ease=settings.ease)
    model = make_mlp(train, [settings.width] * 2, 2, seed)
    options = {"lr": settings.lr, **METHODS[method]}
    train_network(model, train, seed, steps=settings.steps, options=options)
    return {"sharpness": np.array(adaptive_sharpness(model, train)), "accuracy": accuracies(model, test)}


def run(settings: FlatMinimaSettings, train: Trainings) -> Finding:
    tasks = {f"{m}_seed{s}": (settings, s, m) for s in settings.seeds for m in METHODS}
    found = list(train(train_method, tasks).values())
    shape = (len(settings.seeds), len(METHODS))
    return judge(
        np.array([a["sharpness"][0] for a in found]).reshape(shape),
        np.array([a["accuracy"][0] for a in found]).reshape(shape),
        np.array([a["accuracy"][1:].min() for a in found]).reshape(shape),
    )


def judge(sharpness_SM: Float64Array, accuracy_SM: Float64Array, worst_SM: Float64Array) -> Finding:
    """The verdict on SAM and SWA; ASAM is told beside them."""
    log_SM = np.log(np.maximum(sharpness_SM, SMALLEST))
    n_seeds, names = len(log_SM), list(METHODS)
    numbers, verdicts, parts = [], [], []
    for m, name in enumerate(names[1:], start=1):
        flatter = over_seeds(log_SM[:, 0] - log_SM[:, m])
        better = over_seeds(accuracy_SM[:, m] - accuracy_SM[:, 0])
        worst = over_seeds(worst_SM[:, m] - worst_SM[:, 0])
        numbers += [
            Number(title=f"log of sharpness, SGD / {name}", estimate=flatter, seeds=n_seeds),
            Number(title=f"test accuracy, {name} - SGD", estimate=better, seeds=n_seeds, unit="share"),
            Number(
                title=f"worst group's accuracy, {name} - SGD", estimate=worst, seeds=n_seeds, unit="share"
            ),
        ]
        if name in ("SAM", "SWA"):
            verdicts += [above(flatter), above(better)]
        parts.append(
            f"{name} ends {told(ratio(flatter))} times as flat and {told(better, percent=True)} points more "
            "accurate"
        )
    return Finding(
        verdict=all_of(verdicts),
        sentence="Beside SGD, " + "; ".join(parts) + ".",
        numbers=numbers,
        charts=[
            Chart(
                title="Test accuracy against sharpness, a point a network", x_label="adaptive sharpness",
                y_label="test accuracy",
                lines=[
                    _scatter(name, np.exp(log_SM[:, m]), accuracy_SM[:, m]) for m, name in enumerate(names)
                ],
                log_x=True, share=True, points=True,
            )
        ],
        notes=["SAM and ASAM cost two gradients a step: with as many steps they have twice the work."],
    )  # fmt: skip


def _scatter(name: str, x_S: Float64Array, y_S: Float64Array) -> Line:
    order = np.argsort(x_S)
    return Line(name=name, x=x_S[order].tolist(), y=y_S[order].tolist())


STUDY = Study(
    name="flat_minima",
    title="Flat minima",
    claim="After as many steps, SAM and SWA end in flatter minima than SGD (adaptive measure, so that the "
    "scale of "
    "weights does not count) and are more accurate on test images: all four intervals lie above 0.",
    refuted_by="A sharper minimum or a lower accuracy of either, with an interval that excludes 0.",
    source="Foret et al. 2021 (arXiv:2010.01412); Izmailov et al. 2018 (arXiv:1803.05407); Kwon et al. 2021 "
    "(arXiv:2102.11600) for the measure",
    settings=FlatMinimaSettings,
    run=run,
)
