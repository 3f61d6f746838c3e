"""Simplicity bias: the stronger and the easier a cue, the later the images are learned that it misleads on.

Shape legend: S seeds, Q strengths, E eases, T times.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.models.interface import Classifier
from pipeline.settings.base import Seeds, Settings
from studies.frame.lists import Shares
from studies.frame.study import Chart, Finding, Number, Study, Trainings, line_over_seeds, over_seeds
from studies.small.fits import first_time, rank_correlation
from studies.small.images import cued_digits
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, told

LEVEL = 0.7  # of accuracy: learned
ALIKE = "Where all seeds have one and the same order their interval has no width: it says less than it seems."
CONFLICTING, ALIGNED = (2, 3), (1, 4)  # places in `accuracies`: label x tint


class SimplicityBiasSettings(Settings):
    strengths: Shares = Field(
        min_length=3, description="shares of training images whose tint agrees, ascending"
    )
    eases: Shares = Field(
        min_length=3, description="distances of the tints in standard deviations, ascending"
    )
    n_train: int = Field(ge=100)
    width: int = Field(ge=2, description="of both hidden layers")
    lr: float = Field(gt=0)
    steps: int = Field(ge=50, description="of batches of 64")
    n_times: int = Field(ge=8, description="when accuracy is measured, evenly on a logarithmic scale")
    seeds: Seeds = Field(min_length=3)


def times_of(settings: SimplicityBiasSettings) -> list[int]:
    """Steps after which accuracy is measured; the last is the end."""
    return sorted(set(np.geomspace(2, settings.steps, settings.n_times).round().astype(int).tolist()))


def train_cue(settings: SimplicityBiasSettings, seed: int, strength: float, ease: float) -> Arrays:
    """Accuracy of conflicting and of aligned test images at each time, 2 x T."""
    train, test = cued_digits(seed, settings.n_train, strength=strength, ease=ease)
    times, seen = set(times_of(settings)), []

    def watch(step: int, model: Classifier) -> None:
        if step in times:
            groups = accuracies(model, test)
            seen.append([groups[list(kind)].mean() for kind in (CONFLICTING, ALIGNED)])

    model = make_mlp(train, [settings.width] * 2, 2, seed)
    train_network(model, train, seed, steps=settings.steps, options={"lr": settings.lr}, watch=watch)
    return {"curves": np.array(seen).T}


def run(settings: SimplicityBiasSettings, train: Trainings) -> Finding:
    tasks = {
        f"strength{q}_ease{e}_seed{s}": (settings, s, strength, ease)
        for s in settings.seeds
        for q, strength in enumerate(settings.strengths)
        for e, ease in enumerate(settings.eases)
    }
    curves = np.stack([arrays["curves"] for arrays in train(train_cue, tasks).values()])
    shape = (len(settings.seeds), len(settings.strengths), len(settings.eases), *curves.shape[1:])
    times_T = np.array(times_of(settings), float)
    return judge(times_T, np.array(settings.strengths), np.array(settings.eases), curves.reshape(shape))


def judge(
    times_T: Float64Array, strengths_Q: Float64Array, eases_E: Float64Array, curves_SQE2T: Float64Array
) -> Finding:
    """The verdict on accuracies of conflicting and aligned images, S x Q x E x 2 x T."""
    delay_SQE = delays(times_T, curves_SQE2T)
    n_seeds = len(delay_SQE)
    by_strength = over_seeds(
        [
            float(np.mean([rank_correlation(strengths_Q, d_Q) for d_Q in delay_QE.T]))
            for delay_QE in delay_SQE
        ],
        least=-1,
        most=1,
    )
    by_ease = over_seeds(
        [float(np.mean([rank_correlation(eases_E, d_E) for d_E in delay_QE])) for delay_QE in delay_SQE],
        least=-1,
        most=1,
    )
    hardest_ST = curves_SQE2T[:, -1, -1, 0]
    least = over_seeds(hardest_ST.min(axis=1), least=0, most=1)
    never = float((first_times(times_T, curves_SQE2T[..., 0, :]) == np.inf).mean())
    widths = {
        name: over_seeds([rise_width(times_T, curve_T) for curve_T in curves])
        for name, curves in (
            ("strongest, easiest cue", hardest_ST),
            ("weakest, hardest cue", curves_SQE2T[:, 0, 0, 0]),
        )
    }
    numbers = [
        Number(title="rank correlation of delay with strength", estimate=by_strength, seeds=n_seeds),
        Number(title="rank correlation of delay with ease", estimate=by_ease, seeds=n_seeds),
        Number(
            title="lowest accuracy of conflicting images, strongest and easiest cue", estimate=least,
            seeds=n_seeds, unit="share",
        ),
    ]  # fmt: skip
    numbers += [
        Number(
            title=f"steps at 3/4 of the worst group's rise / steps at 1/4, log, {name}",
            estimate=e,
            seeds=n_seeds,
        )
        for name, e in widths.items()
    ]
    strongest, weakest = widths.values()
    return Finding(
        verdict=all_of([above(by_strength), above(by_ease)]),
        sentence=f"The delay of conflicting images goes with the cue's strength (rank correlation "
        f"{told(by_strength)}) and with its ease ({told(by_ease)}). With the strongest and easiest cue their "
        f"accuracy first falls to {told(least, percent=True)} %, far below chance where the cue is learned "
        "first, "
        f"and the middle half of its rise takes a factor of {np.exp(strongest.value):.1f} in steps, against "
        f"{np.exp(weakest.value):.1f} with the weakest and hardest.",
        numbers=numbers,
        charts=[
            Chart(
                title="Accuracy of conflicting test images while training, easiest cue", x_label="steps",
                y_label="accuracy",
                lines=[
                    line_over_seeds(f"strength {q:g}", times_T, curves_SQE2T[:, i, -1, 0], least=0, most=1)
                    for i, q in enumerate(strengths_Q)
                ],
                log_x=True, share=True,
            ),
            Chart(
                title="Delay of conflicting images", x_label="ease of the cue (d')",
                y_label="steps of conflicting / of aligned images",
                lines=[
                    line_over_seeds(f"strength {q:g}", eases_E, np.exp(delay_SQE[:, i]), log=True)
                    for i, q in enumerate(strengths_Q)
                ],
                log_y=True,
            ),
        ],
        notes=[
            f"{never:.0%} of the trainings never reach {LEVEL:.0%} on conflicting images; they count as "
            "twice all "
            "steps, and ranks go by that.",
            *([ALIKE] if by_strength.low == by_strength.high or by_ease.low == by_ease.high else []),
        ],
    )  # fmt: skip


def first_times(times_T: Float64Array, curves: Float64Array) -> Float64Array:
    """When each curve (... x T) reaches `LEVEL` for good; inf: never."""
    flat = curves.reshape(-1, curves.shape[-1])
    return np.array([first_time(times_T, curve_T, LEVEL) for curve_T in flat]).reshape(curves.shape[:-1])


def delays(times_T: Float64Array, curves_SQE2T: Float64Array) -> Float64Array:
    """log of the conflicting images' time over the aligned ones', S x Q x E; never: twice the end."""
    times_SQE2 = np.minimum(first_times(times_T, curves_SQE2T), 2 * times_T[-1])
    found_SQE: Float64Array = np.log(times_SQE2[..., 0] / times_SQE2[..., 1])
    return found_SQE


def rise_width(times_T: Float64Array, curve_T: Float64Array) -> float:
    """log of the time at 3/4 of the rise over that at 1/4, from the lowest point to the end."""
    lowest = int(curve_T.argmin())
    bottom, rise = float(curve_T[lowest]), float(curve_T[-1] - curve_T[lowest])
    if rise <= 0:
        return 0.0
    times = [first_time(times_T[lowest:], curve_T[lowest:], bottom + share * rise) for share in (0.25, 0.75)]
    return float(np.log(times[1] / times[0]))


STUDY = Study(
    name="simplicity_bias",
    title="Simplicity bias",
    claim="Test images on which a tint misleads are learned later than those on which it is right, the more "
    "so the "
    "stronger the tint goes with the class in training and the easier it is to see: both rank correlations "
    "of the "
    f"delay (steps until {LEVEL:.0%} are right) have intervals above 0.",
    refuted_by="A rank correlation whose interval lies below 0.",
    source="Shah et al. 2020 (arXiv:2006.07710)",
    settings=SimplicityBiasSettings,
    run=run,
)
