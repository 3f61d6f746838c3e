"""Batch size and sharpness, and the loss on the line from ERM to group DRO.

Shape legend: S seeds, B batch sizes, A points of a line, G groups.
"""

from __future__ import annotations

import copy

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array, Split
from pipeline.settings.base import Seeds, Settings
from studies.frame.lists import Counts
from studies.frame.study import Chart, Finding, Mark, Number, Study, Trainings, line_over_seeds, over_seeds
from studies.small.images import cued_digits
from studies.small.measures import adaptive_sharpness, along_line, group_losses
from studies.small.networks import accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, ratio, told

RULES = ("as many steps", "as many epochs")
POINTS = tuple(np.linspace(-0.25, 1.25, 13).round(3).tolist())
SMALLEST = 1e-6  # sharpness below it is rounding


class BatchSizeSettings(Settings):
    batch_sizes: Counts = Field(min_length=2, description="ascending; the first and the last are compared")
    n_train: int = Field(ge=100)
    width: int = Field(ge=2, description="of both hidden layers")
    strength: float = Field(
        ge=0.5, lt=1, description="share of training images whose tint agrees with the class"
    )
    ease: float = Field(gt=0, le=8, description="distance of the tints in their standard deviations")
    steps: int = Field(ge=10, description="of the smallest batch; of all under the first rule")
    lr: float = Field(
        gt=0, description="of the smallest batch; under the second rule in proportion to the batch"
    )
    seeds: Seeds = Field(min_length=3)


def train_batch(settings: BatchSizeSettings, seed: int, batch_size: int, rule: str) -> Arrays:
    """Sharpness, training loss, and test accuracy of all images and of each group."""
    train, test = _images(settings, seed)
    model = make_mlp(train, [settings.width] * 2, 2, seed)
    smallest = settings.batch_sizes[0]
    if rule == RULES[0]:
        steps, lr = settings.steps, settings.lr
    else:
        steps, lr = settings.steps * smallest // batch_size, settings.lr * batch_size / smallest
    train_network(model, train, seed, steps=steps, options={"batch_size": batch_size, "lr": lr})
    return {
        "sharpness": np.array(adaptive_sharpness(model, train)),
        "train_loss": group_losses(model, train),
        "accuracy": accuracies(model, test),
    }


def train_line(settings: BatchSizeSettings, seed: int) -> Arrays:
    """Losses of training and test images from ERM (0) to group DRO (1), which begin at the same weights."""
    train, test = _images(settings, seed)
    start = make_mlp(train, [settings.width] * 2, 2, seed)
    erm, dro = copy.deepcopy(start), copy.deepcopy(start)
    train_network(erm, train, seed, steps=settings.steps)
    train_network(dro, train, seed, steps=settings.steps, group_dro=True)
    train_AG, test_AG = along_line(erm, dro, POINTS, train, [train, test])
    return {"train": train_AG, "test": test_AG}


def _images(settings: BatchSizeSettings, seed: int) -> tuple[Split, Split]:
    return cued_digits(seed, settings.n_train, strength=settings.strength, ease=settings.ease)


def run(settings: BatchSizeSettings, train: Trainings) -> Finding:
    tasks = {
        f"rule{r}_batch{b}_seed{s}": (settings, s, b, rule)
        for r, rule in enumerate(RULES)
        for s in settings.seeds
        for b in settings.batch_sizes
    }
    same = f"batch{settings.batch_sizes[0]}_"  # both rules mean the same for the smallest batch
    own = {name: task for name, task in tasks.items() if not name.startswith(f"rule1_{same}")}
    done = train(train_batch, own)
    found = [done[name.replace(f"rule1_{same}", f"rule0_{same}")] for name in tasks]
    shape = (len(RULES), len(settings.seeds), len(settings.batch_sizes))
    sharpness_RSB = np.array([arrays["sharpness"][0] for arrays in found]).reshape(shape)
    accuracy_RSB = np.array([arrays["accuracy"][0] for arrays in found]).reshape(shape)
    loss_RSB = np.array([arrays["train_loss"][0] for arrays in found]).reshape(shape)
    lines = list(train(train_line, {f"line_seed{s}": (settings, s) for s in settings.seeds}).values())
    train_SA = np.stack([arrays["train"][:, 0] for arrays in lines])
    worst_SA = np.stack([arrays["test"][:, 1:].max(axis=1) for arrays in lines])
    sizes_B = np.array(settings.batch_sizes, float)
    return judge(sizes_B, sharpness_RSB, accuracy_RSB, loss_RSB, train_SA, worst_SA)


