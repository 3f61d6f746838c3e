"""How confidently each training image was given its label, added up over the steps of a run.

The area under the margin (AUM) is an image's mean margin over the run: the logit of its label minus the
largest other one, as the step saw it (with its augmentation, before the weights moved). Images with a
wrong label are pulled towards the class they look like by all others, so their margin stays low.

Only where all images are drawn equally often are the means comparable between images: one that is
drawn ten times as often is learned ten times as fast.

Source: Pleiss et al. 2020 (arXiv:2001.10528).

Shape legend: N training images, B images of a batch at hand, K classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Dynamics, Int64Array
from pipeline.parallel.rank import World

_UNIT = 2.0**-24  # margins are added as whole multiples of it, so that no order of adding matters
_LARGEST = 2.0**15  # of a margin: it leaves room for 2^24 draws of an image
MIXED = "labels were mixed (mixup or cutmix): a mixed image has no label of its own"


class AumSums:
    """Running sums over a run and all processes."""

    def __init__(self, ids_N: Int64Array, device: torch.device, *, is_mixed: bool) -> None:
        """Of the images `ids_N`; where images are mixed only draws are counted."""
        self.ids_N = ids_N
        self.is_mixed = is_mixed
        # on the device, as the counts: a GPU then need not wait for them
        self._sums_2N = torch.zeros((2, len(ids_N)), dtype=torch.int64, device=device)  # margins, draws

    def add(self, margins_B: Tensor, rows: Int64Array, world: World) -> None:
        """Take in one step: this process's `logit_leads`, and the whole batch's rows of the split."""
        units_B = _in_units(torch.zeros_like(margins_B) if self.is_mixed else margins_B)
        units_B = world.gather(units_B, len(rows))
        index_B = torch.from_numpy(rows).to(units_B.device, non_blocking=True)
        self._sums_2N.index_add_(1, index_B, torch.stack([units_B, torch.ones_like(units_B)]))

    def result(self) -> Dynamics:
        """The means so far; NaN for images that were never drawn, and for all where images were mixed."""
        sums_N, drawn_N = self._sums_2N.cpu().numpy()
        defined_N = (drawn_N > 0) & (not self.is_mixed)
        aum_N = np.full(len(drawn_N), np.nan)
        aum_N[defined_N] = sums_N[defined_N] * _UNIT / drawn_N[defined_N]
        return Dynamics(self.ids_N, aum_N, drawn_N, MIXED if self.is_mixed else None)

    def state(self) -> Tensor:
        return self._sums_2N

    def restore(self, state: Tensor) -> None:
        self._sums_2N = state.to(self._sums_2N.device)


def logit_leads(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """The logit of the label minus the largest other one."""
    logits_BK, labels_B1 = logits_BK.float(), labels_B[:, None]
    others_BK = logits_BK.scatter(1, labels_B1, -torch.inf)
    return logits_BK.gather(1, labels_B1)[:, 0] - others_BK.amax(1)


def _in_units(margins_B: Tensor) -> Tensor:
    # a run whose logits are no numbers stops within a few steps: what is added here then is lost with it
    finite_B = margins_B.double().nan_to_num(0.0).clamp(-_LARGEST, _LARGEST)
    return (finite_B / _UNIT).round().long()
