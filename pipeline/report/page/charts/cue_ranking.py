"""Chart: what alone gives the class away, the strongest first."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.words import count
from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.page.charts.scales import Scale, share_scale
from pipeline.verdict.phrases import cue_name

MOST_ROWS = 8


@dataclass(frozen=True)
class CueRow:
    title: str
    note: str  # what it may be besides a shortcut
    estimate: Estimate
    under: list[str]  # cues that tell nothing more
    tip: str


@dataclass(frozen=True)
class CueRanking:
    title: str
    rows: list[CueRow]
    scale: Scale
    rest: str


def cue_ranking(report: Report) -> CueRanking | None:
    """None where cues were not tried."""
    if report.cues is None:
        return None
    found = [cue for cue in report.cues.cues if cue.found]
    leaders = [cue for cue in found if cue.under is None]
    rows = [
        CueRow(
            title=cue.title if cue.part is None else f"{cue.title}, {cue.part}",
            note=_note(cue.may_be_content, cue.is_visible),
            estimate=cue.kappa,
            under=[other.title for other in found if other.under == cue.name],
            tip=f"{cue.sentence} It sees {cue.sees}.",
        )
        for cue in leaders[:MOST_ROWS]
    ]
    n_rest, n_tried = len(leaders) - len(rows), len(report.cues.cues)
    title = (
        f"{cue_name(leaders[0])} tells most of the class, of {count(n_tried)} cues that were tried alone"
        if leaders
        else f"None of {count(n_tried)} cues that were tried alone tells the class"
    )
    return CueRanking(
        title=title,
        rows=rows,
        scale=share_scale([row.estimate for row in rows]),
        rest=f"Not drawn: {count(n_rest)} more." if n_rest > 0 else "",
    )


def _note(may_be_content: bool, is_visible: bool) -> str:
    if not is_visible:
        return "not in the pixels"
    return "may be what the class looks like" if may_be_content else ""
