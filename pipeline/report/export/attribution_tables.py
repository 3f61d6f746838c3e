"""Tables of attribution: which images, which groups, which labels, and how far to trust that."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.attribution import AttributionResult
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, name_at, spread

ENGINE = (
    "engine",
    "estimator",
    "n_models",
    "n_checkpoints",
    "proj_dim",
    "ridge",
    "loss_weighting",
    "n_train",
)
NOT_TRACED = "No method was traced to its training images."


def attribution_tables(s: Report) -> list[Table]:
    """Everything that attribution found, method by method."""
    found = s.attribution
    return [
        Table(
            "attribution_engines",
            "Whose code made the scores, and how.",
            [{"method": m, **{key: getattr(a, key) for key in ENGINE}} for m, a in found.items()],
            NOT_TRACED,
        ),
        Table(
            "attribution_groups",
            "Mean score of a training group's images on a test group's; positive = they help.",
            [{"method": m, **g.model_dump()} for m, a in found.items() for g in a.groups],
            NOT_TRACED,
        ),
        Table(
            "attribution_targets",
            "The audited test images that the report shows.",
            [{"method": m, **row} for m, a in found.items() for row in _target_rows(s, a)],
            NOT_TRACED,
        ),
        Table(
            "attribution_shares",
            "Share of a training group among the images that most harm or help the worst group, beside its "
            "share of all scored images.",
            [
                {
                    "method": m,
                    "group": share.group,
                    "among": among,
                    **spread(e),
                    "share_of_all": share.expected,
                    "n_train": share.n_train,
                }
                for m, a in found.items()
                for share in a.shares
                for among, e in (("harmful", share.harmful), ("helpful", share.helpful))
            ],
            NOT_TRACED if not found else "Shares of groups were not counted.",
        ),
        Table(
            "lds", "Linear datamodeling score, its baselines and noise ceiling.", _lds_rows(s), _why(s, "lds")
        ),
        Table(
            "retraining_checks",
            "Predicted against actual changes of a test group's mean margin when a training group is thinned "
            "out (value is the actual change); measure correlation compares the two over all changes, and "
            "expected_change is what the scores and all other retrainings let expect.",
            _check_rows(s),
            _why(s, "check"),
        ),
        Table(
            "calibration",
            "Whether scores can be read as sizes: slope of actual on predicted changes, and how many of the "
            "changes lie in the interval that was predicted without them.",
            [
                {"method": m, "retrainings": c.kind, "status": c.status, **row, "reason": c.reason}
                for m, a in s.attribution.items()
                for c in a.calibrations
                for row in measured(
                    {"slope": c.slope, "coverage": c.coverage, "coverage_of_large": c.coverage_of_large}
                )
                or [{"measure": None}]
            ],
            _why(s, "check"),
        ),
        *_label_tables(s),
    ]


def _label_tables(s: Report) -> list[Table]:
    ranked = {m: a.label_errors for m, a in s.attribution.items() if a.label_errors is not None}
    missing = "Labels were not ranked." if s.attribution else NOT_TRACED
    return [
        Table(
            "label_lists",
            "How many images each list suspects, the share of them known to be wrong, and how many of the "
            "n_top most suspect images of each list stand in both.",
            [
                {
                    "method": m,
                    "ranking": found.ranking,
                    "n_suspects": found.n_suspects,
                    **spread(found.precision),
                    "n_top": e.agreement.n_top if e.agreement else None,
                    "n_shared": e.agreement.n_shared if e.agreement else None,
                    "n_shared_by_chance": e.agreement.expected if e.agreement else None,
                }
                for m, e in ranked.items()
                for found in e.lists
            ],
            missing,
        ),
        Table(
            "label_suspects_by_group",
            "Share of each training group's images that are suspects.",
            [
                {
                    "method": m,
                    "ranking": found.ranking,
                    "group": g.group,
                    **spread(g.share),
                    "n_suspects": g.n_suspects,
                    "n_known_wrong": g.n_known_wrong,
                }
                for m, e in ranked.items()
                for found in e.lists
                for g in found.groups
            ],
            missing,
        ),
        Table(
            "label_rankings",
            "Average precision of each ranking, where wrong labels are known.",
            [
                {
                    "method": m,
                    "ranking": r.name,
                    "listed": r.name in {found.ranking for found in e.lists},
                    "value": r.average_precision,
                    "low": r.low,
                    "high": r.high,
                    "n": e.n_known_wrong,
                    "precision_at_known": r.precision_at_known,
                }
                for m, e in ranked.items()
                for r in e.rankings
            ],
            missing,
        ),
    ]


def _target_rows(s: Report, a: AttributionResult) -> Iterator[Row]:
    groups, classes = [g.name for g in s.dataset.groups], s.dataset.classes
    for t in a.targets:
        yield {
            "target": t.id,
            "group": name_at(groups, t.group),
            "label": name_at(classes, t.label),
            "predicted": name_at(classes, t.predicted),
            "correct_share": t.correct_share,
        }


def _lds_rows(s: Report) -> list[Row]:
    rows: list[Row] = []
    for m, a in s.attribution.items():
        if a.lds is None:
            continue
        own = {"value": a.lds.value, "low": a.lds.low, "high": a.lds.high, "n": a.lds.n_targets}
        rows.append({"method": m, "measure": "score", "predictor": a.estimator, **own})
        plain = {
            "random": a.lds.random,
            "same_class": a.lds.same_class,
            "grad_cosine": a.lds.grad_cosine,
            "group_rule": a.lds.group_rule,
        }
        rows += [
            {"method": m, "measure": "score", "predictor": k, **spread(None), "value": v}
            for k, v in plain.items()
            if v is not None
        ]
        if a.lds.ceiling is not None:
            between = {"low": a.lds.ceiling_low, "high": a.lds.ceiling_high, "n": a.lds.n_targets}
            rows.append(
                {"method": m, "measure": "score", "predictor": "noise_ceiling", "value": a.lds.ceiling}
                | between
            )
        rows += [
            {"method": m, "measure": "lead_over", "predictor": k, **spread(lead)}
            for k, lead in a.lds.lead.items()
        ]
    return rows


def _check_rows(s: Report) -> list[Row]:
    rows: list[Row] = []
    for m, a in s.attribution.items():
        check = a.group_check
        if check is None:
            continue
        rows += [
            {
                "method": m,
                "measure": "change",
                "train_group": c.train_group,
                "test_group": c.test_group,
                "kept": c.kept,
                "n_removed": c.n_removed,
                "predicted": c.predicted,
                "value": c.actual,
                "low": c.low,
                "high": c.high,
                "n": None,
            }
            for c in check.changes
        ]
        rows += [
            {
                "method": m,
                "measure": "expected_change",
                "train_group": c.train_group,
                "test_group": c.test_group,
                "kept": c.kept,
                **spread(c.calibrated),
            }
            for c in check.changes
            if c.calibrated is not None
        ]
        rows.append(
            {
                "method": m,
                "measure": "correlation",
                "value": check.correlation,
                "low": check.low,
                "high": check.high,
                "n": len(check.changes),
            }
        )
        rows += [
            {"method": m, "measure": measure, **spread(found)}
            for measure, found in (("rule_correlation", check.rule), ("beyond_rule", check.beyond))
            if found is not None
        ]
    return rows


def _why(s: Report, what: str) -> str:
    """The stage's own reasons, each once."""
    if not s.attribution:
        return NOT_TRACED
    reasons = [a.lds_reason if what == "lds" else a.group_check_reason for a in s.attribution.values()]
    known = list(dict.fromkeys(reason.rstrip(".") for reason in reasons if reason))
    return f"Not measured: {'; '.join(known)}." if known else "Not measured."
