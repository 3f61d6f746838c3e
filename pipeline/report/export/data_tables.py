"""Tables of the data: groups, color and the state of the images."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.color import ColorFinding
from pipeline.records.cues import CueFinding
from pipeline.records.hygiene import HygieneResult
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, name_at, spread, spread_group
from pipeline.report.guesses import list_guesses

NOT_CHECKED = "The images were not checked for duplicates, odd ones and balance."


def data_tables(s: Report) -> list[Table]:
    """What the color audit and the checks of the images found."""
    hygiene = s.hygiene
    return [
        Table(
            "groups",
            "Images of every group in each split.",
            [
                {"group": g.name, "label": g.label, "attribute": g.attribute, "split": split, "n": n}
                for g in s.dataset.groups
                for split, n in (("train", g.n_train), ("val", g.n_val), ("test", g.n_test))
            ],
            "The dataset has no groups.",
        ),
        Table(
            "cues",
            "What each cue alone tells of the class: kappa on new training images, or on test.",
            [row for cue in (s.cues.cues if s.cues else []) for row in _cue_rows(cue)],
            "Cues were not tried.",
        ),
        Table(
            "cue_classes",
            "Classes that a cue alone marks: share of images that it names, minus the nearest class's.",
            [
                {"cue": cue.title, "label": one.label, "found": one.found, **spread(one.marked)}
                for cue in (s.cues.cues if s.cues else [])
                for one in cue.classes
            ],
            "No cue was asked about single classes.",
        ),
        Table(
            "sources",
            "How well color, texture and layout tell the class of training images whose source (camera, "
            "scene) is among those fitted on (seen) and of other sources (unseen), and the difference "
            "(inflation); kappa. The interval of inflation allows for the number of columns.",
            [
                {"source": probe.words, "status": probe.status, "n_values": probe.n_values, **row}
                for probe in (s.cues.sources if s.cues else [])
                for row in measured(
                    {"seen": probe.seen, "unseen": probe.unseen, "inflation": probe.inflation}
                )
            ],
            "No column of sources was asked about.",
        ),
        Table(
            "color_findings",
            "Color features that differ between the values of a target; value, low and high are the AUROC on "
            "held-out training images or, for split test, on test images.",
            [row for found in _all_findings(s) for row in _finding_rows(found)],
            "No color feature differs clearly between classes.",
        ),
        Table(
            "color_guesses",
            "How well a classifier that sees color alone guesses: balanced accuracy, with kappa beside it.",
            list(_guess_rows(s)),
            "Color alone was not asked anything.",
        ),
        Table(
            "label_colors",
            "The color feature that sets one class apart from all others best; value, low and high are its "
            "AUROC on held-out training images.",
            [{**c.model_dump(exclude={"auroc"}), **spread(c.auroc)} for c in s.color.labels],
            "No class was held against the others.",
        ),
        Table(
            "associations",
            "Counts of a variable (row) by an attribute's values (column), with their Cramér's V.",
            list(_association_rows(s)),
            "No annotated attribute was compared with the label.",
        ),
        Table(
            "palettes",
            "The most frequent colors of each class.",
            [
                {"class_name": p.class_name, "rank": i + 1, "color": color, "share": share}
                for p in s.color.palettes
                for i, (color, share) in enumerate(zip(p.colors, p.shares, strict=True))
            ],
            "No palettes were made.",
        ),
        Table(
            "duplicates",
            "Sets of duplicates; value, low, high and n are the share of test images with a twin in train or "
            "val.",
            _duplicate_rows(hygiene) if hygiene else [],
            NOT_CHECKED,
        ),
        Table(
            "odd_images",
            "Share of dark, bright, blurry, low-information and grey images, over all images and per group.",
            _issue_rows(hygiene) if hygiene else [],
            NOT_CHECKED,
        ),
        Table(
            "balance",
            "How evenly images spread over classes or groups.",
            [b.model_dump() for b in hygiene.balance] if hygiene else [],
            NOT_CHECKED,
        ),
    ]


def _all_findings(s: Report) -> list[ColorFinding]:
    of_attributes = (found for audited in s.color.attributes for found in audited.findings)
    return [*s.color.findings, *s.color.detail_findings, *of_attributes]


def _finding_rows(found: ColorFinding) -> list[Row]:
    first = {
        "target": found.target,
        "feature": found.feature,
        "region": found.region,
        "class_name": found.class_name,
        "omega_squared": found.omega_squared,
        "p_value": found.p_value,
        "q_value": found.q_value,
    }
    rows = [
        {
            **first,
            "split": "train",
            "value": found.auroc,
            "low": found.auroc_low,
            "high": found.auroc_high,
            "n": None,
            "confirmed": found.confirmed,
        }
    ]
    if found.test is not None:
        rows.append({**first, "split": "test", **spread(found.test), "confirmed": found.holds_on_test})
    return rows


def _guess_rows(s: Report) -> Iterator[Row]:
    for guess in list_guesses(s.color):
        found = guess.found
        yield {
            "seen": guess.source,
            "target": found.target,
            "given": found.given,
            "classifier": found.classifier,
            "fitted_on": found.fitted_on,
            "read_on": found.read_on,
            "n_classes": found.n_classes,
            **spread(guess.accuracy),
            "kappa": found.kappa,
            "kappa_low": found.low,
            "kappa_high": found.high,
            "p_value": found.p_value,
            "v_information_bits": found.v_information_bits,
        }


def _association_rows(s: Report) -> Iterator[Row]:
    values = {attribute.name: attribute.values for attribute in s.dataset.attributes}
    for a in s.color.associations:
        rows = s.dataset.classes if a.other == "label" else values.get(a.other, [])
        for i, counts in enumerate(a.table):
            for j, count in enumerate(counts):
                yield {
                    "split": a.split,
                    "variable": a.other,
                    "row": name_at(rows, i),
                    "attribute": a.attribute,
                    "column": name_at(values.get(a.attribute, []), j),
                    "n": count,
                    "cramers_v": a.cramers_v,
                    "p_value": a.p_value,
                }


def _cue_rows(cue: CueFinding) -> Iterator[Row]:
    about = cue.model_dump(
        include={
            "name",
            "title",
            "part",
            "classifier",
            "found",
            "q_value",
            "under",
            "may_be_content",
            "is_visible",
        }
    )
    for split, kappa in (
        ("train", cue.kappa),
        ("test", cue.test),
        ("train, beyond the cue above it", cue.beyond),
    ):
        if kappa is not None:
            yield {**about, "split": split, **spread(kappa)}


def _duplicate_rows(hygiene: HygieneResult) -> list[Row]:
    return [
        {
            "kind": d.kind,
            "rule": d.rule,
            "n_sets": d.n_sets,
            "n_images": d.n_images,
            "n_conflicting": d.n_conflicting,
            "n_leaking": d.n_leaking,
            **spread(d.leaking),
        }
        for d in hygiene.duplicates
    ]


def _issue_rows(hygiene: HygieneResult) -> list[Row]:
    return [
        {"kind": issue.name, "rule": issue.rule, **row, "p_value": issue.p_value, "q_value": issue.q_value}
        for issue in hygiene.issues
        for row in (
            {"group": None, **spread(issue.share), "sufficient": True},
            *({"group": group.name, **spread_group(group)} for group in issue.groups),
        )
    ]
