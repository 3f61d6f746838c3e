"""Grokking: modular addition is memorized first and understood much later, where weights decay.

Shape legend: M networks side by side (seeds), P modulus, N pairs, D width, H heads, W hidden units,
E evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import BoolArray, Float64Array
from pipeline.settings.base import Seeds, Settings
from pipeline.statistics.intervals import share_estimate
from studies.frame.study import (
    Chart,
    Finding,
    Line,
    Number,
    Study,
    Trainings,
    Verdict,
    geometric_over_seeds,
    line_over_seeds,
)

Weights = dict[str, Tensor]
Kind = Literal["mlp", "transformer"]
N_HEADS = 4
WARM_UP = 10  # steps
MEMORIZED = 0.99  # accuracy on training pairs
KNOWN = 0.95  # accuracy on held-out pairs
LATER = 3.0  # times as many steps


class GrokkingSettings(Settings):
    modulus: int = Field(ge=5, le=199)
    mlp_width: int = Field(ge=4, description="of the embedding; four times as many hidden units")
    transformer_width: int = Field(ge=4, multiple_of=N_HEADS)
    fractions: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        min_length=1, description="shares of all pairs that are trained on"
    )
    claimed: list[float] = Field(min_length=1, description="those that the claim is of; also without decay")
    decay: float = Field(gt=0, description="AdamW's weight decay")
    lr: float = Field(gt=0)
    steps: int = Field(ge=1)
    every: int = Field(ge=1, description="steps between evaluations")
    seeds: Seeds = Field(min_length=2)

    @model_validator(mode="after")
    def _claimed_are_trained(self) -> GrokkingSettings:
        extra = [share for share in self.claimed if share not in self.fractions]
        if extra:
            raise ValueError(f"claimed has {extra[0]:g}, which fractions ({self.fractions}) does not train")
        if self.every > self.steps:
            raise ValueError(f"every = {self.every} must be at most steps = {self.steps}")
        return self


def first_weights(kind: Kind, modulus: int, width: int, seeds: list[int]) -> Weights:
    """Normal weights of variance 1 / inputs, one network a seed, M first."""
    if kind == "mlp":
        shapes: dict[str, tuple[int, ...]] = {
            "embed": (modulus, width), "first": (width, 4 * width), "second": (width, 4 * width),
            "out": (4 * width, modulus),
        }  # fmt: skip
    else:
        square = (width, width)
        shapes = {
            "embed": (modulus + 1, width), "position": (3, width), "query": square, "key": square,
            "value": square, "project": square, "up": (width, 4 * width), "up_bias": (4 * width,),
            "down": (4 * width, width), "out": (width, modulus),
        }  # fmt: skip
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    weights = {}
    for name, shape in shapes.items():
        scale = (width if name in ("embed", "position") else shape[0]) ** -0.5 * (name != "up_bias")
        drawn = [torch.randn(shape, generator=generator) * scale for generator in generators]
        weights[name] = torch.stack(drawn).requires_grad_()
    return weights


def mlp_logits(w: Weights, a_MN: Tensor, b_MN: Tensor) -> Tensor:
    """One hidden ReLU layer on the two embedded numbers, M x N x P. What a number adds is computed once."""
    hidden = _rows(w["embed"] @ w["first"], a_MN) + _rows(w["embed"] @ w["second"], b_MN)
    return F.relu(hidden) @ w["out"]


def transformer_logits(w: Weights, a_MN: Tensor, b_MN: Tensor) -> Tensor:
    """One layer without normalization on `a b =`, read at `=`, M x N x P.

    As in Nanda et al. 2023; keys and values are computed once a number, since they depend on nothing else.
    """
    n_models, width = w["embed"].shape[0], w["embed"].shape[2]
    numbers, equals = w["embed"][:, :-1], w["embed"][:, -1:]
    seen = [part + w["position"][:, i : i + 1] for i, part in enumerate((numbers, numbers, equals))]
    rows = [a_MN, b_MN, torch.zeros_like(a_MN)]
    query_M1HD = (seen[2] @ w["query"]).view(n_models, 1, N_HEADS, -1)
    scores, values = [], []
    for part, row in zip(seen, rows, strict=True):
        key = (part @ w["key"]).view(n_models, -1, N_HEADS, width // N_HEADS)
        scores.append(_rows((key * query_M1HD).sum(3) / (width // N_HEADS) ** 0.5, row))
        values.append(_rows(part @ w["value"], row))
    share_3MNH = torch.stack(scores).softmax(0)
    mixed = sum(
        (share[..., None] * value.view(*share.shape, -1)).flatten(2)
        for share, value in zip(share_3MNH, values, strict=True)
    )
    stream = seen[2] + mixed @ w["project"]
    stream = stream + F.relu(stream @ w["up"] + w["up_bias"][:, None]) @ w["down"]
    logits: Tensor = stream @ w["out"]
    return logits


def _rows(table_MPD: Tensor, row_MN: Tensor) -> Tensor:
    return table_MPD.gather(1, row_MN[..., None].expand(-1, -1, table_MPD.shape[2]))


LOGITS: dict[str, Callable[[Weights, Tensor, Tensor], Tensor]] = {
    "mlp": mlp_logits,
    "transformer": transformer_logits,
}


def train_networks(
    settings: GrokkingSettings, kind: Kind, fraction: float, decay: float, width: int
) -> Arrays:
    """Accuracies E x 2 x M on training and on held-out pairs, of networks that share nothing.

    Ends early once all know the held-out pairs.
    """
    torch.set_num_threads(1)
    modulus, logits = settings.modulus, LOGITS[kind]
    pairs_N2 = torch.cartesian_prod(torch.arange(modulus), torch.arange(modulus))
    generators = [torch.Generator().manual_seed(seed + 1000) for seed in settings.seeds]
    order_MN = torch.stack([torch.randperm(modulus**2, generator=generator) for generator in generators])
    n_train = round(fraction * modulus**2)
    a_MN, b_MN = pairs_N2[order_MN].unbind(2)
    sum_MN = (a_MN + b_MN) % modulus
    weights = first_weights(kind, modulus, width, settings.seeds)
    # Adam's step is elementwise: each network is trained as if it were alone
    optimizer = torch.optim.AdamW(
        weights.values(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=decay, fused=True
    )
    accuracies: list[Tensor] = []
    for step in range(settings.steps + 1):
        if step % settings.every == 0:
            with torch.no_grad():
                right_MN = (logits(weights, a_MN, b_MN).argmax(2) == sum_MN).float()
            accuracies.append(torch.stack([right_MN[:, :n_train].mean(1), right_MN[:, n_train:].mean(1)]))
            if len(accuracies) > 1 and min(found[1].min() for found in accuracies[-2:]) >= KNOWN:
                break
        optimizer.param_groups[0]["lr"] = settings.lr * min(1.0, (step + 1) / WARM_UP)
        outputs = logits(weights, a_MN[:, :n_train], b_MN[:, :n_train])
        loss = F.cross_entropy(outputs.flatten(0, 1), sum_MN[:, :n_train].flatten())
        optimizer.zero_grad()
        (loss * len(settings.seeds)).backward()  # the sum of the networks' mean losses
        optimizer.step()
    return {"accuracies": torch.stack(accuracies).double().numpy()}


def run(settings: GrokkingSettings, train: Trainings) -> Finding:
    tasks, runs = {}, {}
    for kind, width in (("mlp", settings.mlp_width), ("transformer", settings.transformer_width)):
        for decay, fractions in ((settings.decay, settings.fractions), (0.0, settings.claimed)):
            for fraction in fractions:
                name = f"{kind}_{fraction}_{decay}"
                tasks[name] = (settings, kind, fraction, decay, width)
                runs[name] = (kind, fraction, decay)
    found = train(train_networks, tasks)
    curves = [Curves(*runs[name], settings.every, arrays["accuracies"]) for name, arrays in found.items()]
    return judge(curves, settings.claimed)


@dataclass(frozen=True)
class Curves:
    """One setting's networks during training."""

    kind: str
    fraction: float
    decay: float
    every: int  # steps between evaluations
    accuracies: Float64Array  # E x 2 x M: training pairs, held-out pairs

    def steps_to(self, part: int, accuracy: float) -> Float64Array:
        """Steps until each network reached it, M; NaN: never."""
        reached_EM = self.accuracies[:, part] >= accuracy
        first_M = reached_EM.argmax(0).astype(np.float64) * self.every
        return np.where(reached_EM.any(0), first_M, np.nan)

    @property
    def memorized(self) -> Float64Array:
        return self.steps_to(0, MEMORIZED)

    @property
    def known(self) -> Float64Array:
        return self.steps_to(1, KNOWN)

    @property
    def grokked(self) -> BoolArray:
        """Whether a network knew the held-out pairs, and much later than the others; a NaN is no."""
        return self.known >= LATER * np.maximum(self.memorized, self.every)


