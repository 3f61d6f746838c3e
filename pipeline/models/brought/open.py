"""From an entry of `models` to networks that are ready to be audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.models.adapted import Adapted, Door, why_no_head
from pipeline.models.brought.classes import describe, match_classes, read_as
from pipeline.models.brought.draws import drawn_from
from pipeline.models.brought.networks import Opened, open_network, rebuild
from pipeline.models.brought.weights import check_finite, lay_in, read_weights, unwrapped
from pipeline.models.dissect import unwrap
from pipeline.models.interface import Classifier
from pipeline.models.registry import BROUGHT
from pipeline.settings.models import NetworkModel, PythonModel

_OTHER_SEED = 987_654_321  # than any that trainings have
_SUM_TO_ONE = 1e-4  # rounding of a softmax in half precision


@dataclass(frozen=True)
class Brought:
    """A network with its weights, what rebuilds it, and what is to be said of it."""

    model: Classifier
    spec: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def weights_of(entry: NetworkModel, opened: Opened, where: str) -> list[Path | None]:
    """One file for each seed; None: the weights that the network was made with.

    Raises:
        InputError: there are none.
    """
    if entry.weights:
        return [Path(path) for path in entry.weights]
    if opened.weights:
        return list(opened.weights)
    if isinstance(entry, PythonModel):
        return [None]
    raise InputError(f"{where}: {entry.path} holds no model.safetensors. Write its file under `weights`.")


def bring(
    entry: NetworkModel, weights: Path | None, classes: Sequence[str], image_size: int, where: str
) -> Brought:
    """The network of an entry with one file of weights, read on a dataset's classes.

    Args:
        weights: None: those that the network was made with.
        image_size: side of the packed images.
        where: the entry, for messages: `models.my_net`.

    Raises:
        InputError: with the remedy: network, weights and classes do not go together.
    """
    opened = open_network(entry, where)
    notes = list(opened.notes)
    if weights is not None:
        state, said = unwrapped(read_weights(weights), opened.net, weights)
        lay_in(opened.net, opened.renamed(state, weights), weights)
        notes += said
    else:
        check_finite(opened.net, where)
    found = read_on_classes(opened, entry, classes, image_size, where, notes)
    check_made_again(found, entry, image_size, where, has_weights=weights is not None)
    return found


def check_made_again(
    found: Brought, entry: NetworkModel, image_size: int, where: str, *, has_weights: bool
) -> None:
    """Every stage calls a function again: what it draws must lie in the weights that are laid in.

    Raises:
        InputError: it gives another network each time.
    """
    if not isinstance(entry, PythonModel):
        return
    with drawn_from(_OTHER_SEED):
        twin = rebuild_brought(found.spec)
    if not has_weights and differing_tensors(found.model, twin):
        raise InputError(
            f"{where}: each call of {entry.path} draws other weights, and `weights` names no file of them: "
            "there is no trained network to audit. Write its files under `weights`; to have methods train it "
            f"(train.model: {where}), leave it out of active_methods. `new-model --to-train` writes such an "
            "entry."
        )
    check_state(found.model, twin, image_size, f"{where}: called again, {entry.path} gives a network with")


def check_state(one: Classifier, twin: Classifier, image_size: int, what: str) -> None:
    """With the weights of `one`, `twin` must be the same network: the state_dict must hold all of it.

    Args:
        what: the twin, for the message: "models.my_net: called again, it gives a network with".

    Raises:
        InputError: it gives other logits.
    """
    twin.load_state_dict(one.state_dict())
    pixels = _noise(image_size)
    if not _alike(_logits(one, pixels), _logits(twin, pixels)):
        raise InputError(
            f"{what} other outputs for the same weights: it holds numbers that its state_dict lacks. Make "
            "them buffers (`self.register_buffer(name, tensor)`), or put layers into an nn.ModuleList."
        )


def differing_tensors(one: nn.Module, other: nn.Module) -> list[str]:
    """Names of weights and buffers that two networks do not have alike."""
    own, theirs = one.state_dict(), other.state_dict()
    alike = {name for name in own.keys() & theirs.keys() if torch.equal(own[name], theirs[name])}
    return [name for name in {**own, **theirs} if name not in alike]


def _noise(side: int, n: int = 2) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def _logits(model: Classifier, pixels: Tensor, seed: int = 0) -> Tensor:
    """In evaluation mode."""
    was_training = model.training
    with drawn_from(seed):
        logits: Tensor = model.eval()(pixels)
    model.train(was_training)
    return logits


def _alike(one: Tensor, other: Tensor) -> bool:
    scale = float(one.nan_to_num().abs().max())
    return torch.allclose(one, other, rtol=0, atol=1e-4 * max(scale, 0.1), equal_nan=True)


def read_on_classes(
    opened: Opened, entry: NetworkModel, classes: Sequence[str], image_size: int, where: str, notes: list[str]
) -> Brought:
    """A network with its weights laid in, read on a dataset's classes; as `bring`."""
    own = _is_own(opened, entry, classes)
    if own is not None:
        return Brought(own, _spec(opened, entry, image_size, None, is_own=True), notes[len(opened.notes) :])
    n_outputs = count_outputs(opened, image_size, where)
    columns = match_classes(
        classes, outputs=opened.outputs, n_outputs=n_outputs, given=entry.classes, where=where
    )
    read = read_as(columns, n_outputs)
    model = _adapt(opened.net, opened.door, image_size, read, entry.head, where)
    notes += _said(model, image_size, columns, n_outputs)
    return Brought(model.eval(), _spec(opened, entry, image_size, read, is_own=False), notes)


