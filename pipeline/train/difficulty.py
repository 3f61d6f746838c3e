"""How hard each training image was: answers that were forgotten, and how wrong the first ones were.

A forgetting event is a draw that is answered wrong after the draw before it was answered right; an image
that was never right has none, and `n_right` = 0 tells it from one that was never forgotten. An image that
a batch holds more than once is judged by its first place there.

EL2N is the length of softmax minus the label's indicator, in 0..sqrt(2), averaged over an image's draws in
the first tenth of the epochs. Its source averages over networks instead of draws; here seeds are there
for that. Both are of the images as the steps saw them, with their augmentation.

Source: Toneva et al. 2019 (arXiv:1812.05159); Paul et al. 2021 (arXiv:2107.07075).

Shape legend: N training images, B images of a batch at hand, K classes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Dynamics, Int64Array
from pipeline.parallel.rank import World

_UNIT = 2.0**-24  # as margins: whole multiples, so that no order of adding matters
EARLY = 0.1  # share of the epochs that EL2N looks at
_RIGHT, _FORGOTTEN, _LAST, _ERROR, _EARLY_DRAWS = range(5)


def n_early_epochs(n_epochs: int) -> int:
    """Epochs that EL2N looks at.

    >>> n_early_epochs(30), n_early_epochs(4)
    (3, 1)
    """
    return math.ceil(EARLY * n_epochs)


class Difficulty:
    """Running sums over a run and all processes."""

    def __init__(self, n_images: int, n_epochs: int, device: torch.device, *, is_mixed: bool) -> None:
        """Where images are mixed nothing is noted: a mixed image has no label of its own."""
        self.is_mixed = is_mixed
        self._n_early = n_early_epochs(n_epochs)
        # right draws, forgetting events, whether the last draw was right, EL2N in units, draws behind it
        self._sums_5N = torch.zeros((5, n_images), dtype=torch.int64, device=device)

    def add(
        self,
        logits_BK: Tensor,
        labels_B: Tensor,
        correct_B: Tensor,
        rows: Int64Array,
        *,
        epoch: int,
        world: World,
    ) -> None:
        """Take in one step: this process's logits, labels and answers, and the whole batch's rows."""
        if self.is_mixed:
            return
        correct_B = world.gather(correct_B.long(), len(rows))
        first = np.unique(rows, return_index=True)[1]
        places = torch.from_numpy(np.stack([rows[first], first])).to(correct_B.device, non_blocking=True)
        index, right = places[0], correct_B[places[1]]
        forgotten = self._sums_5N[_LAST, index] > right
        self._sums_5N[_RIGHT, index] += right
        self._sums_5N[_FORGOTTEN, index] += forgotten
        self._sums_5N[_LAST, index] = right
        if epoch < self._n_early:
            units_B = world.gather(_in_units(error_lengths(logits_BK, labels_B)), len(rows))
            self._sums_5N[_ERROR, index] += units_B[places[1]]
            self._sums_5N[_EARLY_DRAWS, index] += 1

    def into(self, dynamics: Dynamics) -> Dynamics:
        """`dynamics` with what is known so far; NaN of images that were not drawn, and where images mix."""
        right_N, forgotten_N, _, error_N, early_N = self._sums_5N.cpu().numpy()
        drawn_N = (dynamics.n_drawn > 0) & (not self.is_mixed)
        return replace(
            dynamics,
            forgetting=np.where(drawn_N, forgotten_N, np.nan),
            n_right=np.where(drawn_N, right_N, np.nan),
            el2n=np.where(drawn_N & (early_N > 0), error_N * _UNIT / np.maximum(early_N, 1), np.nan),
        )

    def state(self) -> Tensor:
        return self._sums_5N

    def restore(self, state: Tensor) -> None:
        self._sums_5N = state.to(self._sums_5N.device)


def error_lengths(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Length of softmax minus the label's indicator."""
    errors_BK = logits_BK.float().softmax(1)
    errors_BK[torch.arange(len(labels_B), device=labels_B.device), labels_B] -= 1
    lengths_B: Tensor = torch.linalg.vector_norm(errors_BK, dim=1)
    return lengths_B


def _in_units(lengths_B: Tensor) -> Tensor:
    return (lengths_B.double().nan_to_num(0.0) / _UNIT).round().long()
