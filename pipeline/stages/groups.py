"""Stage `groups`: which group each image is in."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from pipeline.artifacts.cue_classes import CueClasses, load_cue_classes
from pipeline.artifacts.datasets import load_packed, load_packed_split, write_groups
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import color_dir, dataset_dir, groups_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.titles import resolve_titles
from pipeline.core.errors import ArtifactError
from pipeline.core.types import SPLIT_NAMES, PackedSplit
from pipeline.core.words import quoted
from pipeline.groups.form import Formed, no_attribute, of_attribute, of_clusters, of_cue, of_errors
from pipeline.groups.make import make_groups
from pipeline.groups.source import find_source
from pipeline.groups.used import (
    Choice,
    candidates,
    choose_cue,
    told_around,
    uses_on_validation,
    why_no_candidate,
)
from pipeline.methods.registry import BASE
from pipeline.methods.setup import read_setup
from pipeline.records.base import Provenance
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.data import AskedCue, PackedInfo
from pipeline.settings.plans.groups import GroupsPlan

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    plan, folder = read_plan(GroupsPlan, "groups", dataset), dataset_dir(dataset)
    with exclusive("groups", dataset):
        packed = load_packed(folder)
        splits = [load_packed_split(folder, name) for name in SPLIT_NAMES]
        formed, asked = _form(packed, splits, plan)
        # what forms the groups and nothing else: settings that were not asked for must train nothing again
        decided = settings_hash(plan.group_by, formed.info.name, formed.info.origin)
        provenance = make_provenance(decided, data=packed.packing)
        # what is inferred inside one class has nothing to do with another one of its superclass
        crossed = "class" if formed.info.origin == "inferred" and plan.group_by == "auto" else plan.group_by
        info, values_N, groups_N = make_groups(packed, splits, formed, crossed, provenance, asked)
        resolve_titles(plan.titles, packed, info)  # a wrong name is an error here, not after training
        write_groups(groups_dir(dataset), info, values_N, groups_N)
    _log.info("%s: %d groups by %s", dataset, len(info.groups), info.attributes[0].name)
    for note in info.notes:
        _log.info("%s: %s", dataset, note)


def _form(
    packed: PackedInfo, splits: Sequence[PackedSplit], plan: GroupsPlan
) -> tuple[Formed, list[AskedCue]]:
    """What `groups.from` asks for; of `auto` without an attribute the cue that a model is seen to use."""
    source = find_source(plan.from_, [attribute.name for attribute in packed.attributes])
    n = sum(len(split) for split in splits)
    if source.kind == "attribute":
        return of_attribute(packed.attributes, splits, source.name, source.note), []
    if source.kind == "never":
        return no_attribute(n), []
    taken = [attribute.name for attribute in packed.attributes]
    if source.kind == "inferred":
        from pipeline.methods.probe import infer_values  # late: few groups need a network, and it loads torch

        by_class = make_groups(packed, splits, no_attribute(n), "class", Provenance())
        setup = read_setup(BASE, plan.base)
        found = infer_values(packed, by_class.info, splits, setup, plan.inference)
        form = of_errors if plan.inference == "errors" else of_clusters
        return form(found.values_N, found.distances_N, taken), []
    cues = _found_cues(packed)
    is_named = source.kind == "cue"
    choice = _named(cues, source.name) if is_named else _used(cues, packed, splits, plan)
    if choice.cue is None:
        return no_attribute(n, choice.note), choice.asked
    labels_N = np.concatenate([split.labels for split in splits])
    classes = _classes(packed)
    named_N = np.concatenate([classes.of(choice.cue.column, split) for split in splits])
    return of_cue(choice.cue, labels_N, named_N, taken, choice.note), choice.asked


def _found_cues(packed: PackedInfo) -> CuesResult:
    """Raises: ArtifactError (there is no such result, or it is of other data)."""
    path = color_dir(packed.name) / "cues.json"
    if not path.exists():
        raise ArtifactError(
            f"{path} does not exist, and groups may be of a cue. Run `shortcut-audit cues {packed.name}` "
            f"first, or write `datasets.{packed.name}.groups: {{ from: never }}`."
        )
    return load_current(path, CuesResult, packed.packing)


def _named(cues: CuesResult, name: str) -> Choice:
    """The cue that was asked for, where it gives the class away."""
    cue: CueFinding | None = next((cue for cue in cues.cues if cue.name == name), None)
    if cue is None:
        return Choice(
            None, [], f"no groups beyond classes: these data have nothing that the cue {name!r} reads"
        )
    if not cue.found:
        note = (
            f"no groups beyond classes: {quoted(cue.title)} is not shown to give the class away, so what it "
            "names would be chance (groups.from: auto)"
        )
        return Choice(None, [], note)
    return Choice(cue, [], "groups.from asks for this cue: whether a model uses it was not asked")


def _used(cues: CuesResult, packed: PackedInfo, splits: Sequence[PackedSplit], plan: GroupsPlan) -> Choice:
    """The cue that validation images show a model to use; trains nothing where no cue could be."""
    train, val, _ = splits
    tried = candidates(cues)
    if not tried:
        return Choice(None, [], why_no_candidate(cues))
    if not len(val):
        note = "no groups beyond classes: there are no validation images to ask whether a model uses a cue"
        return Choice(None, [], note)
    from pipeline.methods.probe import predict_validation  # late, as above

    by_class = make_groups(packed, splits, no_attribute(sum(map(len, splits))), "class", Provenance())
    predicted_V = predict_validation(packed, by_class.info, train, val, read_setup(BASE, plan.base))
    correct_V, classes = predicted_V == val.labels, _classes(packed)
    asked = [
        (
            cue,
            uses_on_validation(
                correct_V, val.labels, classes.of(cue.column, val), val.sources, n_candidates=len(tried)
            ),
        )
        for cue in tried
    ]
    return choose_cue(asked, told_around(cues))


def _classes(packed: PackedInfo) -> CueClasses:
    return load_cue_classes(color_dir(packed.name) / "cue_classes.parquet", packed.packing)
