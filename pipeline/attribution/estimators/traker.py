"""Our projection and solver as plug-ins of traker (0.3.2): `TRAKer(projector=..., score_computer=...)`.

`trak.TrakStore` drives the same parts without TRAKer, whose order of calls and store stand in the way:

- traker accepts other weights under a known model id, fails on batches that were half flagged when the
  process died, and lets a late worker wipe all flags. `store` has no flags and a folder per fingerprint.
- traker's ridge is absolute. Here it is a multiple of the mean squared feature norm, so that it means
  the same for every network; and a singular ΦᵀΦ is an error, not a finite number.
- traker rescales each model's scores by the mean of the inverse. Here they stay as defined, in units of
  the target's margin, and models are averaged on equal terms.
- `finalize_scores` makes a dense train x target matrix, in one go. Here blocks are made on request.

Behind TRAKer the plug-ins give the same scores, up to rounding; a test compares them.

Shape legend: N training images, B images of a batch, K projected dimensions.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

import torch
from torch import Tensor
from trak.projectors import AbstractProjector
from trak.score_computers import BasicScoreComputer

from pipeline.attribution.gradients.projector import BlockSketch
from pipeline.attribution.store.solving import cholesky


def library_name() -> str:
    return f"traker {importlib.metadata.version('traker')}"


class BlockSketchProjector(AbstractProjector):  # type: ignore[misc]  # traker is untyped
    """`BlockSketch` as traker's projector; each model id has its own draw."""

    def __init__(self, *, grad_dim: int, proj_dim: int, seed: int, device: str) -> None:
        super().__init__(grad_dim, proj_dim, seed, "block_sketch", device)
        self._sketch = BlockSketch(n_in=grad_dim, n_out=proj_dim, seed=seed, device=device)

    def project(self, grads: Mapping[str, Tensor] | Tensor, model_id: int) -> Tensor:
        return self._sketch.project(grads, stream=model_id)


class RidgeScoreComputer(BasicScoreComputer):  # type: ignore[misc]
    """Φ (ΦᵀΦ + λI)⁻¹ in float64, with λ = `lambda_reg` times the mean of ‖φ‖²."""

    def get_xtx(self, grads: Tensor) -> Tensor:
        wide_NK = grads.double()
        return wide_NK.T @ wide_NK

    def get_x_xtx_inv(self, grads: Tensor, xtx: Tensor) -> Tensor:
        """N x K features.

        Raises:
            InputError: ΦᵀΦ + λI cannot be inverted.
        """
        factor_KK = cholesky(xtx.clone(), self.lambda_reg * float(xtx.trace()) / len(grads))
        features_KN = torch.cholesky_solve(grads.double().T, factor_KK)
        return features_KN.T.float()
