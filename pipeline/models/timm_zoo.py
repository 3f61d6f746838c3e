"""Networks of timm. The only module that knows the package's names for things.

Source: Wightman 2019, github.com/huggingface/pytorch-image-models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import timm
from timm.data.config import resolve_data_config
from torch import nn

from pipeline.core.errors import InputError
from pipeline.models.adapted import Adapted, Door
from pipeline.settings.parsing import did_you_mean

PREFIX = "timm/"
NOT_OF_A_NETWORK = frozenset({"checkpoint_path", "cache_dir", "scriptable", "exportable", "no_jit"})


class Wanted(NamedTuple):
    """What is to be built of one of timm's networks."""

    name: str  # without `timm/`; a tag of pretrained weights behind a dot
    n_classes: int
    image_size: int  # side of the packed images
    input_size: int | None = None  # side that the network sees; None: the images' own
    args: Mapping[str, Any] = {}


def check_name(name: str) -> None:
    """Refuse what timm does not know.

    Raises:
        InputError: with what was meant, where that is near.
    """
    bare = name.partition(".")[0]
    if timm.is_model(bare):
        known = timm.list_pretrained(f"{bare}.*")
        if "." in name and name not in known:
            raise InputError(
                f"train.model = {PREFIX}{name}: timm {timm.__version__} has no such weights of {bare}. "
                f"It has {', '.join(known) or 'none'}."
            )
        return
    near = did_you_mean(bare, timm.list_models()) or "."
    raise InputError(
        f"train.model = {PREFIX}{name} is not a network of timm {timm.__version__}{near} "
        "`timm.list_models()` names all."
    )


def check_args(args: Mapping[str, Any], where: str) -> None:
    """Refuse arguments with which timm would read files or the network: others decide the weights.

    Raises:
        InputError: names them.
    """
    refused = sorted(key for key in args if key in NOT_OF_A_NETWORK or key.startswith("pretrained"))
    if refused:
        raise InputError(f"{where} holds {', '.join(refused)}, which do not decide a network. Take them out.")


def build_timm(
    wanted: Wanted,
    *,
    pretrained: bool | str,
    mean: Sequence[float],
    std: Sequence[float],
    stochastic_depth: float = 0.0,
) -> Adapted:
    """A network of timm with pixel normalization, weights from torch's generator or pretrained ones.

    Args:
        pretrained: True: timm's own weights, which it downloads; or a file or a folder that holds them.
        mean, std: of the pixels; with pretrained weights those that they were made with.

    Raises:
        InputError: no such network, arguments that it does not take, weights that cannot be had.
    """
    check_name(wanted.name)
    check_args(wanted.args, "train.model_args")
    side = wanted.input_size or wanted.image_size
    args = dict(wanted.args) | ({"drop_path_rate": stochastic_depth} if stochastic_depth else {})
    net, side = _create(wanted, args, pretrained, side)
    config = config_of(net)
    if pretrained:
        mean, std = config["mean"], config["std"]
    door = Door(mean, std, None if side == wanted.image_size else side, 1.0, smooth(config["interpolation"]))
    return Adapted(net, door, image_size=wanted.image_size)


def config_of(net: nn.Module) -> dict[str, Any]:
    """What a network of timm was made with: input_size, mean, std, interpolation, crop_pct."""
    found: dict[str, Any] = resolve_data_config({}, model=net)  # type: ignore[no-untyped-call]
    return found


def smooth(interpolation: str) -> str:
    """Torch's nearest kind; image libraries know more (lanczos, random)."""
    return interpolation if interpolation in ("bilinear", "bicubic", "nearest") else "bicubic"


def _create(wanted: Wanted, args: dict[str, Any], pretrained: bool | str, side: int) -> tuple[nn.Module, int]:
    """The network, and the side that it sees: its own where it cannot be made for another."""
    config = timm.get_pretrained_cfg(wanted.name.partition(".")[0])
    is_fixed = config is not None and config.fixed_input_size
    own = side if config is None else int(config.input_size[1])
    weights = _weights(pretrained)
    if not is_fixed or side == own or "img_size" in args:
        return _made(wanted, args, weights), side
    try:
        return _made(wanted, args | {"img_size": side}, weights), side
    except (InputError, AssertionError, ValueError, RuntimeError, ZeroDivisionError):
        return _made(wanted, args, weights), own  # it sees the images in its own size


def _made(wanted: Wanted, args: dict[str, Any], weights: dict[str, Any]) -> nn.Module:
    where = f"train.model = {PREFIX}{wanted.name}"
    try:
        net: nn.Module = timm.create_model(wanted.name, num_classes=wanted.n_classes, **args, **weights)
    except (TypeError, ValueError, AssertionError, LookupError, ArithmeticError) as error:
        if not args:
            raise
        why = f" ({error})" if str(error) else ""
        if "drop_path_rate" in why and "drop_path_rate" not in wanted.args:
            raise InputError(
                f"{where} has no stochastic depth{why}. Set train.stochastic_depth: 0."
            ) from None
        raise InputError(f"{where} does not take train.model_args = {dict(wanted.args)}{why}.") from None
    except (OSError, ConnectionError) as error:
        raise InputError(
            f"{where}: its pretrained weights could not be had ({_first_line(error)}). Connect to the "
            "network, give a file or folder of them (train.pretrained: path/to/model.safetensors), or set "
            "train.pretrained: false."
        ) from error
    return net


def _weights(pretrained: bool | str) -> dict[str, Any]:
    """What `timm.create_model` is told of weights."""
    if isinstance(pretrained, bool):
        return {"pretrained": pretrained}
    path = Path(pretrained)
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise InputError(
            f"train.pretrained = {pretrained} does not exist. Give a file of weights (.safetensors, or a "
            "checkpoint of tensors), or a folder with model.safetensors."
        )
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path), "hf_hub_id": None, "url": ""}}


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
