"""Networks that only predict: batch normalization is part of the convolution before it."""

from __future__ import annotations

import logging

from torch import nn
from torch.fx import symbolic_trace
from torch.fx.experimental.optimization import fuse

from pipeline.models.adapted import Adapted

_log = logging.getLogger(__name__)


def fuse_for_prediction(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode with the same logits up to rounding; half the time for small networks.

    A network that cannot be traced (its path depends on what it is shown) comes back as it is.
    """
    if isinstance(model, Adapted):  # of libraries whose code may do anything, and gains little
        return model.eval()
    try:
        traced = symbolic_trace(model.eval())
    except (TypeError, ValueError, RuntimeError) as error:  # tracing alone: a fusion that fails is a defect
        _log.info("%s predicts as it is: %s", type(model).__name__, error)
        return model
    fused: nn.Module = fuse(traced, no_trace=True)
    return fused.eval()
