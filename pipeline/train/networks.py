"""The network of training settings: before it is trained, and around weights that were saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.registry import TIMM, build_model, check_norm, parameter_count
from pipeline.models.regularization import check_regularization, regularize
from pipeline.records.data import DatasetInfo
from pipeline.settings.train import TrainSettings

if TYPE_CHECKING:
    from pipeline.models.brought.open import Brought


def network_of(
    settings: TrainSettings, info: DatasetInfo, seed: int, weights: dict[str, Tensor] | None = None
) -> Classifier:
    """The network of `settings`, with a seed's first weights or with `weights`, on the device."""
    if weights is not None and settings.network is not None:  # no others need be there
        settings = settings.model_copy(update={"pretrained": False})
    mean, std = info.channel_mean, info.channel_std
    model = first_network(settings, info.classes, info.image_size, seed=seed, mean=mean, std=std)
    if weights is not None:
        model.load_state_dict(weights)
    return model.to(choose_device(settings.device)).eval()


def first_network(
    settings: TrainSettings,
    classes: Sequence[str],
    image_size: int,
    *,
    seed: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Classifier:
    """The network of `settings` before its training, with dropout and stochastic depth.

    Args:
        image_size: side of the packed images.
        mean, std: channel statistics of the training pixels; networks that bring their own do without.

    Raises:
        InputError: it cannot be built so.
    """
    if settings.network is not None:
        check_norm(settings.model, settings.norm)
        model = _start(settings, classes, image_size, seed).model
    else:
        model = build_model(
            **_arguments(settings, len(classes), image_size),
            pretrained=settings.pretrained,
            mean=mean,
            std=std,
            seed=seed,
            stochastic_depth=settings.stochastic_depth,
        )
    regularize(model, dropout=settings.dropout, stochastic_depth=settings.stochastic_depth)
    return model


def introduce_network(settings: TrainSettings, info: DatasetInfo) -> list[str]:
    """What is to be said of a network of the user's before it is trained; nothing of others.

    Raises:
        InputError: it cannot be trained, or not with these settings.
    """
    if settings.network is None:
        return []
    from pipeline.models.brought.start import introduce

    entry, pretrained = settings.network.entry, settings.pretrained
    found = introduce(entry, info.classes, info.image_size, settings.model, pretrained=pretrained)
    dropout, depth = settings.dropout, settings.stochastic_depth
    check_regularization(found.model, settings.model, dropout=dropout, stochastic_depth=depth)
    return found.notes


def count_parameters(settings: TrainSettings, classes: Sequence[str], image_size: int) -> int:
    """Parameters of the network of `settings`."""
    if settings.network is None:
        return parameter_count(**_arguments(settings, len(classes), image_size))
    model = _start(settings, classes, image_size, seed=0, pretrained=False).model
    return sum(p.numel() for p in model.parameters())


def spec_of(settings: TrainSettings, info: DatasetInfo) -> dict[str, Any]:
    """The arguments that rebuild a network around saved weights."""
    if settings.network is None:
        return _arguments(settings, len(info.classes), info.image_size)
    return _start(settings, info.classes, info.image_size, seed=0, pretrained=False).spec


def _arguments(settings: TrainSettings, n_classes: int, image_size: int) -> dict[str, Any]:
    """Those of `build_model` that are saved with weights."""
    of_timm = {"input_size": settings.input_size, "args": settings.model_args}
    return {
        **(of_timm if settings.model.startswith(TIMM) else {}),
        **({} if settings.norm == "batch" else {"norm": settings.norm}),  # as older weights say it
        "name": settings.model,
        "n_classes": n_classes,
        "width": settings.width,
        "stem_stride": settings.stem_stride,
        "image_size": image_size,
    }


def _start(
    settings: TrainSettings,
    classes: Sequence[str],
    image_size: int,
    seed: int,
    pretrained: bool | None = None,
) -> Brought:
    """A network of `models`.

    Args:
        pretrained: where it is not as the settings say.
    """
    from pipeline.models.brought.start import start

    assert settings.network is not None
    chosen = settings.pretrained if pretrained is None else pretrained
    entry = settings.network.entry
    return start(entry, classes, image_size, settings.model, pretrained=chosen, seed=seed)