def judge(curves: Sequence[Curves], claimed: Sequence[float]) -> Finding:
    """Supported: each kind groks at a claimed fraction, in all seeds, and no network without decay knows."""
    kinds = list(dict.fromkeys(c.kind for c in curves))
    on = [c for c in curves if c.decay > 0]
    off = [c for c in curves if c.decay == 0 and c.fraction in claimed]
    best = {kind: _best([c for c in on if c.kind == kind and c.fraction in claimed]) for kind in kinds}
    n_seeds = on[0].accuracies.shape[2]
    n_off, n_known = len(off) * n_seeds, sum(int((c.known > 0).sum()) for c in off)
    grokked = {kind: int(c.grokked.sum()) for kind, c in best.items()}
    # who has not learned the training pairs yet has not failed to go on from there
    unfinished = [*off, *(c for c in on if c.fraction in claimed and grokked[c.kind] == 0)]
    if any(np.isnan(c.memorized).any() for c in unfinished):
        verdict: Verdict = "not shown"
    elif all(count == n_seeds for count in grokked.values()) and n_known == 0:
        verdict = "supported"
    elif any(count == 0 for count in grokked.values()) or 2 * n_known >= n_off:
        verdict = "refuted"
    else:
        verdict = "not shown"
    told = "; ".join(
        f"{kind}, {c.fraction:.0%} of the pairs: {grokked[kind]} of {n_seeds} networks know the held-out "
        f"pairs {_later(c)}"
        for kind, c in best.items()
    )
    return Finding(
        verdict=verdict,
        sentence=f"With weight decay: {told}. Without it, {n_known} of {n_off} networks ever know them.",
        numbers=_numbers(curves, n_seeds, n_known, n_off),
        charts=[*(_over_steps(kind, best[kind], off) for kind in kinds), _delays(kinds, on)],
        notes=["A small modulus and thousands of steps: what would come after these steps is not known."],
    )


