"""All figures of an export."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import PercentFormatter

from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.export.attribution_figures import attribution_figures
from pipeline.report.export.method_tables import NO_MODEL
from pipeline.report.export.svg_file import (
    LIGHT,
    METHOD_COLORS,
    METHOD_MARKERS,
    FigureFile,
    draw_file,
    label,
    line_key,
    method_key,
)
from pipeline.report.export.training_figures import training_figures
from pipeline.report.page.group_rows import order_groups
from pipeline.report.page.inline_svg import INK, LINE, SOFT, style_axes
from pipeline.verdict import phrases

ROWS_DRAWN = 30  # groups or classes; more cannot be told apart


def build_figures(s: Report) -> list[FigureFile]:
    """Every figure of the report; those that cannot be drawn say why."""
    return [
        FigureFile(
            "accuracy_by_group",
            "Accuracy of every group and method with 95% intervals, worst group first.",
            _draw_accuracy(s) if s.methods else None,
            NO_MODEL,
        ),
        FigureFile(
            "gains",
            "Gain of every method over the baseline with 95% intervals, paired on the same test images.",
            _draw_gains(s) if s.verdict.comparisons else None,
            "Methods were not compared.",
        ),
        *training_figures(s),
        *attribution_figures(s),
        FigureFile(
            "palettes",
            "The most frequent colors of each class.",
            _draw_palettes(s) if s.color.palettes else None,
            "No palettes were made.",
        ),
    ]


def _draw_accuracy(s: Report) -> str:
    groups = [group for group, _ in order_groups(s)]
    shown = groups[:ROWS_DRAWN]
    n_methods = len(s.methods)
    first = next(iter(s.methods.values())).test.groups

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        for row, group in enumerate(shown):
            for i, method in enumerate(s.methods.values()):
                found = method.test.groups[group]
                y = row + 0.7 * ((i + 0.5) / n_methods - 0.5)
                if found.n:
                    _draw_interval(axes, y, found, i)
            if all(not m.test.groups[group].n for m in s.methods.values()):
                axes.text(0.02, row, "no images", color=SOFT, va="center", style="italic")
        style_axes(axes, "Accuracy on test images, 95% interval", "")
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        _name_rows(
            axes,
            [label(first[g].name) + ("" if first[g].sufficient else f" ({phrases.TOO_FEW})") for g in shown],
        )
        return [method_key(i, phrases.method_label(m)) for i, m in enumerate(s.methods)]

    part = f", the {len(shown)} worst of {len(groups)}" if len(groups) > len(shown) else ""
    height = 1.6 + len(shown) * (0.22 + 0.11 * n_methods) + 0.1 * n_methods
    return draw_file(f"Accuracy by group{part}: {label(s.dataset.title)}", draw, (7.2, height))


def _draw_gains(s: Report) -> str:
    names = list(s.methods)
    rows: list[tuple[str, Estimate, int]] = []
    for c in s.verdict.comparisons:
        i = names.index(c.method) if c.method in names else len(names)
        method = phrases.method_label(c.method)
        rows += [
            (f"{method}: in {label(c.group, 30)}", c.gain, i),
            (f"{method}: worst group of each", c.worst_group_gain, i),
        ]

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        axes.axvline(0, color=SOFT, linewidth=1.2, dashes=(4, 3))
        for row, (_, gain, i) in enumerate(rows):
            _draw_interval(axes, row, gain, i)
        style_axes(axes, "Gain in accuracy, points, 95% interval", "")
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=None))
        _name_rows(axes, [text for text, _, _ in rows])
        return [line_key("no difference", color=SOFT, dashes=(4, 3))]

    baseline = phrases.method_label(s.verdict.comparisons[0].baseline)
    return draw_file(f"Gain over {baseline}: {label(s.dataset.title)}", draw, (7.2, 1.5 + 0.32 * len(rows)))


def _draw_interval(axes: Axes, y: float, e: Estimate, method: int) -> None:
    color = METHOD_COLORS[method % len(METHOD_COLORS)]
    axes.plot([e.low, e.high], [y, y], color=color, linewidth=1.6, solid_capstyle="butt")
    axes.plot(
        [e.value], [y], color=color, marker=METHOD_MARKERS[method % len(METHOD_MARKERS)], markersize=5.5
    )


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _draw_palettes(s: Report) -> str:
    shown = s.color.palettes[:ROWS_DRAWN]

    def draw(axes: Axes) -> Sequence[Line2D | Patch]:
        for row, palette in enumerate(shown):
            left = 0.0
            for color, share in zip(palette.colors, palette.shares, strict=True):
                face = "#000000" if color.lower() in LIGHT else color  # stand-ins are nearly black
                axes.add_patch(Rectangle((left, row - 0.36), share, 0.72, facecolor=face, edgecolor=LINE))
                left += share
        style_axes(axes, "Share of the class's pixels", "")
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        _name_rows(axes, [label(palette.class_name) for palette in shown])
        return []

    n = len(s.color.palettes)
    part = f", the first {len(shown)} of {n} classes" if n > len(shown) else ""
    return draw_file(
        f"Most frequent colors{part}: {label(s.dataset.title)}", draw, (7.2, 1.1 + 0.34 * len(shown))
    )
