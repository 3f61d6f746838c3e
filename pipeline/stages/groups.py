"""Stage `groups`: which group each image is in."""

from __future__ import annotations

import logging

from pipeline.artifacts.datasets import load_packed, load_packed_split, write_groups
from pipeline.artifacts.paths import dataset_dir, groups_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.titles import resolve_titles
from pipeline.core.types import SPLIT_NAMES
from pipeline.groups.make import make_groups
from pipeline.settings.plans.groups import GroupsPlan

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    settings, folder = read_plan(GroupsPlan, "groups", dataset), dataset_dir(dataset)
    with exclusive("groups", dataset):
        packed = load_packed(folder)
        # nothing is derived where an attribute is annotated: `levels` then must not make a training run again
        decided = settings_hash(settings.group_by if packed.attributes else settings)
        info, values_N, groups_N = make_groups(
            packed,
            [load_packed_split(folder, name) for name in SPLIT_NAMES],
            settings,
            make_provenance(decided, data=packed.packing),
        )
        resolve_titles(settings.titles, packed, info)  # a wrong name is an error here, not after training
        write_groups(groups_dir(dataset), info, values_N, groups_N)
    _log.info("%s: %d groups by %s", dataset, len(info.groups), info.attributes[0].name)
    for note in info.notes:
        _log.info("%s: %s", dataset, note)
