"""`new-dataset`: add images, however they are kept, to params.yaml and preview what they hold."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.artifacts.overlap import check_files, check_path
from pipeline.artifacts.paths import check_dataset_name, downloads_dir
from pipeline.core.errors import InputError
from pipeline.data.decoding.pixels import check_unreadable, note_files, scan_files
from pipeline.data.entry.containers import describe_container
from pipeline.data.entry.preview import preview
from pipeline.data.entry.write import write_entry, write_lists
from pipeline.data.names.roles import describe_roles
from pipeline.data.names.split_mapping import parse_flags
from pipeline.data.plan import Plan, make_plan
from pipeline.data.sources.registry import load_raw
from pipeline.methods.registry import BASE
from pipeline.plan.guard import check_all_outputs
from pipeline.plan.params import Params
from pipeline.plan.params_file import PARAMS_PATH, read_params
from pipeline.plan.source_overlap import check_sources
from pipeline.project.entry import guess_entry
from pipeline.settings.data import DataSettings


def run(options: argparse.Namespace) -> None:
    """Guess the entry, try it, show what it finds, and only then write it."""
    check_dataset_name(options.name)
    params = read_params()
    check_path(options.path.expanduser(), str(options.path), options.name, [*params.datasets, *params.active])
    guessed = guess_entry(
        options.name,
        options.path,
        file=options.file_column,
        label=options.label_column,
        split=options.split_column,
        attributes=options.attribute_column,
        group_column=options.group_column,
        image_size=options.image_size,
        said=_said(options),
    )
    entry = guessed.entry
    if options.skip_unreadable:
        entry["data"]["skip_unreadable"] = True
    changed = params.model_dump() | {"datasets": {**params.datasets, options.name: entry}}
    with_it = Params.model_validate(changed | {"active": [options.name]})
    check_sources(with_it)
    check_all_outputs(with_it)
    settings = with_it.dataset(options.name)
    raw = load_raw(settings.source, downloads_dir() / options.name)
    check_files(raw.files(), options.name, with_it.datasets)
    print(preview(raw))
    flags = ("file", "label", "split", "attribute", "group")
    given = {f"--{flag}-column": getattr(options, f"{flag}_column") for flag in flags}
    if guessed.container is None:
        print(describe_roles(settings.source, raw, given))
    else:
        print(describe_container(settings.source, raw, guessed.container))
    plan = make_plan(raw, settings.data)  # refuses now what the data stage would refuse later
    if not options.no_scan:
        _scan(plan, settings.data)
    write_entry(PARAMS_PATH, options.name, entry, overwrite=options.overwrite)
    from pipeline.preflight.report import look_ahead  # late: it loads torch

    ahead = look_ahead(
        options.name,
        raw,
        plan,
        settings,
        methods=params.trained_methods or [BASE],
        explained=params.explained_methods,
        is_timed=not options.no_timing and bool(params.trained_methods),
    )
    print("\n".join(["", *ahead.lines]))
    if options.activate:
        _activate(options.name, params, {**ahead.against, **_models_of_others(options.name, params)})
    print(f"\nwrote datasets.{options.name} to {PARAMS_PATH}")
    print(
        "run it:  dvc repro"
        if options.activate
        else f"run it:  set `active: [{options.name}]`, then dvc repro"
    )


def _scan(plan: Plan, settings: DataSettings) -> None:
    """Open every image and say what was special.

    Raises:
        InputError: some cannot be read, and they may not be left out.
    """
    found = scan_files(plan.rows, settings)
    check_unreadable(found, len(plan.rows), settings)
    print(f"every image was opened: {len(found.kept):,} of {len(plan.rows):,} can be read")
    for note in note_files(found):
        print(f"note: {note}")


def _said(options: argparse.Namespace) -> dict[str, Any]:
    """The keys of `source` that flags give."""
    says_split = [flag for flag in ("split", "split_column", "split_level") if getattr(options, flag)]
    if says_split and options.no_split:
        flag = "--" + says_split[0].replace("_", "-")
        raise InputError(f"{flag} and --no-split contradict each other: give one.")
    keys = ("split_level", "label_level", "attribute_level")
    said: dict[str, Any] = {key: value for key in keys if (value := getattr(options, key)) is not None}
    said |= {"splits": parse_flags(options.split)} if options.split else {}
    said |= {"split_level": 0} if options.no_split else {}
    return said | ({"names": "exact"} if options.keep_names else {})


def _models_of_others(name: str, params: Params) -> dict[str, str]:
    """Active models that say of which datasets they are, not of this one; each with the reason."""
    active = {key: model for key, model in params.models.items() if key in params.active_methods}
    return {
        key: f"It is a model of {', '.join(model.datasets)} (models.{key}.datasets)."
        for key, model in active.items()
        if model.datasets is not None and name not in model.datasets
    }


def _activate(name: str, params: Params, left_out: Mapping[str, str]) -> None:
    """Make it the only active dataset, with the active methods that can be trained on it."""
    methods = [m for m in params.active_methods if m not in left_out]
    # the ladder needs a baseline
    methods = methods or [BASE]
    explained = [m for m in params.explained_methods if m in methods]
    if methods[0] not in explained:
        explained.insert(0, methods[0])
    lists: dict[str, Sequence[str]] = {
        "active": [name],
        "active_methods": methods,
        "explained_methods": explained,
    }
    write_lists(PARAMS_PATH, lists)
    for method, reason in left_out.items():
        print(f"left out of active_methods: {method}. {reason}")