def _best(candidates: Sequence[Curves]) -> Curves:
    """The one where most networks grok; of several the one with the fewest pairs."""
    return max(candidates, key=lambda c: (int(c.grokked.sum()), -c.fraction))


def _later(c: Curves) -> str:
    if not c.grokked.any():
        return "much later than the others"
    ratio = float(np.median((c.known / np.maximum(c.memorized, c.every))[c.grokked]))
    return f"{ratio:.0f} times later than the others (median)"


def _numbers(curves: Sequence[Curves], n_seeds: int, n_known: int, n_off: int) -> list[Number]:
    numbers = []
    for c in (c for c in curves if c.decay > 0):
        where = f"{c.kind}, {c.fraction:.0%} of the pairs"
        share = share_estimate(int(c.grokked.sum()), n_seeds)
        numbers.append(
            Number(title=f"{where}: networks that grok", estimate=share, seeds=n_seeds, unit="share")
        )
        delay_M = (c.known - c.memorized)[~np.isnan(c.known)]
        if len(delay_M) > 1:
            title = f"{where}: delay in steps (geometric mean) of those that know them"
            numbers.append(Number(title=title, estimate=geometric_over_seeds(delay_M), seeds=len(delay_M)))
    title = "networks without weight decay that know the held-out pairs"
    return [
        *numbers,
        Number(title=title, estimate=share_estimate(n_known, n_off), seeds=n_seeds, unit="share"),
    ]


def _over_steps(kind: str, best: Curves, off: Sequence[Curves]) -> Chart:
    """Accuracies of one kind at its best fraction, with and without decay."""
    twin = [c for c in off if c.kind == kind and c.fraction == best.fraction]
    lines = [_line("training pairs", best, 0), _line("held-out pairs", best, 1)]
    lines += [_line("held-out pairs, no weight decay", c, 1) for c in twin]
    return Chart(
        title=f"{kind}: accuracy with {best.fraction:.0%} of the pairs", x_label="steps",
        y_label="accuracy", lines=lines, log_x=True, share=True,
    )  # fmt: skip


def _line(name: str, c: Curves, part: int) -> Line:
    later = c.accuracies[1:, part]  # no logarithm of step 0
    return line_over_seeds(name, c.every * np.arange(1, len(later) + 1), later.T, least=0, most=1)


def _delays(kinds: Sequence[str], on: Sequence[Curves]) -> Chart:
    lines = []
    for kind in kinds:
        points = [c for c in on if c.kind == kind and not np.isnan(c.known).all()]
        both = (("held-out pairs known", "known"), ("training pairs known", "memorized"))
        for text, part in both if points else ():
            y = [float(np.nanmedian(getattr(c, part))) for c in points]
            lines.append(Line(name=f"{kind}: {text}", x=[c.fraction for c in points], y=y))
    return Chart(
        title="Steps (median) by share of pairs trained on, with weight decay", x_label="share of pairs",
        y_label="steps", lines=lines, log_y=True,
    )  # fmt: skip


STUDY = Study(
    name="grokking",
    title="Grokking",
    claim="Addition modulo a small number, full-batch AdamW: with weight decay 1 and a share between 30 and "
    "50 % of all pairs, a transformer and an MLP know the training pairs (99 %) first and the held-out pairs "
    "(95 %) at least three times as many steps later, in every seed; without weight decay no network knows "
    "the held-out pairs in the same number of steps.",
    refuted_by="An architecture of which no network groks at any share between 30 and 50 %; or half of the "
    "networks without weight decay that know the held-out pairs.",
    source="Power et al. 2022 (arXiv:2201.02177); Nanda et al. 2023 (arXiv:2301.05217); Liu, Michaud and "
    "Tegmark 2022 (arXiv:2210.01117)",
    settings=GrokkingSettings,
    run=run,
)
