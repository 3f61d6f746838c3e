"""Scaling law: error falls as a power of the number of training images, and a fit foretells a larger size.

Shape legend: S seeds, X sizes, W widths, M metrics (average and worst group), G groups.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.settings.base import Seeds, Settings
from pipeline.statistics.accuracy.worst_group import lowest_of
from studies.frame.lists import Counts
from studies.frame.study import (
    Chart,
    Finding,
    Line,
    Mark,
    Number,
    Study,
    Trainings,
    Verdict,
    line_over_seeds,
    over_seeds,
)
from studies.small.fits import N_DRAWS, Extrapolation, extrapolate, rank_correlation
from studies.small.images import cued_digits, first
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import all_of, told

METRICS = ("all images", "worst group")
MOST_WIDTH = 0.5  # of the interval, as a share of the fall over the fitted sizes: wider ones foretell nothing
N_TEST = 1600  # of images; the fewest that a group of four has is a quarter


class ScalingLawSettings(Settings):
    sizes: Counts = Field(min_length=5, description="training images, ascending; the law is fitted to them")
    held_out: int = Field(ge=100, description="the larger size that the fit must foretell")
    width: int = Field(ge=2, description="of both hidden layers")
    widths: Counts = Field(min_length=3, description="of the sweep of model size, ascending")
    width_size: int = Field(ge=50, description="training images of that sweep")
    strength: float = Field(
        ge=0.5, lt=1, description="share of training images whose tint agrees with the class"
    )
    ease: float = Field(gt=0, le=8, description="distance of the tints in their standard deviations")
    steps: int = Field(ge=10, description="of batches of 64: the same for every size, so data alone differ")
    seeds: Seeds = Field(min_length=3)


def train_size(settings: ScalingLawSettings, seed: int, n: int, width: int) -> Arrays:
    """Errors on all test images and of each group after training on n images, 1 + G."""
    most, test = cued_digits(seed, settings.held_out, strength=settings.strength, ease=settings.ease)
    train = first(most, n)
    model = make_mlp(train, [width, width], 2, seed)
    train_network(model, train, seed, steps=settings.steps, options={"schedule": "cosine"})
    n_parameters = sum(p.numel() for p in model.parameters())
    return {"errors": 1 - accuracies(model, test), "parameters": np.array(n_parameters)}


def run(settings: ScalingLawSettings, train: Trainings) -> Finding:
    sizes = [*settings.sizes, settings.held_out]
    by_size = {f"n{n}_seed{s}": (settings, s, n, settings.width) for s in settings.seeds for n in sizes}
    by_width = {
        f"width{w}_seed{s}": (settings, s, settings.width_size, w)
        for s in settings.seeds
        for w in settings.widths
    }
    found = train(train_size, by_size | by_width)
    shape = (len(settings.seeds), -1, len(found[next(iter(found))]["errors"]))
    errors_SXG = np.stack([found[name]["errors"] for name in by_size]).reshape(shape)
    wide_SWG = np.stack([found[name]["errors"] for name in by_width]).reshape(shape)
    parameters_W = np.array([found[name]["parameters"] for name in by_width])[: len(settings.widths)]
    worst = 1 + lowest_of(-errors_SXG[:, :-1, 1:].mean(axis=(0, 1)), range(shape[2] - 1)).group
    return judge(
        np.array(sizes, float), errors_SXG[:, :, [0, worst]], parameters_W, wide_SWG[:, :, [0, worst]]
    )


def judge(
    sizes_X: Float64Array, errors_SXM: Float64Array, parameters_W: Float64Array, wide_SWM: Float64Array
) -> Finding:
    """The verdict on errors by training size, the last of which is held out; model size is told beside it."""
    verdicts: list[Verdict] = []
    numbers: list[Number] = []
    lines: list[Line] = []
    told_parts = []
    n_seeds = len(errors_SXM)
    for m, name in enumerate(METRICS):
        errors_SX = errors_SXM[:, :, m]
        n_images = N_TEST // (4 if m else 1)
        law = extrapolate(sizes_X[:-1], errors_SX[:, :-1], sizes_X[-1], n_images=n_images, n_draws=N_DRAWS)
        seen = over_seeds(errors_SX[:, -1], least=0, most=1)
        fall = float(errors_SX[:, 0].mean() - errors_SX[:, -2].mean())
        verdicts.append(judge_law(law, seen.value, fall))
        numbers += _numbers(name, law, seen, n_seeds)
        lines += [
            line_over_seeds(name, sizes_X, np.maximum(errors_SX, 1e-4), log=True),
            _fitted(name, law, sizes_X),
        ]
        told_parts.append(
            f"{name}: exponent {told(law.exponent)}; at {sizes_X[-1]:,.0f} images an error of "
            f"{told(law.predicted, percent=True)} % was foretold and {100 * seen.value:.1f} % found"
        )
    slopes = [_trend(parameters_W, wide_SWM[:, :, m]) for m in range(len(METRICS))]
    for name, slope in zip(METRICS, slopes, strict=True):
        numbers.append(
            Number(title=f"rank correlation of error with model size, {name}", estimate=slope, seeds=n_seeds)
        )
    return Finding(
        verdict=all_of(verdicts),
        sentence=". ".join(told_parts)[:1].upper() + ". ".join(told_parts)[1:] + ".",
        numbers=numbers,
        charts=[
            Chart(
                title="Test error against training images", x_label="training images", y_label="test error",
                lines=lines, marks=[Mark(x=float(sizes_X[-1]), text="held out")], log_x=True, log_y=True,
                share=True,
            ),
            Chart(
                title="Test error against model size", x_label="parameters", y_label="test error",
                lines=[
                    line_over_seeds(name, parameters_W, wide_SWM[:, :, m], least=0, most=1)
                    for m, name in enumerate(METRICS)
                ],
                log_x=True, share=True,
            ),
        ],
        notes=[
            "Every size has as many optimizer steps, so that data alone differ.",
            "Hardly two decades of sizes: what the law does beyond it is not seen here.",
        ],
    )  # fmt: skip


def judge_law(law: Extrapolation, seen: float, fall: float) -> Verdict:
    """Of one curve: it falls for certain, and the held-out error lies in an interval that says something."""
    inside = law.predicted.low <= seen <= law.predicted.high
    if law.exponent.high <= 0 or not inside:
        return "refuted"
    is_informative = law.predicted.high - law.predicted.low <= MOST_WIDTH * fall
    return "supported" if law.exponent.low > 0 and is_informative else "not shown"


def _numbers(name: str, law: Extrapolation, seen: Estimate, n_seeds: int) -> list[Number]:
    return [
        Number(title=f"exponent, {name}", estimate=law.exponent, seeds=n_seeds),
        Number(title=f"error foretold, {name}", estimate=law.predicted, seeds=n_seeds, unit="share"),
        Number(title=f"error found, {name}", estimate=seen, seeds=n_seeds, unit="share"),
    ]


def _fitted(name: str, law: Extrapolation, sizes_X: Float64Array) -> Line:
    x = np.geomspace(sizes_X[0], sizes_X[-1], 40)  # more than are marked one by one
    draws = np.quantile([np.clip(draw.at(x), 1e-4, 1) for draw in law.draws], [0.025, 0.975], axis=0)
    y = np.clip(law.law.at(x), 1e-4, 1)
    return Line(
        name=f"{name}, fitted", x=x.tolist(), y=y.tolist(), low=draws[0].tolist(), high=draws[1].tolist()
    )


def _trend(parameters_W: Float64Array, errors_SW: Float64Array) -> Estimate:
    found = [rank_correlation(parameters_W, errors_W) for errors_W in errors_SW]
    return over_seeds(found, least=-1, most=1)


STUDY = Study(
    name="scaling_law",
    title="Scaling law",
    claim="Test error, of all images and of the worst group, is a power of the number of training images "
    "plus a "
    "floor: the exponent's interval lies above 0, and a fit to the smaller sizes foretells a size four times "
    "as large within an interval no wider than half of the fall that was fitted.",
    refuted_by="A held-out error outside the interval, or an exponent whose interval ends at or below 0.",
    source="Hestness et al. 2017 (arXiv:1712.00409); Hoffmann et al. 2022 (arXiv:2203.15556)",
    settings=ScalingLawSettings,
    run=run,
)
