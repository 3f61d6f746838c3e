"""Jacobian norm and generalization gap: do networks that are less sensitive at test images generalize better?

Shape legend: P networks.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import BoolArray, Float64Array
from pipeline.settings.base import Seed, Settings
from studies.frame.study import Chart, Finding, Line, Number, Study, Trainings
from studies.small.fits import rank_correlation, redrawn
from studies.small.images import cued_digits
from studies.small.measures import mean_jacobian_norm
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, told


class JacobianGapSettings(Settings):
    sizes: list[int] = Field(min_length=2, description="training images")
    widths: list[int] = Field(min_length=1, description="of both hidden layers")
    weight_decays: list[float] = Field(min_length=1)
    ease: float = Field(gt=0, le=8, description="distance of the tints, which say nothing of the class here")
    steps: int = Field(ge=10, description="of batches of 64")
    n_looked_at: int = Field(ge=10, description="test images that the norm is a mean over")
    seed: Seed  # of the first network; every network has data and weights of its own


def train_one(
    settings: JacobianGapSettings, seed: int, n: int, width: int, decay: float, augment: str
) -> Arrays:
    """Jacobian norm at test images, and accuracy on training and test images."""
    train, test = cued_digits(seed, n, strength=0.5, ease=settings.ease)
    model = make_mlp(train, [width, width], 2, seed)
    options = {"weight_decay": decay, "augment": augment}
    train_network(model, train, seed, steps=settings.steps, options=options)
    found = mean_jacobian_norm(model, test, settings.n_looked_at), accuracies(model, train)[0]
    return {"found": np.array([*found, accuracies(model, test)[0]])}


def run(settings: JacobianGapSettings, train: Trainings) -> Finding:
    ways = list(product(settings.sizes, settings.widths, settings.weight_decays, ("none", "crop")))
    tasks = {f"network{i}": (settings, settings.seed + i, *way) for i, way in enumerate(ways)}
    norm_P, train_P, test_P = np.stack([a["found"] for a in train(train_one, tasks).values()]).T
    return judge(norm_P, train_P - test_P, np.array([way[-1] == "crop" for way in ways]))


def judge(norm_P: Float64Array, gap_P: Float64Array, augmented_P: BoolArray) -> Finding:
    """The verdict on norms and gaps of P networks, with and without augmentation."""

    def overall(rows: np.ndarray) -> float:
        return rank_correlation(norm_P[rows], gap_P[rows])

    def within(rows: np.ndarray) -> float:
        kinds = [rows[augmented_P[rows] == kind] for kind in (True, False)]
        return float(np.mean([overall(kind) for kind in kinds if len(kind) > 2]))

    whole, inside = redrawn(overall, len(norm_P)), redrawn(within, len(norm_P))
    names = {False: "without augmentation", True: "with augmentation"}
    lines = [
        _scatter(name, norm_P[augmented_P == kind], gap_P[augmented_P == kind])
        for kind, name in names.items()
    ]
    return Finding(
        verdict=all_of([above(whole), above(inside)]),
        sentence=f"Over {len(norm_P)} networks the rank correlation of Jacobian norm and generalization gap "
        f"is {told(whole)}; within those with and without augmentation it is {told(inside)} on average.",
        numbers=[
            Number(title="rank correlation over networks", estimate=whole, seeds=1),
            Number(title="rank correlation over networks, within augmentation", estimate=inside, seeds=1),
        ],
        charts=[
            Chart(
                title="Gap against Jacobian norm, a point a network", x_label="Jacobian norm at test images",
                y_label="training accuracy - test accuracy", lines=lines, log_x=True, share=True, points=True,
            )
        ],
        notes=["Every network has data and first weights of its own; the interval is over networks."],
    )  # fmt: skip


def _scatter(name: str, x_P: Float64Array, y_P: Float64Array) -> Line:
    order = np.argsort(x_P)
    return Line(name=name, x=x_P[order].tolist(), y=y_P[order].tolist())


STUDY = Study(
    name="jacobian_gap",
    title="Sensitivity and generalization",
    claim="Over networks of several sizes, trained on more or fewer images, with more or less weight decay, "
    "with "
    "and without augmentation, a larger Jacobian norm at test images goes with a larger generalization gap: "
    "the "
    "rank correlation's interval lies above 0, also within those trained with and without augmentation.",
    refuted_by="A rank correlation whose interval lies below 0, over all networks or within augmentation.",
    source="Novak et al. 2018 (arXiv:1802.08760)",
    settings=JacobianGapSettings,
    run=run,
)
