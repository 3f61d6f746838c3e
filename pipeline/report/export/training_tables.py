"""Tables of how models learned and what was left out, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.records.report import Report
from pipeline.records.verdict import Curves, MethodVerdict
from pipeline.report.export.method_tables import NO_MODEL
from pipeline.report.export.rows import Row, Table, measured, spread

NOT_RECORDED = "No training was recorded."
NOTHING_LEFT_OUT = "No method left training images out."


def verdict_tables(s: Report) -> list[Table]:
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
                for r in s.verdict.rungs
            ],
            "The report has no verdict.",
        ),
        Table(
            "method_verdicts",
            "The ladder's questions on use and harm asked of every method, how far exchanging the cue "
            "shifts predictions towards the donor's class (shift; shift_either_way: its size), and by how "
            "much the raised group still lies below others (left_to: the average, its label where the cue "
            "is right, what the baseline had there).",
            [{"method": m, **row} for m, found in s.verdict.methods.items() for row in _judged_rows(found)],
            NO_MODEL,
        ),
        Table(
            "next_steps",
            "What to do next, most useful first.",
            [{"rank": i + 1, **step.model_dump()} for i, step in enumerate(s.verdict.next_steps)],
            "The report asks for nothing.",
        ),
    ]


def _judged_rows(found: MethodVerdict) -> Iterator[Row]:
    for rung in (found.used, found.harmful):
        yield {"measure": rung.rung, "status": rung.status, **spread(rung.estimate)}
    if found.shift is not None:
        shifts = {"shift": found.used.estimate, "shift_either_way": found.shift.size}
        yield from ({**row, "status": None} for row in measured(shifts))
    repair = found.repair
    if repair is not None and repair.left is not None:
        left = {
            "left_to_average": repair.left.to_average,
            "left_to_same_label": repair.left.to_same,
            "left_to_same_label_before": repair.left.from_before,
        }
        yield from ({**row, "status": repair.status} for row in measured(left))


def training_tables(s: Report) -> list[Table]:
    """Learning curves, settings, and the parts that single methods add."""
    trained, judged = s.training, s.verdict.methods
    missing = NOT_RECORDED if s.methods else NO_MODEL
    return [
        Table("training", "How each method was trained.", list(_training_rows(s)), missing),
        Table(
            "settings",
            "Each method's settings; value is JSON.",
            [
                {"method": m, "section": section, "setting": key, "value": json.dumps(value)}
                for m, found in s.method_settings.items()
                for section, settings in (("train", found.train), ("method", found.method))
                for key, value in settings.items()
            ],
            "The report does not name the settings; `dvc repro` makes one that does."
            if s.methods
            else NO_MODEL,
        ),
        Table(
            "learning_curves",
            "Validation accuracy per epoch, counted from 1: mean, lowest and highest over n seeds.",
            [{"method": m, **row} for m, found in judged.items() for row in _curve_rows(found.curves)],
            missing,
        ),
        Table(
            "removal_curves",
            "Validation accuracy of the worst group over the number of training images left out: mean, "
            "lowest and highest over n seeds.",
            [{"method": m, **row} for m in trained for row in _removal_rows(s, m)],
            NOTHING_LEFT_OUT,
        ),
        Table(
            "removal_choice",
            "How many training images were left out, and what that gains in the worst group on validation "
            "over ERM, paired by seed.",
            [
                {
                    "method": m,
                    "groups": t.removal.groups,
                    "worst_group": t.removal.worst_group,
                    "n_train": t.removal.n_train,
                    "n_harmful": t.removal.n_harmful,
                    "chosen": t.removal.chosen,
                    **spread(t.removal.gain),
                }
                for m, t in trained.items()
                if t.removal is not None
            ],
            NOTHING_LEFT_OUT,
        ),
        Table(
            "removed_groups",
            "How many of each training group's images were left out.",
            [
                {"method": m, **group.model_dump()}
                for m, found in judged.items()
                if found.removal is not None
                for group in found.removal.removed
            ],
            NOTHING_LEFT_OUT,
        ),
        Table(
            "removal_explained",
            "Which part of what leaving images out brings is owed to suspected wrong labels, on test images.",
            [
                {"method": m, "group": e.group, "cause": e.cause, "n_removed": n_removed, **row}
                for m, found in judged.items()
                if found.removal is not None and (e := found.removal.explained) is not None
                for n_removed, part in (
                    (e.n_suspected + e.n_rest, {"total": e.total}),
                    (e.n_suspected, {"labels": e.labels}),
                    (e.n_rest, {"rest": e.rest}),
                )
                for row in measured(part)
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


def _training_rows(s: Report) -> Iterator[Row]:
    for m, t in s.training.items():
        found, curves = s.methods[m], s.verdict.methods[m].curves
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
                "n_epochs": curves.n_epochs if curves else 0,
                "labels_used": "; ".join(found.labels_used),
                "seconds_all_seeds": t.seconds,
            }


def _curve_rows(curves: Curves | None) -> Iterator[Row]:
    if curves is None:
        return
    for group, curve in [(None, curves.average), *((c.name, c) for c in curves.groups)]:
        measure = "average" if group is None else "group"
        for i, epoch in enumerate(curves.epochs):
            yield {
                "epoch": epoch + 1,
                "measure": measure,
                "group": group,
                "value": curve.mean[i],
                "low": curve.low[i],
                "high": curve.high[i],
                "n": curves.n_seeds,
            }


def _removal_rows(s: Report, method: str) -> Iterator[Row]:
    removal, outcome = s.training[method].removal, s.verdict.methods[method].removal
    for curve in outcome.curves if outcome else []:
        for i, n_removed in enumerate(curve.n_removed):
            yield {
                "left_out": curve.kind,
                "n_removed": n_removed,
                "chosen": removal is not None and n_removed == removal.chosen,
                "value": curve.mean[i],
                "low": curve.low[i],
                "high": curve.high[i],
                "n": curve.n_seeds[i],
            }
