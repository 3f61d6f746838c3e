"""Delayed robustness: does accuracy under attack and corruption rise long after test accuracy has settled?

Shape legend: S seeds, T times, K kinds of accuracy, N images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.indicators.attacks.linf import Budget
from pipeline.models.interface import Classifier
from pipeline.pixels.corruptions.corrupt import corrupt
from pipeline.records.base import Estimate
from pipeline.settings.base import Seeds, Settings
from studies.frame.study import Chart, Finding, Number, Study, Trainings, Verdict, line_over_seeds, over_seeds
from studies.small.fits import first_time
from studies.small.images import plain_digits
from studies.small.measures import survives_attack
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, ratio, told

KINDS = ("test images", "corrupted", "attacked (PGD)")
SETTLED = 0.95  # of the final accuracy
LEAST_RISE = 0.05  # of accuracy, after test accuracy has settled
LEAST_FACTOR = 3.0  # of steps


class DelayedRobustnessSettings(Settings):
    n_train: int = Field(ge=100)
    n_test: int = Field(ge=50, description="images that are attacked and corrupted")
    widths: list[int] = Field(min_length=1, description="of the hidden layers")
    steps: int = Field(ge=100, description="of batches of 64")
    n_times: int = Field(ge=8, description="when accuracy is measured, evenly on a logarithmic scale")
    lr: float = Field(gt=0, description="of AdamW")
    weight_decay: float = Field(ge=0)
    attack_radius: float = Field(gt=0, le=1, description="largest change of a pixel; pixels are in 0 to 1")
    attack_steps: int = Field(ge=1)
    corruptions: list[str] = Field(min_length=1)
    severity: int = Field(ge=1, le=5)
    seeds: Seeds = Field(min_length=3)


def times_of(settings: DelayedRobustnessSettings) -> list[int]:
    """Steps after which accuracy is measured; the last is the end."""
    return sorted(set(np.geomspace(5, settings.steps, settings.n_times).round().astype(int).tolist()))


def train_long(settings: DelayedRobustnessSettings, seed: int) -> Arrays:
    """Accuracy of each kind at each time, K x T."""
    train, test = plain_digits(seed, settings.n_train, n_test=settings.n_test)
    corrupted = [
        replace(test, images=corrupt(test.images, name, settings.severity, seed=seed, ids_N=test.ids))
        for name in settings.corruptions
    ]
    budget = Budget(settings.attack_radius, settings.attack_steps, restarts=1, seed=seed)
    times, seen = set(times_of(settings)), []

    def watch(step: int, model: Classifier) -> None:
        if step in times:
            hard = np.mean([accuracies(model, split)[0] for split in corrupted])
            seen.append([accuracies(model, test)[0], hard, survives_attack(model, test, budget).mean()])

    options = {"optimizer": "adamw", "lr": settings.lr, "weight_decay": settings.weight_decay}
    model = make_mlp(train, settings.widths, 10, seed)
    train_network(model, train, seed, steps=settings.steps, options=options, watch=watch)
    return {"curves": np.array(seen).T}


def run(settings: DelayedRobustnessSettings, train: Trainings) -> Finding:
    found = train(train_long, {f"seed{s}": (settings, s) for s in settings.seeds})
    return judge(np.array(times_of(settings), float), np.stack([a["curves"] for a in found.values()]))


@dataclass(frozen=True)
class Delay:
    rise: Estimate  # of accuracy from when test accuracy has settled to the end
    factor: Estimate  # log of the steps until it has settled itself over those of test accuracy

    @property
    def verdict(self) -> Verdict:
        """It rises by `LEAST_RISE` or more afterwards, and takes `LEAST_FACTOR` times as long or more."""
        return all_of([above(self.rise, LEAST_RISE), above(self.factor, float(np.log(LEAST_FACTOR)))])


def judge(times_T: Float64Array, curves_SKT: Float64Array) -> Finding:
    """The verdict on accuracies of S seeds, K kinds, T times."""
    n_seeds = len(curves_SKT)
    delays = {
        name: find_delay(times_T, curves_SKT[:, 0], curves_SKT[:, k]) for k, name in enumerate(KINDS) if k
    }
    numbers = []
    for name, delay in delays.items():
        numbers += [
            Number(
                title=f"rise after test accuracy has settled, {name}",
                estimate=delay.rise,
                seeds=n_seeds,
                unit="share",
            ),
            Number(
                title=f"log of steps to settle / those of test images, {name}",
                estimate=delay.factor,
                seeds=n_seeds,
            ),
        ]
    parts = [
        f"accuracy on {name} images changes by {told(delay.rise, percent=True)} points afterwards and takes "
        f"{told(ratio(delay.factor), 1)} times as long"
        for name, delay in delays.items()
    ]
    settled = float(np.mean([settling_time(times_T, curve_T) for curve_T in curves_SKT[:, 0]]))
    return Finding(
        verdict=all_of([delay.verdict for delay in delays.values()]),
        sentence=f"Test accuracy has settled after {settled:,.0f} steps; " + "; ".join(parts) + ".",
        numbers=numbers,
        charts=[
            Chart(
                title="Accuracy along a long training", x_label="steps", y_label="accuracy",
                lines=[
                    line_over_seeds(name, times_T, curves_SKT[:, k], least=0, most=1)
                    for k, name in enumerate(KINDS)
                ],
                log_x=True, share=True,
            )
        ],
        notes=[
            "Parts: " + "; ".join(f"{name}: {delay.verdict}" for name, delay in delays.items()) + ".",
            f"The longest training is {times_T[-1]:,.0f} steps: what comes later is not seen.",
        ],
    )  # fmt: skip


def settling_time(times_T: Float64Array, curve_T: Float64Array) -> float:
    """From when on a curve stays within 5 % of its end, which is the mean of its last three values."""
    end = float(curve_T[-3:].mean())
    return min(first_time(times_T, -np.abs(curve_T - end), -(1 - SETTLED) * end), float(times_T[-1]))


def find_delay(times_T: Float64Array, clean_ST: Float64Array, hard_ST: Float64Array) -> Delay:
    """Of one kind of accuracy behind test accuracy, paired by seed."""
    rises, factors = [], []
    for clean_T, hard_T in zip(clean_ST, hard_ST, strict=True):
        settled = settling_time(times_T, clean_T)
        then = float(np.interp(np.log(settled), np.log(times_T), hard_T))
        rises.append(float(hard_T[-3:].mean()) - then)
        factors.append(float(np.log(settling_time(times_T, hard_T) / settled)))
    return Delay(over_seeds(rises), over_seeds(factors))


STUDY = Study(
    name="delayed_robustness",
    title="Delayed robustness",
    claim="Along a long training, accuracy under attack (PGD) and on corrupted images still rises by five "
    "points or "
    "more after test accuracy has settled (within 5 % of its end), and settles itself after three times as "
    "many "
    "steps or more.",
    refuted_by="A rise certainly below five points or a factor certainly below three, of either.",
    source="Humayun, Balestriero and Baraniuk 2024 (arXiv:2402.15555)",
    settings=DelayedRobustnessSettings,
    run=run,
)
