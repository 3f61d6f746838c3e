"""Whose `dvc.yaml` and `params.yaml` lie in a folder: looked at before anything is written there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import InputError
from pipeline.project.shipped import shipped

_PLAN_COMMANDS = ("shortcut-audit plan", "python -m pipeline plan")  # the second: before version 0.3
_PARAMS_KEYS = {"active", "defaults", "datasets"}
_SUBFOLDERS = ("audit", "shortcut_audit")


def check_folder(folder: Path) -> list[str]:
    """Refuse a folder whose `dvc.yaml` or `params.yaml` are another project's.

    Returns:
        What to know of an audit's own that differ from this version's.

    Raises:
        InputError: they are, with the two ways out.
    """
    stages, params = _read(folder / "dvc.yaml"), _read(folder / "params.yaml")
    foreign = []
    if stages is not None and not _is_audit(stages):
        foreign.append(_other_stages(folder / "dvc.yaml", stages))
    if params is not None and not params.keys() >= _PARAMS_KEYS:
        foreign.append(_other_params(folder / "params.yaml", params))
    if foreign:
        raise InputError("\n".join([*foreign, _ways_out(folder, is_mergeable=params is None)]))
    return [] if stages is None else _differing(folder / "dvc.yaml", stages)


def _read(path: Path) -> Mapping[str, Any] | None:
    """None: there is no such file. What is no mapping has no key that could be an audit's."""
    if not path.exists() and not path.is_symlink():
        return None
    try:
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _stages(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    found = raw.get("stages")
    return found if isinstance(found, Mapping) else {}


def _is_audit(raw: Mapping[str, Any]) -> bool:
    plan = _stages(raw).get("plan")
    return isinstance(plan, Mapping) and plan.get("cmd") in _PLAN_COMMANDS


def _differing(path: Path, raw: Mapping[str, Any]) -> list[str]:
    ours = _stages(YAML(typ="safe", pure=True).load(shipped("dvc.yaml")))
    names = [name for name, stage in ours.items() if _stages(raw).get(name) != stage]
    if not names:
        return []
    return [
        f"{path} stays as it is, but its {_listed(names)} differ from this version's. To bring them up to "
        "date, put what `shortcut-audit init --show dvc.yaml` prints in their place."
    ]


def _other_stages(path: Path, raw: Mapping[str, Any]) -> str:
    names = list(_stages(raw))
    ours = _stages(YAML(typ="safe", pure=True).load(shipped("dvc.yaml")))
    shared = [name for name in names if name in ours]
    renamed = f" (an audit has stages of these names, too: {', '.join(shared)})" if shared else ""
    return f"{path} is another project's, with {_listed(names)}{renamed}."


def _other_params(path: Path, raw: Mapping[str, Any]) -> str:
    return f"{path} is another project's, with {_listed(list(raw), 'key')}: an audit's holds its own alone."


def _listed(names: list[str], what: str = "stage") -> str:
    if not names:
        return f"no {what} that could be read"
    shown = ", ".join(map(str, names[:8])) + (", ..." if len(names) > 8 else "")
    return f"{what}{'s' if len(names) > 1 else ''} {shown}"


def _ways_out(folder: Path, *, is_mergeable: bool) -> str:
    free = next((name for name in _SUBFOLDERS if not (folder / name).exists()), "NAME")
    own = (
        "Nothing was written. Give the audit a folder of its own, from which DVC works as well:\n"
        f"  shortcut-audit init {folder / free}\n"
        f"  cd {folder / free} && dvc repro"
    )
    merged = (
        "\nOr add the stages that `shortcut-audit init --show dvc.yaml` prints to those of your dvc.yaml, "
        "under their names,\nand run `shortcut-audit init` again: it writes what is still missing."
    )
    return own + (merged if is_mergeable else "")
