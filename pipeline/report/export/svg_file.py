"""Figures as SVG files of their own: white background, a title, and any name as plain text."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.core.words import isolate, shorten
from pipeline.report.markdown import plain
from pipeline.report.page.inline_svg import INK, LINE, SERIES, SOFT

# the page's colors on a light background (style.css)
LIGHT = {
    INK: "#1c2328",
    SOFT: "#56616b",
    LINE: "#dde2e5",
    **dict(zip(SERIES, ("#c9540a", "#0b6bb0", "#0c8a66", "#b0528a", "#86701a", "#5a4fae"), strict=True)),
}
# a method's as on the page (--m0 to --m6), in the order of the report's methods
METHOD_COLORS = ("#b34a12", "#1167a6", "#1b7a55", "#8a3f9b", "#8a6a00", "#b0325c", "#4d5a66", "#6b4a2b")
METHOD_MARKERS = ("o", "D", "s", "^", "v", "P", "H", "X")  # so that color is never the only cue


@dataclass(frozen=True)
class FigureFile:
    """One figure of an export; without a picture it is not written, and `missing` says why."""

    name: str  # of its file
    about: str
    svg: str | None
    missing: str


def draw_file(
    title: str, draw: Callable[[Axes], Sequence[Line2D | Patch]], size: tuple[float, float] = (7.2, 4.2)
) -> str:
    """What `draw` puts on a pair of axes as an SVG document; what it returns becomes the legend.

    Letters stay text, so that they can be searched and edited; dollar signs are dollar signs.
    """
    options = matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 9, "text.parse_math": False}
    )
    with options, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the viewer's fonts draw the letters
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
        handles = draw(figure.subplots())
        if handles:
            legend = figure.legend(
                handles=handles, loc="outside lower left", ncols=2, frameon=False, labelcolor=INK
            )
            legend.set_in_layout(True)
        buffer = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Title": title}
        figure.savefig(buffer, format="svg", metadata=metadata)
    svg = buffer.getvalue()
    for stand_in, color in LIGHT.items():
        svg = svg.replace(stand_in, color)
    return svg


def label(name: str, limit: int = 40) -> str:
    """A name that users chose, short and without characters that XML or a legend refuses."""
    text = shorten(plain(name), limit)
    kept = "".join(char for char in text if unicodedata.category(char) not in ("Cn", "Co"))
    text = isolate(kept)
    return f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text  # else no legend entry


def line_key(
    text: str, *, color: str, marker: str | None = None, dashes: tuple[int, ...] = (), width: float = 1.8
) -> Line2D:
    """A legend entry."""
    handle = Line2D([], [], color=color, marker=marker, linewidth=width, label=text)
    if dashes:
        handle.set_dashes(dashes)
    return handle


def method_key(index: int, text: str) -> Line2D:
    """A method's mark and color, the same in all figures."""
    return line_key(
        text,
        color=METHOD_COLORS[index % len(METHOD_COLORS)],
        marker=METHOD_MARKERS[index % len(METHOD_MARKERS)],
    )
