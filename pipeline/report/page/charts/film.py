"""Change the cue: one row an edit, with an image before and after, and how many predictions it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.words import percent, quoted, shorten
from pipeline.records.base import Estimate
from pipeline.records.evaluation import EvaluationResult, Flips
from pipeline.records.report import EditExample, Report
from pipeline.report.page.charts.scales import Scale, share_scale
from pipeline.report.page.pictures import Pictures
from pipeline.verdict.phrases import accuracy_phrase, intervention_label, method_label

SHAPE_GONE = ("shape", "object")  # families whose edits take away what a model should see
LANES = (28, 48)  # y of the baseline and of the method beside it, px
ROW_HEIGHT = 60
NAME_LENGTH = 22  # of a label at a mark, characters
RIGHTMOST = 0.55  # of the axis: a mark beyond it has its label to the left
EDGE = 0.25  # of the axis: a label in the middle of a tick there would lie on the picture beside it


@dataclass(frozen=True)
class Mark:
    """A method's flips as a dot with its interval, or those of a control as a tick."""

    method: str
    position: int  # of the method, which decides its color and mark
    is_control: bool
    at: str
    low: str
    high: str
    y: int
    label: str  # empty where a row above has it
    label_at: str
    label_y: int
    label_side: Literal["left", "middle", "right"]  # of the mark
    tip: str


@dataclass(frozen=True)
class Pair:
    """One test image before and after the edit."""

    id: int
    before: str | None  # data URIs; None without pictures
    after: str | None
    before_alt: str
    after_alt: str
    before_class: str
    after_class: str
    flips: bool


@dataclass(frozen=True)
class Row:
    edit: str
    label: str
    pairs: list[Pair]  # the first is shown, the others fold away
    marks: list[Mark]


@dataclass(frozen=True)
class Block:
    """Rows that leave the object's shape, or that take it away."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Film:
    title: str
    beside: str  # what the method that fixes the harm does; empty without one
    baseline: str
    ticks: list[tuple[str, str]]  # position and text
    blocks: list[Block]
    height: int = ROW_HEIGHT

    @property
    def has_pictures(self) -> bool:
        return any(pair.after for block in self.blocks for row in block.rows for pair in row.pairs)

    @property
    def has_more(self) -> bool:
        return any(len(row.pairs) > 1 for block in self.blocks for row in block.rows)


def film(report: Report, pictures: Pictures) -> Film | None:
    """The filmstrip of the baseline; None where no image was changed."""
    verdict = report.verdict.edits
    if verdict is None or report.verdict.baseline is None:
        return None
    baseline = report.methods[report.verdict.baseline]
    beside = report.methods[verdict.beside] if verdict.beside else None
    return _Painter(report, pictures, baseline, beside, verdict.edit).film()


class _Painter:
    def __init__(
        self,
        report: Report,
        pictures: Pictures,
        baseline: EvaluationResult,
        beside: EvaluationResult | None,
        told: str,
    ) -> None:
        self._report = report
        self._pictures = pictures
        self._methods = [baseline] + ([beside] if beside else [])
        self._flips = [{f.edit: f for f in method.flips} for method in self._methods]
        self._told = told
        shown = [f for flips in self._flips for f in flips.values()]
        self._scale: Scale = share_scale([e for f in shown for e in (f.rate, f.control) if e])

    def film(self) -> Film:
        verdict = self._report.verdict.edits
        assert verdict is not None
        families = {i.name: i.family for i in self._methods[0].interventions}
        gone = [f for f in self._flips[0].values() if families.get(f.edit) in SHAPE_GONE]
        kept = [f for f in self._flips[0].values() if families.get(f.edit) not in SHAPE_GONE]
        blocks = [
            self._block("Shape kept", kept),
            self._block("Shape gone: predictions may well move", gone),
        ]
        return Film(
            title=verdict.finding,
            beside=verdict.beside_finding,
            baseline=method_label(self._methods[0].method),
            ticks=[(self._scale.at(tick), percent(tick, 0)) for tick in self._scale.ticks],
            blocks=[block for block in blocks if block.rows],
        )

    def _block(self, title: str, flips: Sequence[Flips]) -> Block:
        """The told edit first, then those that move most."""
        order = sorted(flips, key=lambda f: (f.edit != self._told, -f.rate.value))
        return Block(title, [self._row(f.edit, is_labelled=i == 0) for i, f in enumerate(order)])

    def _row(self, edit: str, *, is_labelled: bool) -> Row:
        marks = []
        for lane, flips in enumerate(self._flips):
            if edit in flips:
                marks += self._marks(lane, flips[edit], is_labelled=is_labelled)
        examples = [e for e in self._report.edits if e.edit == edit]
        return Row(edit, intervention_label(edit), [self._pair(e) for e in examples], marks)

    def _marks(self, lane: int, flips: Flips, *, is_labelled: bool) -> list[Mark]:
        """The method's dot, and before it the tick of its control."""
        method = self._methods[lane].method
        what = f"{method_label(method)}, {_lower(intervention_label(flips.edit))}"
        found = []
        if flips.control is not None:
            label = self._unchanged if is_labelled and lane == 0 else ""
            tip = f"{what}, {self._unchanged}: {accuracy_phrase(flips.control)} of predictions move"
            found.append(self._mark(lane, flips.control, label, tip, is_control=True))
        label = shorten(method_label(method), NAME_LENGTH) if is_labelled else ""
        tip = f"{what}: {accuracy_phrase(flips.rate)} of predictions move"
        return [*found, self._mark(lane, flips.rate, label, tip, is_control=False)]

    def _mark(self, lane: int, estimate: Estimate, label: str, tip: str, *, is_control: bool) -> Mark:
        scale, y = self._scale, LANES[lane]
        share = (estimate.value - scale.low) / (scale.high - scale.low)
        side: Literal["left", "middle", "right"] = "left" if share > RIGHTMOST else "right"
        if is_control and EDGE <= share <= 1 - EDGE:
            side = "middle"
        edge = estimate.value if is_control else estimate.low if side == "left" else estimate.high
        return Mark(
            method=self._methods[lane].method,
            position=list(self._report.methods).index(self._methods[lane].method),
            is_control=is_control,
            at=scale.at(estimate.value),
            low=scale.at(estimate.low),
            high=scale.at(estimate.high),
            y=y,
            label=label,
            label_at=scale.at(edge),
            label_y=y - 15 if is_control else y + 4,
            label_side=side,
            tip=tip,
        )

    @property
    def _unchanged(self) -> str:
        """What the control leaves alone."""
        use = self._methods[0].cue_use
        cue = shorten(use.cue.replace("_", " "), NAME_LENGTH - 6) if use and use.is_attribute else "color"
        return f"same {cue}"

    def _pair(self, example: EditExample) -> Pair:
        model = method_label(self._methods[0].method)
        before, after = (self._class(c) for c in (example.before, example.after))
        flips = example.before != example.after
        group = quoted(self._report.dataset.groups[example.group].name)
        moved = "another class than before" if flips else "the same class as before"
        return Pair(
            id=example.id,
            before=self._pictures.images.get(example.id),
            after=self._pictures.edits.get((example.edit, example.id)),
            before_alt=f"Test image {example.id} of {group} as it is: {model} predicts {quoted(before)}",
            after_alt=f"Test image {example.id} after {_lower(intervention_label(example.edit))}: {model} "
            f"predicts {quoted(after)}, {moved}",
            before_class=before,
            after_class=after,
            flips=flips,
        )

    def _class(self, label: int) -> str:
        return self._report.dataset.classes[label]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
