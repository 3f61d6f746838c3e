"""Chart: classes by values of the cue, with images, the baseline's accuracy and how many images taught it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import count, percent, quoted
from pipeline.records.base import GroupEstimate
from pipeline.records.report import Report
from pipeline.report.page.charts.chosen import group_accuracy
from pipeline.report.page.pictures import Pictures
from pipeline.verdict.phrases import accuracy_phrase

MOST_COUNTED = 4  # cells that also tell how many images taught them
MOST_CELLS = 3  # rows and columns drawn; more are chosen by what they show
IMAGES = 3


@dataclass(frozen=True)
class Cell:
    """One group."""

    name: str
    ids: list[int]
    n_train: int
    estimate: GroupEstimate | None
    fails: bool
    tip: str

    @property
    def width(self) -> str:
        return _at(self.estimate.value if self.estimate else 0)

    @property
    def low(self) -> str:
        return _at(self.estimate.low if self.estimate else 0)

    @property
    def high(self) -> str:
        return _at(self.estimate.high if self.estimate else 0)


@dataclass(frozen=True)
class Row:
    name: str
    cells: list[Cell | None]


@dataclass(frozen=True)
class PictureMatrix:
    title: str
    columns: list[str]
    rows: list[Row]
    rest: str  # what is not drawn
    counts: bool  # whether cells tell their training images; more numbers than a glance takes stay in tips


def picture_matrix(report: Report, pictures: Pictures) -> PictureMatrix | None:
    """The groups as a table of pictures; of many the ones that matter. None without groups."""
    groups = report.dataset.groups
    if not groups:
        return None
    order = _order(report)
    labels = _first([groups[g].label for g in order], report.dataset.group_labels)
    values = _first([groups[g].attribute for g in order if groups[g].label in labels], _all_values(report))
    index = {(group.label, group.attribute): g for g, group in enumerate(groups)}
    rows = [
        Row(label, [_cell(report, pictures, index.get((label, value))) for value in values])
        for label in labels
    ]
    n_drawn = sum(cell is not None for row in rows for cell in row.cells)
    rest = len(groups) - n_drawn
    words = f"Of {count(len(groups))} groups, those that matter most." if rest else ""
    return PictureMatrix(_title(report), values, rows, words, counts=n_drawn <= MOST_COUNTED)


def _order(report: Report) -> list[int]:
    """Groups by how much they matter: clearly worse ones, the lowest accuracies, the others."""
    found, groups = _baseline(report), range(len(report.dataset.groups))
    if found is None:
        return sorted(groups, key=lambda g: report.dataset.groups[g].n_train)
    failing = _failing(report)
    harmed = report.verdict.harmed_group

    def matters(g: int) -> tuple[bool, bool, bool, float]:
        group = found[g]
        return (harmed is None or g != harmed.index, g not in failing, not group.sufficient, group.value)

    return sorted(groups, key=matters)


def _first(names: Sequence[str], order: Sequence[str]) -> list[str]:
    """The first few different names, in the dataset's order."""
    chosen = list(dict.fromkeys(names))[:MOST_CELLS]
    return sorted(chosen, key=lambda name: order.index(name) if name in order else len(order))


def _all_values(report: Report) -> list[str]:
    attributes = report.dataset.attributes
    return list(attributes[0].values) if attributes else []


def _baseline(report: Report) -> list[GroupEstimate] | None:
    name = report.verdict.baseline
    return report.methods[name].test.groups if name in report.methods else None


def _failing(report: Report) -> list[int]:
    name = report.verdict.baseline
    return list(report.verdict.methods[name].clearly_worse) if name in report.verdict.methods else []


def _cell(report: Report, pictures: Pictures, g: int | None) -> Cell | None:
    if g is None:
        return None
    group, found, name = report.dataset.groups[g], _baseline(report), report.verdict.baseline
    estimate = group_accuracy(report, name, g) if name and found and found[g].n else None
    accuracy = accuracy_phrase(estimate) if estimate else "no test images"
    tip = f"{group.name}: {accuracy}; {count(group.n_train)} training images"
    return Cell(
        name=group.name,
        ids=[i for i in pictures.examples.get(g, []) if i not in pictures.known_wrong][:IMAGES],
        n_train=group.n_train,
        estimate=estimate,
        fails=g in _failing(report),
        tip=tip,
    )


def _title(report: Report) -> str:
    """What the matrix shows, as a sentence."""
    failing, found = _failing(report), _baseline(report)
    attributes = report.dataset.attributes
    cue = quoted(attributes[0].name) if attributes else "the groups"
    if found is None:
        return f"What the training images show: classes by {cue}"
    if not failing:
        is_shown = any(rung.rung == "harmful" and rung.status == "no" for rung in report.verdict.rungs)
        return f"Right about equally often with every {cue}" if is_shown else f"Accuracy, class by {cue}"
    groups = list(enumerate(report.dataset.groups))
    others = [group.n_train for g, group in groups if g not in failing]
    if others and max(group.n_train for g, group in groups if g in failing) < min(others):
        history = report.training.get(report.verdict.baseline or "")
        of_whom = "" if history is None or history.brought is None else " of this dataset"
        return f"It fails where training images{of_whom} were rare"
    return f"Where it fails, class by {cue}"


def _at(value: float) -> str:
    return percent(min(max(value, 0.0), 1.0), 2)
