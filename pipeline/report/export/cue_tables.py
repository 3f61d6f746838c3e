"""Tables of cues: what each tells of the class, whom it costs, and which of them formed the groups."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.cues import CueFinding
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, spread


def cue_tables(s: Report) -> list[Table]:
    """What was found of every cue that was tried alone."""
    return [
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
            "cue_gaps",
            "Test accuracy where a cue alone names the class (aligned) minus where it names another "
            "(conflicting), within classes; and beyond what images cost that the cue names so in any class.",
            list(_gap_rows(s)),
            "No cue was found that gives the class away, or no model was evaluated.",
        ),
        Table(
            "cues_for_groups",
            "Of cues that could form the groups: how much more often a plainly trained model is right on "
            "validation images whose class they name.",
            [
                {
                    "cue": cue.title,
                    "part": cue.part,
                    "forms": cue.name == s.dataset.formed_by,
                    **spread(cue.used),
                }
                for cue in s.dataset.asked
            ],
            "No model was asked which cue it uses.",
        ),
    ]


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


def _gap_rows(s: Report) -> Iterator[Row]:
    for gap in s.verdict.cue_gaps:
        about = gap.model_dump(
            include={"method", "title", "part", "n_aligned", "n_conflicting", "status", "note"}
        )
        for row in measured({"aligned minus conflicting": gap.difference, "beyond": gap.beyond}):
            yield {**about, **row}
