"""`gate --from-baseline`: the thresholds that a report meets today, to paste or written to params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.data.entry.write import write_section
from pipeline.plan.params_file import PARAMS_PATH, read_params
from pipeline.records.report import Report
from pipeline.report.gate.judge import choose_gated
from pipeline.report.gate.thresholds import Proposal, format_proposal, propose
from pipeline.settings.gate import Use


def print_proposal(path: Path, report: Report, *, method: str | None, use: Use | None, writes: bool) -> None:
    """Print the section as YAML; with `writes` it replaces the dataset's in params.yaml, too.

    Args:
        method: as given by --method; None is the baseline.
        use: None judges by the estimate, so that chance alone rarely fails a run that is as good.

    Raises:
        InputError: the report answers nothing, or params.yaml does not know its dataset.
    """
    methods, name = choose_gated(report, method), report.dataset.name
    named = "all" if method == "all" else methods[0] if method else None
    found = propose(report, methods, method=named, use=use or "estimate")
    if writes:  # first: what is printed is then there
        write_section(PARAMS_PATH, name, "gate", _section(name, found))
    print(format_proposal(found, f"datasets.{name}", str(path)), end="")
    if writes:
        print(f"# wrote datasets.{name}.gate to {PARAMS_PATH}")


def _section(name: str, found: Proposal) -> dict[str, Any]:
    """What the entry must hold: null where defaults.gate asks for what this report cannot answer."""
    params = read_params()
    if name not in params.datasets:
        raise InputError(
            f"{PARAMS_PATH} has no dataset {name!r}, only {', '.join(params.datasets)}. Leave --write out "
            "and paste what is printed."
        )
    given = found.settings.model_dump(exclude_defaults=True) | {"use": found.settings.use}
    everything, defaults = found.settings.model_dump(), params.defaults.get("gate") or {}
    return given | {key: everything[key] for key, value in defaults.items() if value != everything[key]}
