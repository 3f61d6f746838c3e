"""The table of every indicator of every method, and what is to be said of some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.records.base import Estimate
from pipeline.records.indicators import Indicator, IndicatorsResult, Unit
from pipeline.records.report import Report
from pipeline.verdict.phrases import method_label

MOST_PARTS = 8  # of one indicator; the JSON and the exported tables have all


class IndicatorCell(NamedTuple):
    """One method's number; without `estimate` the reason stands in `why`."""

    method: str
    estimate: Estimate | None
    unit: Unit
    threshold: float | None
    why: str
    is_alone: bool = False  # of one network, which has no interval


class IndicatorLine(NamedTuple):
    title: str
    cells: list[IndicatorCell]


def indicator_lines(report: Report) -> list[IndicatorLine]:
    """Indicators in their order, those of whole networks part by part; what no method has is left out."""
    by_method = {m: dict(_numbers(result)) for m, result in report.indicators.items()}
    titles = {key: title for numbers in by_method.values() for key, (title, *_) in numbers.items()}
    shown = [key for keys in _parts(titles).values() for key in keys[:MOST_PARTS]]
    return [
        IndicatorLine(
            titles[key], [_cell(report, m, key, numbers.get(key)) for m, numbers in by_method.items()]
        )
        for key in shown
    ]


def _parts(keys: Iterable[str]) -> dict[str, list[str]]:
    """By indicator, in the order of both."""
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(key.split(" ", maxsplit=1)[0], []).append(key)
    return found


def _rest_notes(report: Report) -> list[str]:
    """How many numbers of an indicator the table leaves out."""
    numbers = {key: own[2] for r in report.indicators.values() for key, own in _numbers(r)}
    return [
        f"{numbers[keys[0]].title}: {len(keys) - MOST_PARTS} further numbers are in the JSON and the "
        "exported tables"
        for keys in _parts(numbers).values()
        if len(keys) > MOST_PARTS
    ]


Found = tuple[str, Estimate, Indicator, float | None]


def _numbers(result: IndicatorsResult) -> Iterator[tuple[str, Found]]:
    for indicator in result.indicators:
        if indicator.overall is not None:
            yield indicator.name, (indicator.title, indicator.overall, indicator, None)
        for part in indicator.parts:
            title = part.title if len(indicator.parts) == 1 else f"{indicator.title}: {part.title}"
            yield f"{indicator.name} {part.name}", (title, part.estimate, indicator, part.threshold)


def _cell(report: Report, method: str, key: str, found: Found | None) -> IndicatorCell:
    if found is not None:
        is_alone = " " in key and found[1].n == 1
        return IndicatorCell(method, found[1], found[2].unit, found[3], "", is_alone)
    name = key.split(" ", maxsplit=1)[0]
    own = next((i for i in report.indicators[method].indicators if i.name == name), None)
    return IndicatorCell(method, None, "number", None, own.why_not if own and own.why_not else "not measured")


def indicator_notes(report: Report) -> list[str]:
    """What methods note of their indicators, each sentence once, and what none of them could measure."""
    unmeasured: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    n_methods = len(report.indicators)
    reasons = [(i.title, i.why_not) for r in report.indicators.values() for i in r.indicators if i.why_not]
    for title, why in reasons:
        if reasons.count((title, why)) == n_methods:
            unmeasured[title] = why
    for method, result in report.indicators.items():
        for indicator in result.indicators:
            for note in indicator.notes:
                notes.setdefault(f"{indicator.title}: {note}", []).append(method_label(method))
    told = [text if len(who) == n_methods else f"{', '.join(who)}, {text}" for text, who in notes.items()]
    return [
        *(f"{_ended(text[:1].upper() + text[1:])}" for text in [*told, *_rest_notes(report)]),
        *(f"Not measured, {title}: {_ended(why)}" for title, why in unmeasured.items()),
    ]


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