def rebuild_brought(spec: Mapping[str, Any]) -> Classifier:
    """The network of `Brought.spec`, for its weights to be laid in."""
    net = rebuild(spec["made_of"], spec["where"])
    if spec["is_own"] and isinstance(net, Classifier):
        return net
    return Adapted(
        net, Door(**spec["door"]), image_size=spec["image_size"], columns=spec["columns"], head=spec["head"]
    )


def _is_own(opened: Opened, entry: NetworkModel, classes: Sequence[str]) -> Classifier | None:
    """A network that has this interface already, and nothing to be changed: it stays what it is."""
    net, door = opened.net, opened.door
    if not isinstance(net, Classifier) or door != Door() or net.head.out_features != len(classes):
        return None
    return net.eval() if isinstance(entry.classes, list) and entry.classes == list(classes) else None


def _spec(
    opened: Opened, entry: NetworkModel, image_size: int, columns: list[list[int]] | None, *, is_own: bool
) -> dict[str, Any]:
    return {
        "name": BROUGHT,
        "where": str(entry.path),
        "made_of": opened.made_of,
        "door": asdict(opened.door),
        "image_size": image_size,
        "columns": columns,
        "head": entry.head,
        "is_own": is_own,
    }


def _adapt(
    net: torch.nn.Module,
    door: Door,
    image_size: int,
    columns: list[list[int]] | None,
    head: str | None,
    where: str,
) -> Adapted:
    try:
        return Adapted(net, door, image_size=image_size, columns=columns, head=head)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@torch.no_grad()
def count_outputs(opened: Opened, image_size: int, where: str) -> int:
    """How many logits the network gives.

    Raises:
        InputError: it gives something else, or takes no images of this size.
    """
    side = opened.door.side or image_size
    was_training = opened.net.training
    opened.net.eval()
    try:
        logits = unwrap(opened.net(_noise(side)))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except Exception as error:  # whatever a network that somebody else wrote may raise
        raise InputError(
            f"{where}: the network does not take images of 3 x {side} x {side}: {error}. Give the side that "
            "it was made for as `input_size`."
        ) from error
    opened.net.train(was_training)
    if logits.ndim != 2 or len(logits) != 2:
        raise InputError(
            f"{where}: for 2 images the network returns a tensor of {' x '.join(map(str, logits.shape))}; "
            "it must be images x classes."
        )
    if logits.shape[1] < 2:
        raise InputError(
            f"{where}: the network has {logits.shape[1]} output. Two or more are audited: for a yes or no "
            "with one logit z return torch.stack([torch.zeros_like(z), z], dim=1)."
        )
    _check_logits(logits.float(), where)
    return int(logits.shape[1])


def _check_logits(logits_NC: Tensor, where: str) -> None:
    if bool(logits_NC.isnan().any()):
        raise InputError(
            f"{where}: the network returns NaN, also for plain images, although its weights are numbers. "
            "Mend its forward: nothing can be said of such outputs."
        )
    sums = logits_NC.sum(1)
    if bool((logits_NC >= 0).all()) and bool(((sums - 1).abs() < _SUM_TO_ONE).all()):
        raise InputError(
            f"{where}: the network returns probabilities, and logits are needed: calibration, attribution "
            "and maps would be of something else. Return what goes into the softmax, or torch.log of it."
        )


def _said(model: Adapted, image_size: int, columns: Sequence[Sequence[int]], n_outputs: int) -> list[str]:
    """How it is shown the images, read on the classes, and what it lacks."""
    door, notes = model.door, []
    if door.changes(image_size):
        cut = "" if door.crop_pct == 1 else f", of which the middle {door.crop_pct:.1%} are seen"
        notes.append(
            f"it was made for {door.side} px: the packed images of {image_size} px are resized for it "
            f"({door.interpolation}{cut})"
        )
    notes += [sentence] if (sentence := describe(columns, n_outputs)) else []
    notes += [] if model.has_head else [why_no_head(model).rstrip(".")]
    layers = model.map_layers()
    if not layers:
        notes.append("no part of it gives a map of cells: GradCAM has nothing to show")
    return notes + _unsteady(model, image_size)


def _unsteady(model: Adapted, image_size: int) -> list[str]:
    """What else than the image its answers depend on."""
    pixels = _noise(image_size, 3)
    first = _logits(model, pixels)
    if not _alike(first, _logits(model, pixels, seed=_OTHER_SEED)):
        return [
            "it answers the same image differently each time, because something in it draws at random in "
            "evaluation, too (such as dropout without `training=self.training`): numbers move from run to run"
        ]
    if not _alike(first[:2], _logits(model, pixels[:2])):
        return [
            "its answer to an image depends on the other images of the batch (such as by batch normalization "
            "that stays in training mode): its numbers are those of batches as they are made here"
        ]
    return []
