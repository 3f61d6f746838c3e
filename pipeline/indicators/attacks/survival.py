"""Which answers survive the strongest attack: one search that several indicators read.

Shape legend: S networks, R images of the sample, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.core.types import BoolArray, Float64Array, Int64Array, UInt8Array
from pipeline.indicators.attacks.linf import Budget, attack
from pipeline.indicators.indicator import ByImage, UnmeasuredError
from pipeline.indicators.looked_at import batches_of, networks, sampled_rows
from pipeline.indicators.subject import Subject
from pipeline.models.as_found import evaluating
from pipeline.models.interface import Classifier

Z_ONE_SIDED = 1.645  # 5 %


@dataclass(frozen=True)
class Survival:
    """What attacks on its own answers made of one network."""

    answers_R: Int64Array
    fgsm_flips_R: BoolArray
    flips_R: BoolArray
    masked_R: BoolArray


def survivals(subject: Subject) -> list[Survival]:
    """One for each of `networks(subject)`; the search is made once for all who ask.

    Each attack's label is the network's own answer. Where that is right it is the attack on the label.
    """
    found: list[Survival] | None = subject.shared.get("survivals")
    if found is None:
        images = subject.test.images[sampled_rows(subject)]
        settings = subject.settings
        budget = Budget(
            settings.attack_radius, settings.attack_steps, settings.attack_restarts, settings.seed
        )
        found = [_survival(model, images, budget) for model in networks(subject)]
        subject.shared["survivals"] = found
    return found


def _survival(model: Classifier, images_RHW3: UInt8Array, budget: Budget) -> Survival:
    parts = []
    with evaluating(model):
        for _, pixels in batches_of(images_RHW3, model):
            with torch.no_grad():
                answers = model(pixels).argmax(1)
            found = attack(model, pixels, answers, budget)
            parts.append((answers, found.fgsm_flips_N, found.flips_N, found.masked_N))
    return Survival(*(torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)))


def beats_constant(answers_R: Int64Array, labels_R: Int64Array) -> bool:
    """Whether the mean of the classes' accuracies is above 1 / K, which is every constant answer's.

    Above by 1.645 of its standard errors: an error of 5 % for a network that answers at random.
    """
    right_R = answers_R == labels_R
    classes = np.unique(labels_R)
    recall_K = np.array([right_R[labels_R == c].mean() for c in classes])
    n_K = np.array([np.count_nonzero(labels_R == c) for c in classes])
    error = np.sqrt((recall_K * (1 - recall_K) / n_K).sum()) / len(classes)
    return bool(recall_K.mean() - Z_ONE_SIDED * error > 1 / len(classes))


def accuracy_under_attack(subject: Subject, flips_of: Callable[[Survival], BoolArray], name: str) -> ByImage:
    """Right, and still right under attack, S x R x 1; networks that are no better than a constant: NaN.

    What always gives one answer survives everything, so it is not called robust.

    Raises:
        UnmeasuredError: no network is better than a constant.
    """
    found, labels_R = survivals(subject), subject.test.labels[sampled_rows(subject)]
    measured = [s for s in found if beats_constant(s.answers_R, labels_R)]
    if not measured:
        raise UnmeasuredError(
            "No network is right more often than one that gives a single answer to every image: what never "
            "changes its answer is not robust."
        )
    values_SR: Float64Array = np.full((len(found), len(labels_R)), np.nan)
    for s, survival in enumerate(found):
        if beats_constant(survival.answers_R, labels_R):
            values_SR[s] = (survival.answers_R == labels_R) & ~flips_of(survival)
    return ByImage(values_SR[:, :, None], tuple(_notes(measured, len(found), labels_R, flips_of, name)))


def _notes(
    measured: list[Survival],
    n_networks: int,
    labels_R: Int64Array,
    flips_of: Callable[[Survival], BoolArray],
    name: str,
) -> list[str]:
    right = [s.answers_R == labels_R for s in measured]
    clean = float(np.mean(right))
    robust = float(np.mean([r & ~flips_of(s) for r, s in zip(right, measured, strict=True)]))
    notes = [
        f"Without {name} {clean:.1%} of these images are right, with it {robust:.1%}: {robust / clean:.1%} "
        "of the right answers survive."
    ]
    if len(measured) < n_networks:
        notes.append(
            f"{n_networks - len(measured)} of {n_networks} networks are left out: they are right no more "
            "often than one that gives a single answer to every image."
        )
    return notes + masked_notes(measured)


def masked_notes(found: list[Survival]) -> list[str]:
    """Said where gradients vanish: attacks that go by cross-entropy alone would call that robust."""
    share = float(np.mean([s.masked_R.mean() for s in found]))
    if share == 0:
        return []
    return [
        f"For {share:.1%} of images the gradient of cross-entropy is zero, as the network is too certain: "
        "there the attack follows the logits instead."
    ]
