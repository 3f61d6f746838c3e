"""Lottery ticket: pruned networks that learn as well as the whole one, but only from their first weights.

Shape legend: S seeds, D densities, A arms (rewound, new first weights, random mask).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array, Split
from pipeline.models.interface import Classifier
from pipeline.settings.base import Seeds, Settings
from studies.frame.study import Chart, Finding, Mark, Number, Study, Trainings, line_over_seeds, over_seeds
from studies.small.images import plain_digits
from studies.small.networks import Mlp, accuracies, make_mlp, train_network
from studies.small.verdicts import above, all_of, told

ARMS = ("ticket: rewound to its first weights", "same mask, new first weights", "random mask")
TOLERANCE = 0.02  # of accuracy: as good as the whole network
Masks = dict[str, Tensor]  # 1 where a weight stays


class LotteryTicketSettings(Settings):
    n_train: int = Field(ge=100)
    widths: list[int] = Field(min_length=1, description="of the hidden layers")
    rounds: int = Field(ge=2, description="of pruning")
    kept: float = Field(
        gt=0, lt=1, description="share of each layer's weights that a round keeps; of the head's the root"
    )
    judged_round: int = Field(ge=1, description="after which the verdict is made")
    steps: int = Field(ge=10, description="of every training, of batches of 64")
    lr: float = Field(gt=0)
    seeds: Seeds = Field(min_length=3)


def train_tickets(settings: LotteryTicketSettings, seed: int) -> Arrays:
    """Test accuracy of the whole network and of each arm after each round, A x (1 + rounds); densities."""
    train, test = plain_digits(seed, settings.n_train)
    start = make_mlp(train, settings.widths, 10, seed)
    other = make_mlp(train, settings.widths, 10, seed + 10_000)
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.ones_like(p) for name, p in start.named_parameters() if p.ndim > 1}
    trained = _train(start, masks, train, seed, settings)
    whole = accuracies(trained, test)[0]
    found, densities = [[whole] * len(ARMS)], [1.0]
    for _ in range(settings.rounds):
        masks = prune(trained, masks, settings.kept)
        trained = _train(start, masks, train, seed, settings)
        others = [
            _train(other, masks, train, seed, settings),
            _train(start, shuffled(masks, generator), train, seed, settings),
        ]
        found.append([accuracies(model, test)[0] for model in (trained, *others)])
        densities.append(density(masks))
    return {"accuracy": np.array(found).T, "density": np.array(densities)}


def prune(model: Classifier, masks: Masks, kept: float) -> Masks:
    """Of each layer's weights that are left the largest `kept`; of the head's the root of it: it is small.

    Source: Frankle and Carbin 2019 (arXiv:1803.03635), magnitude by layer, the output layer at a lower rate.
    """
    found = {}
    for name, parameter in model.named_parameters():
        if name in masks:
            left = masks[name].bool()
            share = kept**0.5 if name.startswith("head") else kept
            n_kept = max(1, round(share * int(left.sum())))
            sizes = torch.where(left, parameter.detach().abs(), -1.0).flatten()
            mask = torch.zeros_like(sizes)
            mask[sizes.topk(n_kept).indices] = 1
            found[name] = mask.view_as(parameter)
    return found


def shuffled(masks: Masks, generator: torch.Generator) -> Masks:
    """As many weights of every layer, at random places."""
    return {
        name: mask.flatten()[torch.randperm(mask.numel(), generator=generator)].view_as(mask)
        for name, mask in masks.items()
    }


def density(masks: Masks) -> float:
    """Share of weights that are left."""
    return float(sum(m.sum() for m in masks.values()) / sum(m.numel() for m in masks.values()))


def _train(start: Mlp, masks: Masks, train: Split, seed: int, settings: LotteryTicketSettings) -> Classifier:
    """A copy of `start` trained with the masked weights at zero: they are put back after every step."""
    model = copy.deepcopy(start)

    @torch.no_grad()
    def mask(_: int, model: Classifier) -> None:
        for name, parameter in model.named_parameters():
            if name in masks:
                parameter.mul_(masks[name])

    mask(0, model)
    return train_network(model, train, seed, steps=settings.steps, options={"lr": settings.lr}, watch=mask)


def run(settings: LotteryTicketSettings, train: Trainings) -> Finding:
    found = list(train(train_tickets, {f"seed{s}": (settings, s) for s in settings.seeds}).values())
    return judge(found[0]["density"], np.stack([a["accuracy"] for a in found]), settings.judged_round)


def judge(density_D: Float64Array, accuracy_SAD: Float64Array, judged: int) -> Finding:
    """The verdict after round `judged` on test accuracies; the first density is the whole network's."""
    n_seeds = len(accuracy_SAD)
    ticket_S, fresh_S, random_S = accuracy_SAD[:, :, judged].T
    loss = over_seeds(ticket_S - accuracy_SAD[:, 0, 0])
    lead = over_seeds(ticket_S - fresh_S)
    numbers = [
        Number(title=title, estimate=estimate, seeds=n_seeds, unit="share")
        for title, estimate in (
            ("test accuracy, ticket - whole network", loss),
            ("test accuracy, ticket - same mask with new first weights", lead),
            ("test accuracy, ticket - random mask", over_seeds(ticket_S - random_S)),
            ("test accuracy, whole network", over_seeds(accuracy_SAD[:, 0, 0], least=0, most=1)),
        )
    ]
    return Finding(
        verdict=all_of([above(loss, -TOLERANCE), above(lead)]),
        sentence=f"With {density_D[judged]:.1%} of the weights the ticket is {told(loss, percent=True)} "
        "points from "
        f"the whole network, {told(lead, percent=True)} points above the same mask with new first weights "
        "and "
        f"{told(numbers[2].estimate, percent=True)} above a random mask.",
        numbers=numbers,
        charts=[
            Chart(
                title="Test accuracy against weights that are left", x_label="share of weights left",
                y_label="test accuracy",
                lines=[
                    line_over_seeds(name, density_D[::-1], accuracy_SAD[:, a, ::-1], least=0, most=1)
                    for a, name in enumerate(ARMS)
                ],
                marks=[Mark(x=float(density_D[judged]), text="judged here")], log_x=True, share=True,
            )
        ],
        notes=["Fully connected layers alone: in larger networks rewinding to the very start fails "
        "(arXiv:1912.05671)."],
    )  # fmt: skip


STUDY = Study(
    name="lottery_ticket",
    title="Lottery tickets",
    claim="Pruned by magnitude round after round to one weight in sixteen and rewound to its first weights, "
    "a network "
    "learns to within two points of the whole one, and better than the same mask with new first weights.",
    refuted_by="A loss certainly beyond two points, or new first weights that are certainly as good or "
    "better.",
    source="Frankle and Carbin 2019 (arXiv:1803.03635)",
    settings=LotteryTicketSettings,
    run=run,
)
