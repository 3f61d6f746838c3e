"""All indicators: **a new one is a file with an `INDICATOR` and its name in `MODULES`.**"""

from __future__ import annotations

import importlib

from pipeline.indicators.indicator import Indicator

NAMES = (
    "calibration",
    "overconfidence",
    "brier",
    "nll",
    "selective",
    "sensitivity",
    "sensitivity_off",
    "critical_samples",
    "attack_survival",
    "step_survival",
    "corruptions",
    "disagreement",
    "mc_dropout",
    "fit",
    "temperature",
    "smooth_calibration",
    "sharpness",
    "norms",
    "corruption_kinds",
    "novelty",
    "drift",
    "probe",
)
MODULES = {name: f"pipeline.indicators.{name}" for name in NAMES}


def find_indicator(name: str) -> Indicator:
    """The indicator of that name, one of `MODULES`."""
    found: Indicator = importlib.import_module(MODULES[name]).INDICATOR
    return found


def all_indicators() -> list[Indicator]:
    """Every indicator, in the order in which people read them."""
    return [find_indicator(name) for name in MODULES]
