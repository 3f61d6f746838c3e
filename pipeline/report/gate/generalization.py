"""What a gate can ask of indicators beyond accuracy."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.gate.limits import Check, Key, Limit, Unit, measured, unmeasured


class AskedIndicator(NamedTuple):
    """Where the number is: of an indicator over all images, or one part of one of whole networks."""

    what: str
    indicator: str
    part: str | None
    unit: Unit


INDICATORS: dict[Key, AskedIndicator] = {
    "max_ece": AskedIndicator("calibration error", "calibration", None, "share"),
    "max_psi": AskedIndicator("drift of the predicted classes", "drift", "psi_classes", "number"),
    "min_attacked": AskedIndicator("right answers that survive an attack", "attack_survival", None, "share"),
    "min_corrupted": AskedIndicator("right answers that survive corruption", "corruptions", None, "share"),
}


def check_indicator(report: Report, method: str, limit: Limit, key: Key) -> Check:
    """The number held against `limit`; it fails where it was not measured, with the reason."""
    asked = INDICATORS[key]
    found, why = _find(report, method, asked)
    if found is None:
        return unmeasured(asked.what, limit, why, method=method, unit=asked.unit)
    if asked.part is not None and found.n < 2:
        alone = "one network has no interval: set indicators.max_models to 2 or more, and train as many seeds"
        return unmeasured(asked.what, limit, alone, method=method, unit=asked.unit)
    return measured(asked.what, limit, found, method=method, unit=asked.unit)


def _find(report: Report, method: str, asked: AskedIndicator) -> tuple[Estimate | None, str]:
    result = report.indicators.get(method)
    own = [i for i in result.indicators if i.name == asked.indicator] if result else []
    if not own:
        return None, "it was not measured"
    if own[0].why_not:
        return None, own[0].why_not
    if asked.part is None:
        return own[0].overall, "it was not measured"
    return next((p.estimate for p in own[0].parts if p.name == asked.part), None), "it was not measured"
