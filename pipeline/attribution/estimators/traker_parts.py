"""This project's gradients, projection and solver as parts of traker: `TRAKer(projector=..., ...)`.

Shape legend: N training images, B images of a batch, K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from trak.gradient_computers import AbstractGradientComputer
from trak.projectors import AbstractProjector
from trak.score_computers import BasicScoreComputer

from pipeline.attribution.gradients.featurizer import Features, Featurizer
from pipeline.attribution.store.solving import cholesky
from pipeline.core.errors import InputError


class HookGradientComputer(AbstractGradientComputer):  # type: ignore[misc]  # traker is untyped
    """B x K features in the place of B x P gradients; 1 - p comes from the same forward pass.

    traker does not tell a gradient computer which model it is at, so whoever loads a checkpoint sets
    `stream` to the model's id. `FusedProjector` refuses features of another stream.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Any,
        grad_dim: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        grad_wrt: Iterable[str] | None = None,
        *,
        featurizer: Featurizer,
    ) -> None:
        if grad_wrt is not None:
            raise InputError("grad_wrt is not supported: set requires_grad of the parameters instead")
        super().__init__(model, task, grad_dim, dtype, device)
        self.featurizer = featurizer
        self.stream: int | None = None
        self.sketched_stream: int | None = None  # that the last features were drawn with
        self._last: tuple[Tensor, Features] | None = None
        self.load_model_params(model)

    @classmethod
    def using(cls, featurizer: Featurizer) -> Callable[..., HookGradientComputer]:
        """What to give to TRAKer as `gradient_computer`; it keeps the object under that name."""

        def make(**arguments: Any) -> HookGradientComputer:
            return cls(**arguments, featurizer=featurizer)

        return make

    def load_model_params(self, model: nn.Module) -> None:
        self.featurizer.load(model)
        self._last = None

    def compute_per_sample_grad(self, batch: Iterable[Tensor]) -> Tensor:
        """B x K features of (pixels, labels).

        Raises:
            InputError: `stream` was not set.
        """
        if self.stream is None:
            raise InputError("set the gradient computer's `stream` to the model's id first")
        pixels_BCHW, labels_B = batch
        found = self.featurizer.features(pixels_BCHW, labels_B, stream=self.stream)
        self.sketched_stream = self.stream
        self._last = (pixels_BCHW, found)
        return found.features_BK.clone()  # traker divides what it gets in place

    def compute_loss_grad(self, batch: Iterable[Tensor]) -> Tensor:
        """1 - p(label), B x 1; no second pass for the batch whose features were just computed."""
        pixels_BCHW, labels_B = batch
        if self._last is None or self._last[0] is not pixels_BCHW:
            self._last = (
                pixels_BCHW,
                self.featurizer.features(pixels_BCHW, labels_B, stream=self.stream or 0),
            )
        return self._last[1].one_minus_p_B[:, None]


class FusedProjector(AbstractProjector):  # type: ignore[misc]
    """Passes features through, after a look at whose draw they have."""

    def __init__(self, featurizer: Featurizer) -> None:
        about = featurizer.description
        super().__init__(about.n_parameters, about.dim, 0, about.kind, "cpu")
        self.computer: HookGradientComputer | None = None  # set it to have the stream checked

    def project(self, grads: Tensor, model_id: int) -> Tensor:
        """The same features.

        Raises:
            InputError: they are not K wide, or drawn for another model than `model_id`.
        """
        if grads.shape[1] != self.proj_dim:
            raise InputError(f"features have {grads.shape[1]} dimensions, not {self.proj_dim}")
        if self.computer is not None and self.computer.sketched_stream != model_id:
            raise InputError(
                f"features were drawn for model {self.computer.sketched_stream}, not {model_id}: set the "
                "gradient computer's `stream` when a checkpoint is loaded"
            )
        return grads


class RidgeScoreComputer(BasicScoreComputer):  # type: ignore[misc]
    """Φ (ΦᵀΦ + λI)⁻¹ in float64, with λ = `lambda_reg` times the mean of ‖φ‖².

    Scores then have the unit of the target's margin: traker's own computer divides each model's inverse by
    its mean, whatever that is.
    """

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
