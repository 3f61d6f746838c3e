"""Chart: what conflicting images are given while a method learns, the cue's class or the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.words import percent
from pipeline.records.learning import LearningDynamics
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import chosen_method
from pipeline.report.page.charts.layout import Height, dodge, trace
from pipeline.verdict.phrases import method_label

HEIGHT = 130
LABEL = 30  # pixels that a label of two lines takes
_UP = Height(0.0, 1.0, 8, HEIGHT - 8)


@dataclass(frozen=True)
class FollowedLine:
    kind: Literal["cue", "label"]
    position: int  # its mark
    points: str
    y: float  # of the last epoch
    y_label: float
    last: float
    tip: str


@dataclass(frozen=True)
class FollowedPanel:
    """One method."""

    method: str
    position: int
    n_images: int
    lines: list[FollowedLine]


@dataclass(frozen=True)
class FollowedChart:
    title: str
    panels: list[FollowedPanel]
    height: int
    heights: list[tuple[float, float]]  # pixels and shares


def followed(report: Report, methods: Sequence[str] | None = None) -> FollowedChart | None:
    """Of the baseline and the chosen method unless others are asked for.

    None where no attribute speaks for classes, or nothing was noted. A method that only trains a last layer
    has no epochs of its own.
    """
    wanted = methods or [m for m in (report.verdict.baseline, chosen_method(report)) if m]
    known = {m: found for m in wanted if (found := own_dynamics(report, m)) is not None and found.followed}
    if not known:
        return None
    return FollowedChart(
        title=_title(known),
        panels=[_panel(report, method, found) for method, found in known.items()],
        height=HEIGHT,
        heights=[(_UP.at(v), v) for v in (0.0, 0.5, 1.0)],
    )


def own_dynamics(report: Report, method: str) -> LearningDynamics | None:
    """None where the method has no epochs of its own."""
    judged, trained = report.verdict.methods.get(method), report.training.get(method)
    is_borrowed = trained is not None and bool(trained.last_layers)
    return judged.dynamics if judged and not is_borrowed else None


def _panel(report: Report, method: str, found: LearningDynamics) -> FollowedPanel:
    assert found.followed is not None
    curves = {"cue": found.followed.cue, "label": found.followed.label}
    labels = dodge([_UP.at(own[-1]) for own in curves.values()], LABEL, LABEL / 2, HEIGHT - LABEL / 2)
    longest = max(found.followed.epochs[-1], 1)
    lines = [
        FollowedLine(
            kind=kind,  # type: ignore[arg-type]
            position=position,
            points=trace([(e / longest, _UP.at(v)) for e, v in zip(found.followed.epochs, own, strict=True)]),
            y=_UP.at(own[-1]),
            y_label=y_label,
            last=own[-1],
            tip=f"{method_label(method)} follows the {kind}: {percent(own[0])} after epoch 1, "
            f"{percent(own[-1])} after epoch {found.followed.epochs[-1] + 1}",
        )
        for position, ((kind, own), y_label) in enumerate(zip(curves.items(), labels, strict=True))
    ]
    place = list(report.methods).index(method) if method in report.methods else 0
    return FollowedPanel(method, place, found.followed.n_images, lines)


def _title(known: dict[str, LearningDynamics]) -> str:
    """What comes first with the first of them, the baseline where it is known."""
    method, found = next(iter(known.items()))
    first = found.first.first if found.first else "cannot tell"
    said = {
        "cue first": "learns the cue first",
        "label first": "learns the label first",
        "cannot tell": "is not shown to learn either first",
    }[first]
    return f"{method_label(method)} {said}"
