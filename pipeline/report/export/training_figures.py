"""Figures of how models learned and of what leaving images out does."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.records.cause import RemovalCurve
from pipeline.records.report import Report
from pipeline.records.training import Removal
from pipeline.records.verdict import Curves
from pipeline.report.export.learning_curves import MAX_CURVES, plot_learning_curves
from pipeline.report.export.method_tables import NO_MODEL
from pipeline.report.export.removal_curve import REMOVAL_MARKERS, plot_removal
from pipeline.report.export.svg_file import FigureFile, draw_file, label, line_key
from pipeline.report.page.group_rows import order_groups
from pipeline.report.page.inline_svg import DASHES, INK, SERIES
from pipeline.verdict import phrases


def training_figures(s: Report) -> list[FigureFile]:
    """One figure a method; a method that learned nothing of its own says so."""
    if not s.methods:
        return [FigureFile("learning_curves", "Learning curves.", None, NO_MODEL)]
    found = []
    for name in s.methods:
        training, judged, text = s.training.get(name), s.verdict.methods[name], phrases.method_label(name)
        starts_from_erm = training is not None and bool(training.last_layers)
        curves = None if starts_from_erm else judged.curves
        found.append(
            FigureFile(
                f"learning_curves_{name}",
                f"Validation accuracy of {text} per epoch: mean over seeds, bands span the seeds.",
                _draw_curves(s, name, curves) if curves else None,
                f"{text} has no curve of its own: it starts from ERM's network."
                if starts_from_erm
                else f"No learning curve of {text} was recorded.",
            )
        )
        if training is not None and training.removal is not None and judged.removal is not None:
            found.append(
                FigureFile(
                    f"removal_{name}",
                    "Validation accuracy of the worst group over the number of training images left out.",
                    _draw_removal(s, training.removal, judged.removal.curves),
                    "",
                )
            )
    return found


def _draw_curves(s: Report, name: str, curves: Curves) -> str:
    """The average and the groups that the first method serves worst, where there are many."""
    groups = list(range(len(s.dataset.groups)))
    if len(groups) > MAX_CURVES:
        groups = [group for group, _ in order_groups(s)[:MAX_CURVES]]

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        plot_learning_curves(axes, curves, groups)
        keys = [line_key("average", color=INK, width=2.2)]
        return keys + [
            line_key(label(s.dataset.groups[group].name), color=SERIES[i], dashes=DASHES[i], width=1.5)
            for i, group in enumerate(groups)
        ]

    return draw_file(f"Learning curves of {phrases.method_label(name)}: {label(s.dataset.title)}", draw)


def _draw_removal(s: Report, removal: Removal, curves: Sequence[RemovalCurve]) -> str:
    kinds = {curve.kind for curve in curves}

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        plot_removal(axes, removal, curves)
        keys = [
            line_key(words, color=SERIES[i], marker=REMOVAL_MARKERS[kind], dashes=DASHES[i])
            for i, (kind, words) in enumerate(phrases.REMOVAL_LABELS.items())
            if kind in kinds
        ]
        return [*keys, line_key("chosen", color=INK, dashes=(2, 2), width=1.2)]

    return draw_file(f"Leaving training images out: {label(s.dataset.title)}", draw)
