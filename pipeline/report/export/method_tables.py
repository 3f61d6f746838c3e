"""Tables of what the models do: accuracies, and what changes predictions."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import EvaluationResult, Intervention, SplitMetrics
from pipeline.records.report import Report
from pipeline.records.slices import GroupTrait, Slice
from pipeline.records.verdict import MethodVerdict
from pipeline.report.export.rows import Row, Table, measured, spread, spread_group, two_groups

NO_MODEL = "No model was evaluated."


def method_tables(s: Report) -> list[Table]:
    """Accuracies, interventions, and leaving out other images."""
    return [
        Table(
            "group_accuracy",
            "Accuracy of every group: its interval allows for picking any of them, that of accuracy_alone is "
            "for who asked about this group alone; shrunken_accuracy borrows strength from the other groups, "
            "for ranking.",
            [{"method": name, **row} for name in s.methods for row in _group_rows(s, name)],
            NO_MODEL,
        ),
        Table(
            "averages",
            "One number a method: averages, worst group (named in group), the same without what being the "
            "lowest takes from it, gap, optimism (of each split's own worst group), foreground sensitivity, "
            "agreement with color; harmed_group is the one that the verdict speaks of.",
            [*_by_method(s, _average_rows), *_harmed_row(s)],
            NO_MODEL,
        ),
        Table("seeds", "Accuracies of every seed.", _by_method(s, _seed_rows), NO_MODEL),
        Table(
            "class_skill",
            "Balanced accuracy, of all seeds (seed empty) and of each; how far each follows the attribute.",
            _by_method(s, _skill_rows),
            "Not measured.",
        ),
        Table(
            "interventions",
            "Accuracy and predictions when a cue is changed and nothing else; scope says over which images. "
            "accuracy_change of a group allows for picking any of them, that of an edit of color for picking "
            "any such edit; accuracy_change_alone for nothing.",
            [
                {"method": name, **row}
                for name, method in s.methods.items()
                for found in method.interventions
                for row in _intervention_rows(found, s.verdict.methods[name])
            ],
            "No intervention was run.",
        ),
        Table(
            "slices",
            "Parts of the images that validation mistakes pointed to, measured on test images: the share "
            "that is wrong there (error), elsewhere (rest), and the difference (beyond). The intervals of "
            "error and beyond hold for all parts of a method at once.",
            [
                {"method": name, **row}
                for name, found in s.verdict.slices.items()
                for one in found.slices
                for row in _slice_rows(one)
            ],
            "No part of the images was measured by itself.",
        ),
        Table(
            "group_traits",
            "What describes the groups that were inferred: the share of a group's test images that fulfill "
            "the condition, the share of the rest of its class (rest), and the difference (beyond). The "
            "intervals of share and beyond hold for all groups at once.",
            [row for trait in s.verdict.traits for row in _trait_rows(trait)],
            "No groups were inferred.",
        ),
        Table(
            "removal_controls",
            "Leaving out the images that attribution names against leaving out as many others; group is the "
            "control's worst, of worst_group_gain the worst group of each.",
            _by_method(s, _control_rows),
            "No method left training images out.",
        ),
    ]


def _slice_rows(one: Slice) -> list[Row]:
    about = {"images": one.words, "status": one.status, "n_val": one.n_val, "error_val": one.error_val}
    return [
        {**about, **row} for row in measured({"error": one.error, "rest": one.rest, "beyond": one.beyond})
    ]


def _trait_rows(trait: GroupTrait) -> list[Row]:
    about = {
        "group": trait.name,
        "status": trait.status,
        "images": trait.words or None,
        "n_train": trait.n_train,
        "n_test": trait.n_test,
    }
    found = measured({"share": trait.share, "rest": trait.rest, "beyond": trait.beyond})
    return [{**about, **row} for row in found or [{"measure": None, **spread(None)}]]


def _by_method(s: Report, rows: Callable[[EvaluationResult], list[Row]]) -> list[Row]:
    return [{"method": name, **row} for name, method in s.methods.items() for row in rows(method)]


def _skill_rows(method: EvaluationResult) -> list[Row]:
    skill = method.class_skill
    if skill is None:
        return []
    rows: list[Row] = [{"seed": None, "measure": "balanced_accuracy", **spread(skill.balanced_accuracy)}]
    for measure, per_seed in (("balanced_accuracy", skill.per_seed), ("follows", skill.follows)):
        # `follows` is empty where no attribute can be followed
        pairs = zip(method.test.per_seed, per_seed, strict=bool(per_seed))
        rows += [{"seed": one.seed, "measure": measure, **spread(found)} for one, found in pairs]
    return rows


def _group_rows(s: Report, name: str) -> list[Row]:
    method = s.methods[name]
    found = [("test", "accuracy", s.verdict.methods[name].groups)] + [
        (split, measure, groups)
        for split, metrics in method.splits
        for measure, groups in (("accuracy_alone", metrics.groups), ("shrunken_accuracy", metrics.shrunk))
    ]
    return [
        {"split": split, "measure": measure, "group": group.name, **spread_group(group)}
        for split, measure, groups in found
        for group in groups
    ]


def _average_rows(method: EvaluationResult) -> list[Row]:
    rows = [
        {"split": split, "group": None, **row}
        for split, metrics in method.splits
        for row in _split_rows(metrics)
    ]
    agreement, optimism = method.color_agreement, method.optimism
    rows += [
        {"split": split, "group": None, "sufficient": True, **row}
        for split, found in (
            ("test", {"foreground_sensitivity": method.foreground_sensitivity}),
            (
                "test",
                {
                    "color_agreement": agreement.share if agreement else None,
                    "color_agreement_excess": agreement.excess if agreement else None,
                },
            ),
            (
                "val minus test",
                {
                    "optimism_average": optimism.average if optimism else None,
                    "optimism_worst_group": optimism.worst_group if optimism else None,
                },
            ),
        )
        for row in measured(found)
    ]
    return rows


def _harmed_row(s: Report) -> list[Row]:
    group = s.verdict.harmed_group
    if group is None:
        return []
    who = {"method": s.verdict.baseline, "split": "test", "group": group.name, "sufficient": group.sufficient}
    return [{**who, **row} for row in measured({"harmed_group": group})]


def _split_rows(metrics: SplitMetrics) -> list[Row]:
    worst = metrics.worst_group
    rows = measured(
        {
            "average": metrics.average,
            "adjusted_average": metrics.adjusted_average,
            "group_mean": metrics.group_mean,
            "worst_group": worst,
            "worst_group_corrected": metrics.worst_group_corrected,
            "gap": metrics.gap,
        }
    )
    of_worst = ("worst_group", "worst_group_corrected", "gap")
    return [
        {
            **row,
            "group": worst.name if row["measure"] in of_worst else None,
            "sufficient": worst.sufficient if row["measure"] in of_worst else True,
        }
        for row in rows
    ]


def _seed_rows(method: EvaluationResult) -> list[Row]:
    rows = []
    for split, metrics in method.splits:
        names = [group.name for group in metrics.groups]
        for seed in metrics.per_seed:
            found = [
                ("average", None, seed.average),
                ("worst_group", names[seed.worst_group_index], seed.worst_group),
            ]
            found += [("group", name, value) for name, value in zip(names, seed.groups, strict=False)]
            rows += [
                {"split": split, "seed": seed.seed, "measure": measure, "group": group, "value": value}
                for measure, group, value in found
            ]
    return rows


def _intervention_rows(found: Intervention, verdict: MethodVerdict) -> list[Row]:
    first = {"intervention": found.name, "changes": found.family}
    overall = measured(
        {
            "accuracy": found.accuracy,
            "flip_rate": found.flip_rate,
            "flip_rate_control": found.flip_rate_control,
            "accuracy_change": verdict.overall_changes.get(found.name, found.accuracy_change),
            "accuracy_change_alone": found.accuracy_change,
        }
    )
    rows = [{**first, "scope": "all images", "name": None, **row, "sufficient": True} for row in overall]
    if found.worst_group is not None and found.worst_group_change is not None:
        worst = found.group_changes[found.worst_group]
        rows.append(
            {
                **first,
                "scope": "worst group",
                "name": worst.name,
                "measure": "accuracy_change",
                **spread(found.worst_group_change),
                "sufficient": worst.sufficient,
            }
        )
    parts: list[tuple[str, str, list[GroupEstimate]]] = [
        ("group", "flip_rate", found.groups),
        ("group", "accuracy_change", verdict.changes[found.name]),
        ("group", "accuracy_change_alone", found.group_changes),
        ("class", "accuracy_change", found.label_changes),
    ]
    return rows + [
        {**first, "scope": scope, "name": e.name, "measure": measure, **spread_group(e)}
        for scope, measure, estimates in parts
        for e in estimates
    ]


def _control_rows(method: EvaluationResult) -> list[Row]:
    own = method.test.worst_group.name
    return [
        {
            "control": c.control,
            "n_removed": c.n_removed,
            "n_seeds": c.n_seeds,
            "group": two_groups(c.control_worst.name, own)
            if row["measure"] == "worst_group_gain"
            else c.control_worst.name,
            **row,
            "p_value": c.p_value if row["measure"] == "gain" else None,
        }
        for c in method.removal_controls
        for row in measured(
            {"control_worst": c.control_worst, "gain": c.gain, "worst_group_gain": c.worst_group_gain}
        )
    ]
