"""What classifiers that see color alone, or detail alone, were asked to guess."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.records.base import Estimate
from pipeline.records.color import ColorResult, Predictability


class Guess(NamedTuple):
    """One question with its answer."""

    source: str  # what the classifier saw, in words
    found: Predictability

    @property
    def accuracy(self) -> Estimate:
        """Balanced accuracy with the interval of kappa, which is the same number on another scale."""
        chance = 1 / max(self.found.n_classes, 1)
        low, high = (chance + kappa * (1 - chance) for kappa in (self.found.low, self.found.high))
        return Estimate(value=self.found.balanced_accuracy, low=low, high=high, n=self.found.n)


def list_guesses(color: ColorResult) -> list[Guess]:
    """What was guessed from what, the label first."""
    asked: list[tuple[str, Predictability | None]] = [
        ("color, linear", color.color_only),
        ("color, linear", color.color_only_test),
        ("color, boosted trees", color.color_only_boosted_train),
        ("color, boosted trees", color.color_only_boosted),
        ("the background's color, linear", color.background_only),
        ("detail, not color: sharpness, noise, contrast, ink", color.detail_only),
    ]
    for audited in color.attributes:
        asked += [
            ("color, linear", audited.to_attribute),
            ("color, linear", audited.to_attribute_test),
            ("color, linear", audited.label_given_attribute),
            ("color, linear", audited.label_given_attribute_test),
        ]
    # a split that shows one class asks nothing
    return [Guess(source, found) for source, found in asked if found is not None and found.n_classes > 1]
