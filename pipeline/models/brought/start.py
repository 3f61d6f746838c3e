"""A network of an entry of `models` before its training: its first weights, and whether it can be trained.

What a function of the user's draws the seed decides, so that a killed run goes on from the same weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.models.brought.classes import said_names
from pipeline.models.brought.draws import drawn_from
from pipeline.models.brought.networks import Opened, open_network
from pipeline.models.brought.open import (
    Brought,
    check_made_again,
    check_state,
    count_outputs,
    differing_tensors,
    read_on_classes,
    rebuild_brought,
    weights_of,
)
from pipeline.models.brought.sources import weights_file
from pipeline.models.brought.weights import (
    check_finite,
    lay_in,
    read_weights,
    unwrapped,
    without_other_head,
)
from pipeline.models.interface import Classifier
from pipeline.settings.models import NetworkModel, PythonModel

_called: set[str] = set()  # functions, with their arguments, that this process called before


def start(
    entry: NetworkModel,
    classes: Sequence[str],
    image_size: int,
    where: str,
    *,
    pretrained: bool | str,
    seed: int,
) -> Brought:
    """The network of an entry with its first weights: drawn from `seed`, or pretrained.

    Args:
        classes: of the dataset.
        image_size: side of the packed images.
        where: the entry, for messages: `models.my_net`.
        pretrained: True: the entry's own weights, of several files the one at the place seed modulo their
            number; or a file or folder of weights, whose head may be for another number of classes.

    Raises:
        InputError: as `bring`.
    """
    _call_once(entry, where)
    with drawn_from(seed):
        opened = open_network(entry, where)
        weights = _first_weights(entry, opened, pretrained, seed, where)
        if weights is None:
            check_finite(opened.net, where)
            notes = []  # it is shown images in training as it is afterwards: nothing is to be guessed
        else:
            notes = list(opened.notes)
            notes += _lay_in(opened, weights, image_size, where, may_redraw=isinstance(pretrained, str))
        if not pretrained:
            entry = _told_classes(entry, opened, classes, image_size, where)
        return read_on_classes(opened, entry, classes, image_size, where, notes)


def introduce(
    entry: NetworkModel, classes: Sequence[str], image_size: int, where: str, *, pretrained: bool | str
) -> Brought:
    """A network that will be trained, with all that is to be said of it, found out before hours are spent.

    Raises:
        InputError: as `start`; training would not move it, what it gives while it is trained are no logits,
            or its first weights are not the same for the same seed.
    """
    first, again, other = (
        start(entry, classes, image_size, where, pretrained=pretrained, seed=seed) for seed in (0, 0, 1)
    )
    _check_drawn(first.model, again.model, where)
    check_made_again(first, entry, image_size, where, has_weights=True)
    unmoved = _check_trains(first, len(classes), image_size, where)
    frozen = [name for name, p in first.model.named_parameters() if not p.requires_grad]
    n = len(list(first.model.parameters()))
    said = {
        "are frozen (requires_grad is False)": frozen,
        "get no gradient (its forward does not use them, detaches, or is under torch.no_grad)": unmoved,
    }
    notes = list(first.notes)
    if pretrained is False and not differing_tensors(first.model, other.model):
        notes.append(
            "every seed starts from the same weights, because what makes the network draws none or seeds "
            "itself: seeds differ in the order of the images alone"
        )
    notes += [
        f"{len(names)} of its {n} parameters {why} and stay as they are: {list_some(names, 3)}"
        for why, names in said.items()
        if names
    ]
    return Brought(first.model, first.spec, notes)


def _call_once(entry: NetworkModel, where: str) -> None:
    """Call a function before its result counts: what its module draws once is then drawn in each process."""
    if not isinstance(entry, PythonModel):
        return
    key = f"{entry.path} {entry.args}"
    if key not in _called:
        with drawn_from(0):
            open_network(entry, where)
        _called.add(key)


def _first_weights(
    entry: NetworkModel, opened: Opened, pretrained: bool | str, seed: int, where: str
) -> Path | None:
    if isinstance(pretrained, str):
        return weights_file(pretrained, "train.pretrained")
    if not pretrained:
        return None
    files = weights_of(entry, opened, where)
    return files[seed % len(files)]


def _told_classes(
    entry: NetworkModel, opened: Opened, classes: Sequence[str], image_size: int, where: str
) -> NetworkModel:
    """The entry, with the dataset's classes for outputs without names: which is which training decides.

    Raises:
        InputError: there are more or fewer outputs, and nothing says which are of the dataset's classes.
    """
    n_outputs, names = count_outputs(opened, image_size, where), said_names(opened.outputs, classes)
    is_told = isinstance(entry.classes, Mapping) or (entry.classes is None and names is not None)
    if is_told or n_outputs == len(entry.classes or classes):
        return entry if is_told or entry.classes else entry.model_copy(update={"classes": list(classes)})
    remedy = (
        f"Let {entry.path} return one with {len(classes)} outputs, for example by `{where}.args`"
        if isinstance(entry, PythonModel)
        else f"Save one with {len(classes)} outputs there"
    )
    raise InputError(
        f"{where}: to be trained, the network needs an output for each of the {len(classes)} classes "
        f"({list_some(classes, 4)}), and has {n_outputs:,}. {remedy}."
    )


def _lay_in(opened: Opened, weights: Path, image_size: int, where: str, *, may_redraw: bool) -> list[str]:
    """Load weights, and what is to be said of them."""
    state, notes = unwrapped(read_weights(weights), opened.net, weights)
    state = opened.renamed(state, weights)
    if may_redraw:
        n_outputs = count_outputs(opened, image_size, where)
        state, anew = without_other_head(opened.net, state, n_outputs)
        notes += (
            [f"{weights.name} was made for another number of classes: {list_some(anew, 4)} are drawn anew"]
            if anew
            else []
        )
    lay_in(opened.net, state, weights)
    return notes


def _check_drawn(first: Classifier, again: Classifier, where: str) -> None:
    differ = differing_tensors(first, again)
    if differ:
        raise InputError(
            f"{where}: called twice under one seed, its function gives two networks ({list_some(differ, 3)} "
            "differ), so that a killed run could not go on. Let it draw weights from torch's own generator, "
            "as torch.nn.init does, without one of its own."
        )


def _check_trains(begun: Brought, n_classes: int, image_size: int, where: str) -> list[str]:
    """One step backwards of a copy, as training takes it; the parameters that it does not reach."""
    model = begun.model
    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(
            f"{where}: all its parameters are frozen (requires_grad is False), so that there is nothing to "
            "train. Let some of them learn."
        )
    twin = copy.deepcopy(model).train()
    logits = _train_mode(twin, image_size, where)
    if logits.ndim != 2 or logits.shape != (2, n_classes):
        raise InputError(
            f"{where}: in training mode the network returns a tensor of "
            f"{' x '.join(map(str, logits.shape))} for 2 images and {n_classes} classes, unlike in "
            "evaluation. Let it return the logits in both."
        )
    if not logits.requires_grad:
        raise InputError(
            f"{where}: its logits do not depend on parameters that can learn (its forward runs under "
            "torch.no_grad, or detaches). Let gradients through."
        )
    torch.autograd.backward(functional.cross_entropy(logits.float(), torch.arange(2) % n_classes))
    _check_no_hidden_state(begun, image_size, where)
    return [name for name, p in twin.named_parameters() if p.requires_grad and p.grad is None]


def _check_no_hidden_state(begun: Brought, image_size: int, where: str) -> None:
    """What training changes must lie in the state_dict: checkpoints and later stages have nothing else."""
    twin = copy.deepcopy(begun.model).train()
    state = copy.deepcopy(twin.state_dict())
    first = _train_mode(twin, image_size, where)
    twin.load_state_dict(state)
    again = _train_mode(twin, image_size, where)
    if not torch.allclose(first, again, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise InputError(
            f"{where}: in training mode the network gives other logits for the same images, weights and "
            "seed, so that a killed run could not go on: it has a generator of its own, or counts or "
            "averages in numbers that its state_dict lacks. Draw from torch's own generator, and make such "
            "numbers buffers (`self.register_buffer(name, tensor)`)."
        )
    with drawn_from(0):
        rebuilt = rebuild_brought(begun.spec)
    check_state(twin, rebuilt, image_size, f"{where}: trained and built again, the network has")


def _train_mode(twin: nn.Module, image_size: int, where: str) -> Tensor:
    pixels = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    with drawn_from(0):
        try:
            logits: Tensor = twin(pixels)
        except Exception as error:  # whatever a network that somebody else wrote may raise
            raise InputError(f"{where}: in training mode the network stops with {error}.") from error
    return logits
