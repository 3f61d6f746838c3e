"""`new-model`: look at a model that was trained elsewhere, say what it is, and add it to params.yaml."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.artifacts.datasets import load_packed, load_packed_split, load_samples
from pipeline.artifacts.paths import NAME_PATTERN, dataset_dir
from pipeline.core.errors import InputError, UnmatchedClassesError
from pipeline.core.words import list_some, percent
from pipeline.data.entry.write import write_entry
from pipeline.methods.brought.guess import guess_model
from pipeline.methods.brought.predictions import Images, bring_predictions
from pipeline.models.brought.networks import Opened, open_network
from pipeline.models.brought.open import bring, weights_of
from pipeline.models.brought.sources import check_files
from pipeline.models.brought.start import introduce
from pipeline.models.predict import predict_logits
from pipeline.plan.params import Params
from pipeline.plan.params_file import PARAMS_PATH, read_params
from pipeline.settings.models import Model, NetworkModel, PredictionsModel
from pipeline.settings.parsing import deep_merge, did_you_mean, parse

_SHOWN = 4  # images whose predictions are shown


def run(options: argparse.Namespace) -> None:
    """Guess the entry, try it on a dataset that is packed, show what it finds, and only then write it."""
    if not NAME_PATTERN.match(options.name):
        raise InputError(f"model name {options.name!r} is not allowed: use a-z, 0-9 and _ only.")
    params = read_params()
    if options.name in params.models and not options.overwrite:
        raise InputError(
            f"{PARAMS_PATH} has a model {options.name!r} already. Choose another name, or --overwrite it."
        )
    dataset = options.dataset or params.active[0]
    if dataset not in params.datasets:
        near = did_you_mean(dataset, params.datasets) or "."
        raise InputError(
            f"--dataset {dataset} is not in {PARAMS_PATH}{near} Known: {', '.join(params.datasets)}."
        )
    written = _with_keys(guess_model(options.path, options.weights, options.classes), options.set or [])
    parse(Params, params.model_dump() | {"models": {**params.models, options.name: written}})
    entry: Any = TypeAdapter(Model).validate_python(written)
    where, packed = f"models.{options.name}", dataset_dir(dataset)
    check_files(entry, where)
    is_packed = (packed / "dataset.json").exists()
    try:
        _show(entry, packed if is_packed else None, where, to_train=options.to_train)
    except UnmatchedClassesError as error:
        names = load_packed(packed).classes
        listed = "" if options.classes else f"--classes {shlex.join(names)}, or "
        places = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {k}" for k, name in enumerate(names))
        raise InputError(
            f"{error} Here write {listed}--set {shlex.quote(f'classes={{{places}}}')} with the place of each "
            "class among the outputs, from 0 on."
        ) from None
    if not is_packed:
        print(
            f"{dataset} is not packed yet, so that its classes were not matched: `dvc repro data@{dataset}`"
        )
    write_entry(PARAMS_PATH, options.name, written, overwrite=options.overwrite, section="models")
    active = ", ".join([*params.active_methods, options.name])
    print(f"\nwrote models.{options.name} to {PARAMS_PATH}")
    if options.to_train:
        print(f"train it:  set `train: {{ model: {where} }}` under datasets.{dataset}, then dvc repro")
    else:
        print(f"audit it:  set `active_methods: [{active}]`, then dvc repro")


def _show(entry: Model, packed: Path | None, where: str, *, to_train: bool) -> None:
    """What the model is, and what it says to some images; `packed`: None: there are none yet.

    Raises:
        InputError: it cannot be read, or does not fit the dataset.
    """
    if isinstance(entry, PredictionsModel):
        if to_train:
            raise InputError(
                f"--to-train needs a network, and {entry.path} is a table of predictions. Leave it out to "
                "audit the table, or give a function or folder."
            )
        _show_table(entry, packed, where)
    elif to_train:
        _show_start(entry, packed, where)
    else:
        _show_network(entry, packed, where)


def _with_keys(written: dict[str, Any], said: Sequence[str]) -> dict[str, Any]:
    """The entry with further keys of its own, each given as KEY=VALUE with a value as in YAML.

    Raises:
        InputError: it is not of this form, or no YAML.
    """
    for text in said:
        key, is_given, value = text.partition("=")
        try:
            read = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            read, is_given = None, ""
        if not (is_given and all(key.split("."))):
            raise InputError(
                f"--set {text} is not KEY=VALUE with a value as in params.yaml. Write for example "
                "--set columns.image=photo, or --set 'mean=[0.5, 0.5, 0.5]'."
            )
        for part in reversed(key.split(".")):
            read = {part: read}
        written = deep_merge(written, read)
    return written


def _show_start(entry: NetworkModel, packed: Path | None, where: str) -> None:
    """A network that methods shall train, from its own weights where it has files of them."""
    opened = open_network(entry, where)
    _show_made(entry, opened)
    if packed is None:
        return
    info = load_packed(packed)
    begun = introduce(entry, info.classes, info.image_size, where, pretrained=bool(entry.weights))
    for note in begun.notes:
        print(f"note: {note}")
    print(f"tried: a step of training on images of {info.image_size} px with {len(info.classes)} classes")


def _show_made(entry: NetworkModel, opened: Opened) -> None:
    door, n_parameters = opened.door, sum(p.numel() for p in opened.net.parameters())
    print(f"{type(opened.net).__name__}, {n_parameters:,} parameters, kind {entry.kind}")
    side = f"{door.side} px" if door.side else "that of the packed images"
    print(f"input: {side}, {door.interpolation}, {door.crop_pct:.1%} of the resized side")
    mean, std = ([round(float(v), 4) for v in values] for values in (door.mean, door.std))
    print(f"normalization of pixels in [0, 1]: mean {mean}, standard deviation {std}")
    print(f"classes: {list_some(list(opened.outputs), 12) if opened.outputs else 'it names none'}")


def _show_network(entry: NetworkModel, packed: Path | None, where: str) -> None:
    opened = open_network(entry, where)
    files = weights_of(entry, opened, where)
    _show_made(entry, opened)
    print(f"weights: {list_some([str(path or 'those of the function') for path in files], 3)}")
    if packed is None:
        for note in opened.notes:
            print(f"note: {note}")
        return
    info, val = load_packed(packed), load_packed_split(packed, "val")
    for path in files:
        one = bring(entry, path, info.classes, info.image_size, where)
        for note in one.notes if path == files[0] else []:
            print(f"note: {note}")
        logits_NK = torch.from_numpy(predict_logits(one.model, val.images[:_SHOWN]))
        for file, label, row in zip(val.files, val.labels, logits_NK.softmax(1).numpy(), strict=False):
            best = int(np.argmax(row))
            print(f"  {file} ({info.classes[label]}): {info.classes[best]}, {percent(float(row[best]), 0)}")


def _show_table(entry: PredictionsModel, packed: Path | None, where: str) -> None:
    if packed is None:
        return
    info = load_packed(packed)
    images = Images.of(load_samples(packed), info.classes)
    found = bring_predictions(entry, images, where)
    print(f"predictions of {len(found.seeds)} seed{'s' if len(found.seeds) > 1 else ''}")
    for note in found.notes:
        print(f"note: {note}")
    head = found.table.head(_SHOWN)
    for at, best in zip(head["id"].to_numpy(np.int64), head["predicted"].to_numpy(np.int64), strict=True):
        label = info.classes[images.labels_N[at]]
        print(f"  {images.files_N[at] or at} ({label}): {info.classes[best]}")
