"""Tables of how models learned and what was left out, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.report.export.method_tables import NO_MODEL
from pipeline.report.export.rows import Row, Table, spread
from pipeline.report.records import ReportSummary, TrainingSummary

NOT_RECORDED = "No training was recorded."
NOTHING_LEFT_OUT = "No method left training images out."


def verdict_tables(s: ReportSummary) -> list[Table]:
    """The ladder and what to do next."""
    return [
        Table(
            "verdict",
            "The five questions with their answers, and the number that decided.",
            [
                {
                    "rung": r.rung,
                    "question": r.question,
                    "status": r.status,
                    "evidence": r.evidence,
                    **spread(r.estimate),
                    "unit": r.unit,
                }
                for r in s.verdict
            ],
            "The report has no verdict.",
        ),
        Table(
            "next_steps",
            "What to do next, most useful first.",
            [{"rank": i + 1, **step.model_dump()} for i, step in enumerate(s.next_steps)],
            "The report asks for nothing.",
        ),
    ]


def training_tables(s: ReportSummary) -> list[Table]:
    """Learning curves, settings, and the parts that single methods add."""
    trained = {m: found.training for m, found in s.methods.items() if found.training is not None}
    missing = NOT_RECORDED if s.methods else NO_MODEL
    return [
        Table("training", "How each method was trained.", list(_training_rows(s)), missing),
        Table(
            "settings",
            "Each method's settings; value is JSON.",
            [
                {"method": m, "section": section, "setting": key, "value": json.dumps(value)}
                for m, found in s.methods.items()
                if found.settings is not None
                for section, settings in (("train", found.settings.train), ("method", found.settings.method))
                for key, value in settings.items()
            ],
            "The report does not name the settings; `dvc repro` makes one that does."
            if s.methods
            else NO_MODEL,
        ),
        Table(
            "learning_curves",
            "Validation accuracy per epoch, counted from 1: mean, lowest and highest over n seeds.",
            [{"method": m, **row} for m, t in trained.items() for row in _curve_rows(t)],
            missing,
        ),
        Table(
            "removal_curves",
            "Validation accuracy of the worst group over the number of training images left out: mean, "
            "lowest and highest over n seeds.",
            [{"method": m, **row} for m, t in trained.items() for row in _removal_rows(t)],
            NOTHING_LEFT_OUT,
        ),
        Table(
            "removed_groups",
            "How many of each training group's images were left out.",
            [
                {"method": m, **group.model_dump()}
                for m, t in trained.items()
                if t.removal is not None
                for group in t.removal.removed
            ],
            NOTHING_LEFT_OUT,
        ),
        Table(
            "inferred_groups",
            "How well groups that were inferred without the attribute match the dataset's own.",
            [
                {"method": m, **g.model_dump(exclude={"sizes"}), "sizes": json.dumps(g.sizes)}
                for m, t in trained.items()
                for g in t.group_inference
            ],
            "No method inferred groups.",
        ),
        Table(
            "last_layers",
            "How the last layer was trained again, seed by seed; tried is JSON: strength to accuracy.",
            [
                {"method": m, **layer.model_dump(exclude={"tried"}), "tried": json.dumps(layer.tried)}
                for m, t in trained.items()
                for layer in t.last_layers
            ],
            "No method trained a last layer again.",
        ),
    ]


def _training_rows(s: ReportSummary) -> Iterator[Row]:
    for m, found in s.methods.items():
        t = found.training
        if t is None:
            continue
        for seed in found.seeds:
            epoch = t.selected_epoch.get(str(seed))
            yield {
                "method": m,
                "seed": seed,
                "model": t.model,
                "n_parameters": t.n_parameters,
                "precision": t.precision,
                "device": t.device,
                "selection": found.selection,
                "selected_epoch": None if epoch is None else epoch + 1,
                "n_epochs": t.n_epochs,
                "labels_used": "; ".join(found.labels_used),
                "seconds_all_seeds": t.seconds,
            }


def _curve_rows(t: TrainingSummary) -> Iterator[Row]:
    if t.curves is None:
        return
    for group, curve in [(None, t.curves.average), *((c.name, c) for c in t.curves.groups)]:
        measure = "average" if group is None else "group"
        for i, epoch in enumerate(t.curves.epochs):
            yield {
                "epoch": epoch + 1,
                "measure": measure,
                "group": group,
                "value": curve.mean[i],
                "low": curve.low[i],
                "high": curve.high[i],
                "n": t.curves.n_seeds,
            }


def _removal_rows(t: TrainingSummary) -> Iterator[Row]:
    for curve in t.removal.curves if t.removal else []:
        for i, n_removed in enumerate(curve.n_removed):
            yield {
                "left_out": curve.kind,
                "n_removed": n_removed,
                "chosen": t.removal is not None and n_removed == t.removal.chosen,
                "value": curve.mean[i],
                "low": curve.low[i],
                "high": curve.high[i],
                "n": curve.n_seeds[i],
            }