def judge(
    sizes_B: Float64Array,
    sharpness_RSB: Float64Array,
    accuracy_RSB: Float64Array,
    loss_RSB: Float64Array,
    train_SA: Float64Array,
    worst_SA: Float64Array,
) -> Finding:
    """The verdict goes by the first rule; the second and the line are told beside it."""
    sharpness_RSB = np.maximum(sharpness_RSB, SMALLEST)
    n_seeds = len(train_SA)
    numbers, differences = [], []
    for rule, sharp_SB, right_SB in zip(RULES, sharpness_RSB, accuracy_RSB, strict=True):
        sharper = over_seeds(np.log(sharp_SB[:, -1] / sharp_SB[:, 0]))
        better = over_seeds(right_SB[:, 0] - right_SB[:, -1])
        differences.append((sharper, better))
        numbers += [
            Number(
                title=f"log of sharpness, largest / smallest batch, {rule}", estimate=sharper, seeds=n_seeds
            ),
            Number(
                title=f"test accuracy, smallest - largest batch, {rule}", estimate=better, seeds=n_seeds,
                unit="share",
            ),
        ]  # fmt: skip
    barrier = over_seeds(barriers(np.array(POINTS), train_SA))
    numbers.append(
        Number(title="barrier of the training loss, ERM to group DRO", estimate=barrier, seeds=n_seeds)
    )
    (sharper, better), other = differences
    ends = [POINTS.index(0.0), POINTS.index(1.0)]
    from_erm, to_dro = worst_SA[:, ends].mean(axis=0)
    return Finding(
        verdict=all_of([above(sharper), above(better)]),
        sentence=f"With {RULES[0]} the largest batch ends {told(ratio(sharper))} times as sharp as the "
        f"smallest, which is {told(better, percent=True)} points more accurate; with {RULES[1]} and a rate "
        f"in proportion these are {told(ratio(other[0]))} and {told(other[1], percent=True)}. From ERM to "
        f"group DRO the training loss rises by {told(barrier, 3)} above the straight line; the worst group's "
        f"test loss goes from {from_erm:.2f} to {to_dro:.2f}.",
        numbers=numbers,
        charts=[
            Chart(
                title="Adaptive sharpness against batch size", x_label="batch size",
                y_label="largest increase of the training loss",
                lines=[
                    line_over_seeds(rule, sizes_B, sharpness_SB, log=True)
                    for rule, sharpness_SB in zip(RULES, sharpness_RSB, strict=True)
                ],
                log_x=True, log_y=True,
            ),
            Chart(
                title="Test accuracy against batch size", x_label="batch size", y_label="test accuracy",
                lines=[
                    line_over_seeds(rule, sizes_B, accuracy_SB, least=0, most=1)
                    for rule, accuracy_SB in zip(RULES, accuracy_RSB, strict=True)
                ],
                log_x=True, share=True,
            ),
            Chart(
                title="Loss on the line from ERM to group DRO", x_label="share of the way", y_label="loss",
                lines=[
                    line_over_seeds("training images", POINTS, train_SA),
                    line_over_seeds("worst group, test", POINTS, worst_SA),
                ],
                marks=[Mark(x=0, text="ERM"), Mark(x=1, text="group DRO")],
            ),
        ],
        notes=[
            "Sharpness depends on how far a training has come: mean training loss of the smallest and the "
            "largest "
            f"batch is {loss_RSB[0, :, 0].mean():.3g} and {loss_RSB[0, :, -1].mean():.3g} with {RULES[0]}, "
            f"{loss_RSB[1, :, 0].mean():.3g} and {loss_RSB[1, :, -1].mean():.3g} with {RULES[1]}.",
        ],
    )  # fmt: skip


def barriers(points_A: Float64Array, loss_SA: Float64Array) -> Float64Array:
    """Largest height of each line between 0 and 1 above the straight one between its ends, S; 0 at least.

    Source: Frankle et al. 2020 (arXiv:1912.05671), linear mode connectivity.
    """
    inside = (points_A >= 0) & (points_A <= 1)
    t, loss_SA = points_A[inside], loss_SA[:, inside]
    straight_SA = (1 - t) * loss_SA[:, :1] + t * loss_SA[:, -1:]
    heights_S: Float64Array = (loss_SA - straight_SA).max(axis=1)
    return heights_S


STUDY = Study(
    name="batch_size",
    title="Batch size and sharpness",
    claim="After as many optimizer steps at one learning rate, the largest batch ends in a sharper minimum "
    "than "
    "the smallest (adaptive measure, so that the scale of weights does not count), and is less accurate on "
    "test "
    "images.",
    refuted_by="A flatter minimum or a higher test accuracy of the largest batch, with an interval that "
    "excludes 0.",
    source="Keskar et al. 2017 (arXiv:1609.04836); Kwon et al. 2021 (arXiv:2102.11600) for the measure; "
    "Goodfellow, "
    "Vinyals and Saxe 2015 (arXiv:1412.6544) for the line",
    settings=BatchSizeSettings,
    run=run,
)
