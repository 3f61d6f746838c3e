"""The flags of `gate`, in a file of their own: `--help` should not wait for statistics to load."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import get_args

from pipeline.settings.gate import NO_SHARES, Forbidden, GateSettings, Use, check_fraction


def add_gate_options(gate: argparse.ArgumentParser) -> None:
    """Every threshold of `GateSettings` as a flag."""
    gate.add_argument("reports", nargs="*", type=Path, metavar="REPORT", help="reports/<dataset>.json")
    gate.add_argument(
        "--from-baseline", type=Path, metavar="REPORT.json",
        help="judge nothing: print the `gate` section that this report meets today, with --method and --use "
        "(then estimate by default) as given; what it cannot answer is left out",
    )  # fmt: skip
    gate.add_argument(
        "--write", action="store_true", help="with --from-baseline: write the section to params.yaml, too"
    )
    gate.add_argument(
        "--method", help="the one you ship (default: the baseline), or all: every one must pass"
    )
    gate.add_argument(
        "--use",
        choices=get_args(Use),
        help="what must meet a threshold. lower (default): the worse end of the 95%% interval - the lower "
        "one of what must be high, the upper one of what must be low - and a forbidden rung must be answered "
        "no: doubt counts against the model. estimate: the number itself, and a forbidden rung must not be "
        "answered yes. Duplicates and --max-drop always go by the number itself",
    )
    for name, field in GateSettings.model_fields.items():
        if name.startswith(("min_", "max_")):
            flag = f"--{name.replace('_', '-')}"
            kind, metavar = (_number, "NUMBER") if name in NO_SHARES else (_fraction, "SHARE")
            gate.add_argument(flag, type=kind, metavar=metavar, help=field.description)
    gate.add_argument(
        "--forbid",
        type=_rungs,
        metavar="RUNG,...",
        help=f"rungs of the verdict that must not hold: {', '.join(get_args(Forbidden))}",
    )
    gate.add_argument(
        "--allow-uncounted",
        action="store_true",
        default=None,
        help=GateSettings.model_fields["allow_uncounted"].description,
    )
    gate.add_argument(
        "--baseline", type=Path, action="append", default=[], metavar="OLD.json",
        help="earlier report of the same dataset, for --max-drop; once per dataset",
    )  # fmt: skip
    gate.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for a pull request")


def _fraction(text: str) -> float:
    try:
        return check_fraction(float(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: {error}") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of 0 or more, such as 0.1")
    return value


def _rungs(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in get_args(Forbidden)]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} cannot be forbidden, only {', '.join(get_args(Forbidden))}"
        )
    return names
