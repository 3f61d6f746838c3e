"""Tables of what models rely on and where they look."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.base import Estimate
from pipeline.records.gradcam import GradcamResult
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, spread

NO_CAM = "GradCAM was not run for any method of this report."


def reliance_tables(s: Report) -> list[Table]:
    """Reliance beside the baseline, class by class, and GradCAM in numbers."""
    told = s.verdict.edits
    return [
        Table(
            "reliance",
            "Each measure of reliance for the baseline (before), for a method (after) and their difference; "
            "a positive difference is less reliance.",
            list(_reliance_rows(s)),
            "No second method was measured beside the baseline.",
        ),
        Table(
            "exchanges",
            "What exchanging the cue between images does: shifts of predictions towards the class that goes "
            "with the donor's value, beyond an exchange that keeps the value; how much of the cue each "
            "exchange carries; and the same shift between images as they are.",
            list(_exchange_rows(s)),
            "No exchange of a cue was made.",
        ),
        Table(
            "found_cues",
            "What exchanging cues that nobody annotated does, measures as in exchanges; flips_beyond are of "
            "a group and beyond the control's. Intervals of shifts and groups allow for all cues.",
            list(_found_rows(s)),
            "No found cue was exchanged.",
        ),
        Table(
            "told_edit",
            "The one edit that is told on the first screen: predictions of the baseline that it "
            "flips beyond the control's.",
            [{"edit": told.edit, "moves": told.moves, **spread(told.beyond)}] if told and told.beyond else [],
            "No image was changed.",
        ),
        Table(
            "color_reliance",
            "Does color set a class apart (auroc), and does the baseline lose it without color "
            "(accuracy_change)?",
            list(_color_rows(s)),
            "What removing color costs each class was not measured.",
        ),
        Table("gradcam", "GradCAM in numbers, over all images and per group.", list(_cam_rows(s)), NO_CAM),
        Table(
            "gradcam_sanity",
            "Similarity of maps before and after layers are redrawn at random, from the head down.",
            [
                {"method": name, "layer": step.layer, "measure": "spearman", **spread(step.spearman)}
                for name, found in s.gradcam.items()
                for step in found.sanity
            ],
            "GradCAM's randomization check was not run.",
        ),
        Table(
            "gradcam_agreement",
            "How alike the maps of two methods are, beside those of two seeds of the baseline.",
            list(_agreement_rows(s)),
            "Maps of two methods were not compared.",
        ),
    ]


def _reliance_rows(s: Report) -> Iterator[Row]:
    for d in s.verdict.reliance:
        for row in measured({"before": d.before, "after": d.after, "difference": d.difference}):
            verdict = d.verdict if row["measure"] == "difference" else None
            yield {
                "baseline": d.baseline,
                "method": d.method,
                "kind": d.kind,
                "what": d.what,
                **row,
                "relies": verdict,
            }


def _exchange_rows(s: Report) -> Iterator[Row]:
    for method, evaluation in s.methods.items():
        found = evaluation.cue_use
        if found is None:
            continue
        first = {"method": method, "cue": found.cue}
        if found.natural is not None:
            yield {**first, "exchange": None, "measure": "natural", **spread(found.natural)}
        for carried in found.carried:
            if carried.share is not None:
                yield {**first, "exchange": carried.name, "measure": "carried", **spread(carried.share)}
        for exchange in found.exchanges:
            names = ("up", "down", "size", "flip_rate", "flip_rate_control")
            for row in measured({name: getattr(exchange, name) for name in names}):
                yield {**first, "exchange": exchange.name, **row}


def _found_rows(s: Report) -> Iterator[Row]:
    for method, evaluation in s.methods.items():
        judged = s.verdict.methods[method].found_cues if method in s.verdict.methods else []
        used = {answer.name: answer.used for answer in judged}
        for found in evaluation.cues:
            first = {"method": method, "cue": found.title, "part": found.part, "used": used.get(found.name)}
            measures = {"carried": found.carried, "natural": found.natural}
            if found.exchange is not None:
                names = ("up", "down", "size", "flip_rate", "flip_rate_control")
                measures |= {name: getattr(found.exchange, name) for name in names}
            for row in measured(measures):
                yield {**first, "group": None, **row}
            for group in found.groups:
                yield {**first, "group": group.name, "measure": "flips_beyond", **spread(group)}


def _color_rows(s: Report) -> Iterator[Row]:
    if s.verdict.color_reliance is None:
        return
    for found in s.verdict.color_reliance.labels:
        color = found.color
        first = {
            "method": s.verdict.color_reliance.method,
            "label": color.label,
            "feature": color.feature,
            "region": color.region,
            "direction": color.direction,
            "separable": color.separable,
            "q_value": color.q_value,
            "relies": found.relies,
        }
        measures: dict[str, Estimate | None] = {"auroc": color.auroc, "accuracy_change": found.change}
        for row in measured(measures):
            yield {**first, **row}


def _cam_rows(s: Report) -> Iterator[Row]:
    for name, found in s.gradcam.items():
        for row in _overall(found):
            yield {"method": name, "scope": "all images", "group": None, **row, "sufficient": True}
        for g in found.groups:
            known = measured(
                {
                    "energy_in_mask": g.energy_in_mask,
                    "lift": g.lift,
                    "pointing": g.pointing,
                    "faithfulness_over_random": g.faithfulness,
                }
            )
            if g.blank_rate is not None:
                known.append({"measure": "blank_rate", **_plain(g.blank_rate, g.n)})
            for row in known:
                yield {"method": name, "scope": "group", "group": g.name, **row, "sufficient": g.sufficient}


def _overall(found: GradcamResult) -> list[Row]:
    tested = found.faithfulness
    rows = measured(
        {
            "energy_in_mask": found.energy_in_mask,
            "lift": found.lift,
            "pointing": found.pointing,
            "faithfulness": tested.score if tested else None,
            "faithfulness_of_random_maps": tested.random if tested else None,
            "faithfulness_of_the_center": tested.center if tested else None,
            "faithfulness_over_random": tested.over_random if tested else None,
            "faithfulness_over_center": tested.over_center if tested else None,
        }
    )
    plain = {
        "mask_area": found.mask_area,
        "pointing_by_chance": found.pointing_by_chance,
        "blank_rate": found.blank_rate,
    }
    return rows + [
        {"measure": name, **_plain(value, found.n_images)}
        for name, value in plain.items()
        if value is not None
    ]


def _plain(value: float, n: int) -> Row:
    return {**spread(None), "value": value, "n": n}


def _agreement_rows(s: Report) -> Iterator[Row]:
    for a in s.verdict.cam_agreement:
        found = {
            "spearman": a.spearman,
            "top_overlap": a.top_overlap,
            "seed_spearman": a.seed_spearman,
            "seed_top_overlap": a.seed_top_overlap,
            "below_seeds": a.below_seeds,
        }
        for row in measured(found):
            yield {"baseline": a.baseline, "method": a.method, **row}
