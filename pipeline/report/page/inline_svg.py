"""Figures as inline SVG that takes its colors from the page: legible in light, dark and print.

Names that users chose never enter a figure; legends are HTML, where escaping is certain.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Matplotlib wants real colors; these stand for the page's variables and are swapped afterwards.
_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--line)",
    **{f"#0400{i:02x}": f"var(--series-{i})" for i in range(1, 7)},
}
INK, SOFT, LINE, *SERIES = _VARIABLES
DASHES: tuple[tuple[int, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2), (4, 4), (10, 3))  # one a series

_SVG_DPI = 72  # the unit of an SVG file


@dataclass(frozen=True)
class Tip:
    """What the page shows while the pointer is at a point of the figure."""

    x: float
    y: float
    text: str


def draw_inline(
    name: str, draw: Callable[[Axes], Sequence[Tip]], size: tuple[float, float] = (4.6, 3.4)
) -> str:
    """What `draw` puts on a pair of axes, as `<svg>`; `name` makes ids unique within the page.

    Args:
        draw: it returns what its points say under the pointer.
    """
    import matplotlib  # late: few pages have such a figure
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 13}):
        figure = Figure(figsize=size, layout="constrained", dpi=_SVG_DPI)
        axes = figure.subplots()
        tips = draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    marks = "".join(_hidden_mark(axes, tip) for tip in tips)
    return _make_inline(buffer.getvalue(), name).removesuffix("</svg>") + marks + "</svg>"


def _hidden_mark(axes: Axes, tip: Tip) -> str:
    """A circle to point at; to be made once the figure is laid out."""
    x, y = axes.transData.transform((tip.x, tip.y))
    down = axes.figure.bbox.height - y
    return f'<circle cx="{x:.1f}" cy="{down:.1f}" r="6" fill-opacity="0" data-tip="{html.escape(tip.text)}"/>'


def style_axes(axes: Axes, x_label: str, y_label: str) -> None:
    """Quiet axes: labels and ticks in the soft color, a line at the bottom only."""
    axes.set_xlabel(x_label, color=SOFT)
    axes.set_ylabel(y_label, color=SOFT)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.tick_params(colors=SOFT, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)


def _make_inline(svg: str, name: str) -> str:
    """Strip what a page must not get (page-wide styles, metadata, clashing ids) and bind colors."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"<svg[^>]*viewBox=\"([^\"]+)\"[^>]*>", r'<svg viewBox="\1" aria-hidden="true">', svg, count=1
    )
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]+;?", "font-family: inherit;", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return re.sub(r">\s+<", "><", re.sub(r" \n", " ", svg)).strip()
