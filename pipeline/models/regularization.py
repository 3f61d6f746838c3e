"""Dropout and stochastic depth, for every network here.

They act in training only, add no parameters and rename none, so a network that is rebuilt to predict
needs neither. Stochastic depth hangs on the modules that end a residual branch; timm's networks are built
with their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.small_resnet import ResidualBlock


def regularize(model: Classifier, *, dropout: float, stochastic_depth: float) -> None:
    """Drop features before the head, and skip residual branches, at random in training.

    Args:
        dropout: probability of dropping a feature.
        stochastic_depth: probability that an image skips the last branch; earlier ones in proportion
            to their depth.
    Source: Srivastava et al. 2014 (JMLR 15); Huang et al. 2016 (arXiv:1603.09382).
    """
    if dropout > 0:
        model.dropout = nn.Dropout(dropout)
    if stochastic_depth > 0 and isinstance(model, StagedClassifier):
        _skip_branches(model, stochastic_depth)


def check_regularization(model: Classifier, name: str, *, dropout: float, stochastic_depth: float) -> None:
    """Refuse what would do nothing in a network of the user's.

    Args:
        name: of the network, for messages: `models.my_net`.

    Raises:
        InputError: with what to write.
    """
    if dropout > 0 and not any(part == "head" for part, _ in model.named_children()):
        raise InputError(
            f"train.dropout = {dropout:g}: {name} has no last linear layer, before which features could be "
            "dropped. Set train.dropout: 0; dropout within the network stays."
        )
    if stochastic_depth > 0 and not isinstance(model, StagedClassifier):
        raise InputError(
            f"train.stochastic_depth = {stochastic_depth:g}: where {name} has branches is not known. Set "
            "train.stochastic_depth: 0, and build it into the network."
        )


def _skip_branches(net: nn.Module, probability: float) -> None:
    blocks = [ends for module in net.modules() if (ends := _branch_ends(module))]
    for depth, ends in enumerate(blocks, start=1):
        for module in ends:
            module.register_forward_hook(_Skip(probability * depth / len(blocks)))


def _branch_ends(module: nn.Module) -> list[nn.Module]:
    """The modules whose output is added to a skip connection of this block."""
    return [module.body] if isinstance(module, ResidualBlock) else []


@dataclass(frozen=True)
class _Skip:
    probability: float

    def __call__(self, module: nn.Module, inputs: Any, branch: Tensor) -> Tensor:
        from torchvision.ops import stochastic_depth

        skipped: Tensor = stochastic_depth(branch, self.probability, "row", module.training)
        return skipped
