"""What the five chapters show beside their charts: which images, under which words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.words import join_names, quoted
from pipeline.records.report import ImageOutcome, Report, TestImage
from pipeline.report.page.pictures import Pictures

FAILURES_SHOWN = 8
GROUPS_NAMED = 2
CLASSES_SHOWN = 4
USUAL_SHOWN = 4
USUAL = 2 / 3  # of a class's training images: a value that so many show comes with it usually


@dataclass(frozen=True)
class Chapter:
    id: str  # of its section
    word: str  # in the navigation


CHAPTERS = [
    Chapter("found", "Cue"),
    Chapter("used", "Use"),
    Chapter("harmful", "Harm"),
    Chapter("traced", "Cause"),
    Chapter("fixed", "Fix"),
]


@dataclass(frozen=True)
class UsualImages:
    """Images of the group that most training images of a class belong to."""

    name: str
    words: str
    ids: list[int]


def find_usual(report: Report, pictures: Pictures) -> list[UsualImages]:
    """For the first classes, images of the group that most of their training images belong to."""
    groups, attributes = report.dataset.groups, report.dataset.attributes
    if not attributes or attributes[0].origin != "annotated":
        return []  # that images come aligned says nothing of what they show
    found = []
    for label in report.dataset.group_labels[:CLASSES_SHOWN]:
        of_label = [g for g, group in enumerate(groups) if group.label == label and group.n_train]
        if not of_label:
            continue
        largest = max(of_label, key=lambda g: groups[g].n_train)
        if groups[largest].n_train < USUAL * sum(groups[g].n_train for g in of_label):
            continue
        ids = [i for i in pictures.examples.get(largest, []) if i not in pictures.known_wrong][:USUAL_SHOWN]
        words = f"{quoted(label)} usually comes with {quoted(groups[largest].attribute)}"
        found.append(UsualImages(groups[largest].name, words, ids))
    return found


@dataclass(frozen=True)
class Failures:
    """Test images that the baseline gets wrong, those of the group that the verdict speaks of first."""

    words: str  # whose they are
    shown: list[tuple[TestImage, ImageOutcome]]


def find_failures(report: Report) -> Failures:
    name, harmed = report.verdict.baseline, report.verdict.harmed_group
    wrong = [
        (image, image.methods[name])
        for image in report.images
        if name in image.methods and image.methods[name].predicted != image.label
    ]
    wrong.sort(key=lambda found: harmed is None or found[0].group != harmed.index)
    shown = wrong[:FAILURES_SHOWN]
    groups = list(dict.fromkeys(image.group for image, _ in shown))
    names = join_names([quoted(report.dataset.groups[group].name) for group in groups])
    words = (
        f"Test images of {names} that it gets wrong"
        if len(groups) <= GROUPS_NAMED
        else "Errors on test images"
    )
    return Failures(words, shown)
