"""Tables of what the epochs of a method say: what is learned first, when, and where to stop."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.learning import LearningDynamics
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, spread

NOT_NOTED = "No training noted more than its accuracies."


def dynamics_tables(s: Report) -> list[Table]:
    """Of every method that has epochs of its own."""
    known = {m: found.dynamics for m, found in s.verdict.methods.items() if found.dynamics is not None}
    return [
        Table(
            "learning_dynamics",
            "What the epochs of each method say, n counts seeds: lead (of the label over the cue while the "
            "fit is made), steps until accuracy stays at a level (of accuracy, or of the curve's own best), "
            "delay (steps from training's crossing to validation's), fall (of a group's accuracy after the "
            "epoch to stop at).",
            [{"method": m, **row} for m, found in known.items() for row in _rows(found)],
            NOT_NOTED,
        ),
        Table(
            "followed",
            "Share of conflicting validation images that is given the label, and the cue's class, after each "
            "epoch, counted from 1: means over seeds.",
            [{"method": m, **row} for m, found in known.items() for row in _followed_rows(found)],
            "No attribute speaks for another class than the label, or no training noted it.",
        ),
    ]


def _rows(found: LearningDynamics) -> Iterator[Row]:
    said: Row = {"split": None, "of": None, "level": None, "group": None, "epoch": None}
    if found.first is not None:
        yield {"measure": "lead", **said, **spread(found.first.lead), "says": found.first.sentence}
    for crossing in found.crossings:
        where: Row = {"split": crossing.split, "of": crossing.of, "level": crossing.level}
        told = f"{crossing.n_crossed} seeds get there"
        yield {"measure": "steps", **said, **where, **spread(crossing.steps), "says": told}
    yield {"measure": "delay", **said, **spread(found.delay.steps), "says": found.delay.sentence}
    for stop in found.stops:
        where = {"group": stop.fall.name, "epoch": stop.epoch + 1}
        yield {"measure": "fall", **said, **where, **spread(stop.fall), "says": found.stop_sentence}


def _followed_rows(found: LearningDynamics) -> Iterator[Row]:
    curves = found.followed
    if curves is not None:
        for epoch, label, cue in zip(curves.epochs, curves.label, curves.cue, strict=True):
            yield {"epoch": epoch + 1, "label_share": label, "cue_share": cue, "n": curves.n_images}
