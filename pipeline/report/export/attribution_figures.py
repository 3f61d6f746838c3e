"""Figures of attribution: which groups help which, and how far the scores foretell retrained models."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.core import words
from pipeline.records.attribution import AttributionResult, GroupChange, Lds
from pipeline.records.report import Report
from pipeline.report.export.attribution_tables import NOT_TRACED
from pipeline.report.export.svg_file import FigureFile, draw_file, label, line_key
from pipeline.report.page.charts.effects import plot_changes
from pipeline.report.page.inline_svg import INK, LINE, SERIES, SOFT, style_axes
from pipeline.report.page.view_attribution import MATRIX_GROUPS, AttributionView
from pipeline.verdict import phrases


def attribution_figures(s: Report) -> list[FigureFile]:
    """Three figures a method, or the reasons why there are none."""
    if not s.attribution:
        return [FigureFile("attribution_groups", "Which groups help and hurt which.", None, NOT_TRACED)]
    found = []
    for name, a in s.attribution.items():
        view, text = AttributionView(s, name), phrases.method_label(name)
        lds, check = a.lds, a.group_check
        found += [
            FigureFile(
                f"attribution_groups_{name}",
                f"Effect of 1,000 of a group's training images on a test group, {text}."
                if view.in_margin_units
                else f"Mean score of a group's training images on a test group, {text}.",
                _draw_matrix(s, name, a) if view.shows_matrix() and a.groups else None,
                f"More than {MATRIX_GROUPS} groups; the table has them all."
                if not view.shows_matrix()
                else "No group effects were measured.",
            ),
            FigureFile(
                f"lds_{name}",
                f"Linear datamodeling score of {text} beside its baselines.",
                _draw_lds(view, lds) if lds else None,
                f"Not measured: {view.lds_reason.rstrip('.')}.",
            ),
            FigureFile(
                f"retraining_check_{name}",
                f"Predicted against actual changes when training groups are thinned out, {text}.",
                _draw_check(view, check.changes) if check and check.changes else None,
                f"Not checked: {view.check_reason.rstrip('.')}.",
            ),
        ]
    return found


def _draw_matrix(s: Report, name: str, a: AttributionResult) -> str:
    """Rows are training groups; every cell has its number, so that color is not needed."""
    cells = {(c.train_index, c.test_index): c for c in a.groups}
    groups = [group.name for group in s.dataset.groups]
    largest = max((abs(c.value) for c in a.groups), default=0.0) or 1.0
    values = [
        [cells[i, j].value / largest if (i, j) in cells else 0.0 for j in range(len(groups))]
        for i in range(len(groups))
    ]

    edges = [i - 0.5 for i in range(len(groups) + 1)]

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        # pale enough for the numbers; turned around, because rows are read from the top
        axes.pcolormesh(edges, edges, values, cmap="PuOr", vmin=-2.4, vmax=2.4, edgecolors="white")
        axes.invert_yaxis()
        for row in range(len(groups)):
            for column in range(len(groups)):
                cell = cells.get((row, column))
                shown = words.DASH if cell is None else words.per_thousand(cell.value)
                interval = (
                    ""
                    if cell is None
                    else f"\n[{words.per_thousand(cell.low)}, {words.per_thousand(cell.high)}]"
                )
                axes.text(column, row, f"{shown}{interval}", ha="center", va="center", color=INK, fontsize=7)
        style_axes(axes, "Test group", "Training group")
        axes.grid(visible=False)
        short = [label(group, 26) for group in groups]
        axes.set_xticks(range(len(groups)), short, color=INK, rotation=20, ha="right")
        axes.set_yticks(range(len(groups)), short, color=INK)
        return []

    size = (3.4 + 1.05 * len(groups), 2.0 + 0.55 * len(groups))
    title = f"Which groups help (+) and hurt (−) which, {phrases.method_label(name)}"
    return draw_file(f"{title}: {label(s.dataset.title, 24)}", draw, size)


def _draw_lds(view: AttributionView, lds: Lds) -> str:
    rows = view.lds_rows(lds)

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        axes.axvline(0, color=SOFT, linewidth=1)
        for y, row in enumerate(rows):
            color, marker = (SERIES[0], "o") if row.interval else (SOFT, "s")
            if row.interval:
                axes.plot([row.interval.low, row.interval.high], [y, y], color=color, linewidth=1.6)
            axes.plot([row.value], [y], color=color, marker=marker, markersize=6)
        keys = [
            line_key("these scores, 95% interval", color=SERIES[0], marker="o"),
            line_key("baselines", color=SOFT, marker="s", width=0),
        ]
        if lds.ceiling is not None:
            axes.axvline(lds.ceiling, color=INK, linewidth=1.5, dashes=(4, 3))
            keys.append(line_key("noise ceiling", color=INK, dashes=(4, 3)))
        style_axes(axes, "Linear datamodeling score", "")
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        axes.grid(visible=False, axis="y")
        axes.set_yticks(range(len(rows)), [row.label for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        return keys

    title = f"How far the scores predict retrained models, {phrases.method_label(view.method)}"
    return draw_file(f"{title}: {label(view.s.dataset.title, 24)}", draw, (7.2, 1.7 + 0.32 * len(rows)))


def _draw_check(view: AttributionView, changes: Sequence[GroupChange]) -> str:
    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        plot_changes(axes, changes, view.worst)
        return [
            line_key("worst test group", color=SERIES[0], marker="D"),
            line_key("other test groups", color=SERIES[1], marker="o"),
            line_key("as predicted", color=SOFT, dashes=(4, 3)),
        ]

    title = f"Margins after thinning a training group, {phrases.method_label(view.method)}"
    return draw_file(f"{title}: {label(view.s.dataset.title, 24)}", draw, (7.2, 4.6))
