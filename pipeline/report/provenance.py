"""Where a report comes from: settings, what DVC recorded of each stage, the code's revision, the machine.

The records only; `report/origins.py` reads them from `dvc.lock`, git and the system.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from pipeline.records.report import Revision, StageRun

SHORT = 8  # hex digits shown of an md5, as DVC and git abbreviate theirs


def describe_stages(stages: Sequence[StageRun]) -> str:
    """Whether the report's numbers come from what DVC recorded, in a sentence."""
    if not stages:
        return "dvc.lock has no stage of this dataset: its files were made without DVC."
    stale = [stage for stage in stages if stage.changed]
    if not stale:
        return (
            f"All {len(stages)} stages fit: code, inputs and outputs on disk were those that DVC recorded. "
            "The report's own stage is written down after it ended and is not among them."
        )
    return (
        f"{len(stale)} of {len(stages)} stages do not fit what DVC recorded: files changed since, for "
        "example because a stage was run by hand or code was edited. Run dvc repro to be sure."
    )


def describe_revision(revision: Revision, installed: str | None = None) -> str:
    """Whether the commit alone gives the code and settings, in a sentence.

    Args:
        installed: the version of the package whose code ran, where that is not the commit's own.
    """
    if installed is not None:
        return (
            f"The settings {'differed from' if revision.changed else 'were'} those of this commit; the code "
            f"was shortcut-audit {installed}, as it is installed, and its fingerprints are in dvc.lock."
        )
    if not revision.changed:
        return "Code and settings were those of this commit."
    return (
        "Code or settings differed from this commit, so that it alone may give other numbers: commit the "
        "changes before a report that others shall reproduce."
    )


def reproduce_commands(dataset: str, revision: Revision | None) -> list[str]:
    """What to type to make the report again, from a checkout of the project."""
    checkout = [f"git checkout {revision.commit}"] if revision else []
    return [*checkout, f"dvc repro report@{dataset}"]


class _Representer(SafeRepresenter):
    """Lists on one line: those of settings are short."""

    def represent_list(self, data: Any) -> Any:
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Representer.add_representer(list, _Representer.represent_list)


def yaml_text(values: Mapping[str, Any]) -> str:
    """Settings as YAML; marks that turn the writing direction around are spelled out."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the file's order reads better
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(dict(values), stream)
    return re.sub("[\u202a-\u202e\u2066-\u2069]", lambda mark: f"\\u{ord(mark[0]):04x}", stream.getvalue())
