"""`gate`: does a finished report meet the thresholds of params.yaml and of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import load_artifact, write_text
from pipeline.core.errors import InputError
from pipeline.plan.params_file import PARAMS_PATH, read_params
from pipeline.records.report import Report
from pipeline.report.gate.judge import Judged, choose_gated, judge_report
from pipeline.report.gate.markdown import markdown_gate
from pipeline.report.gate.text import format_gate
from pipeline.settings.gate import GateSettings

REMEDY = (
    "no threshold is given, so every report would pass. Give one, for example --min-worst-group 0.8, or set "
    "one in params.yaml under defaults.gate or the dataset's gate."
)
Reports = list[tuple[Path, Report]]


def run(options: argparse.Namespace) -> int:
    """Print every check; 0 if all passed, 1 if one failed.

    Raises:
        InputError: nothing is asked, or a report, method or earlier report is not there.
    """
    if _is_proposal(options):
        from pipeline.cli.gate_proposal import print_proposal  # writes YAML: few gates ask this

        report, path = _load(options.from_baseline), options.from_baseline
        print_proposal(path, report, method=options.method, use=options.use, writes=options.write)
        return 0
    reports = [(path, _load(path)) for path in options.reports]
    earlier = [(path, _load(path)) for path in options.baseline]
    known = {report.dataset.name for _, report in reports}
    for path, old in earlier:
        if old.dataset.name not in known:
            raise InputError(
                f"--baseline {path} is a report of {old.dataset.name}, but those to judge are of "
                f"{', '.join(sorted(known))}. Give an earlier report of the same dataset."
            )
    judged = [_judge(path, report, earlier, options) for path, report in reports]
    print(format_gate(judged), end="")
    if options.markdown is not None:
        write_text(options.markdown, markdown_gate(judged))
    return 1 if any(report.n_failed for report in judged) else 0


def _is_proposal(options: argparse.Namespace) -> bool:
    """Whether thresholds are asked for, and not a judgment.

    Raises:
        InputError: neither is, or flags are given that belong to the other.
    """
    asked = options.from_baseline is not None
    if not asked and not options.reports:
        raise InputError("no report is given. Name one, for example reports/photo_digits.json.")
    if not asked and options.write:
        raise InputError("--write is for --from-baseline REPORT.json, which is not given.")
    if asked and options.reports:
        raise InputError(
            f"--from-baseline judges no report, but {options.reports[0]} is given. Run the gate on it "
            "afterwards."
        )
    return asked


def _judge(path: Path, report: Report, earlier: Reports, options: argparse.Namespace) -> Judged:
    settings = choose_settings(report.dataset.name, options)
    if settings.asks_nothing:
        raise InputError(f"{path}: {REMEDY}")
    methods = choose_gated(report, settings.method)
    found = next(((p, old) for p, old in earlier if old.dataset.name == report.dataset.name), None)
    if found is None and settings.max_drop is not None and methods:
        raise InputError(
            f"{path}: max_drop is asked for, but there is no earlier report of {report.dataset.name} to "
            "compare with. Add --baseline OLD.json, for example of the main branch."
        )
    if found is not None and settings.max_drop is None:
        raise InputError(f"--baseline {found[0]} is for --max-drop, which is not given. Add --max-drop 0.02.")
    pairs = {}
    if found is not None:
        from pipeline.cli.compare import make_side  # predictions are tables: pandas loads late

        for method in methods:
            if method in report.verdict.not_trained or method in found[1].verdict.not_trained:
                continue
            choose_gated(found[1], method)
            pairs[method] = (make_side(*found, method), make_side(path, report, method))
    return judge_report(report, settings, methods, pairs)


def choose_settings(dataset: str, options: argparse.Namespace) -> GateSettings:
    """The dataset's thresholds in params.yaml, where it is there, with the flags laid over them."""
    settings = GateSettings()
    if PARAMS_PATH.exists():
        params = read_params()
        if dataset in params.datasets:
            settings = params.dataset(dataset).gate
    given: dict[str, Any] = {name: getattr(options, name) for name in GateSettings.model_fields}
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def _load(path: Path) -> Report:
    """A report.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such report. Give the path of a reports/<dataset>.json; `dvc repro` writes "
            "them, `dvc pull` fetches them."
        )
    try:
        return load_artifact(path, Report)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
