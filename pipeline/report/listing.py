"""Every list of images that a report speaks of, complete and with file names, from the stages' records.

Shape legend: N images of all splits, S models (seeds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.artifacts.results import Results
from pipeline.core.types import BoolArray, Int64Array, Split
from pipeline.records.attribution import AttributionResult, Influence, SuspectList
from pipeline.records.lists import Cell, ImageList, ListedImages, list_key
from pipeline.records.training import Removal
from pipeline.report.listing_hygiene import list_hygiene
from pipeline.report.page.test_images import MethodOutcomes, most_predicted
from pipeline.verdict.phrases import REMOVAL_LABELS, list_name, method_label

LOOKS_WRONG = (
    "Of the images left out those to which the models without them prefer another class, more clearly than "
    "to 19 of 20 validation images."
)
WORST_FIRST = "most harmful first"
NOT_LEARNED = {
    "aum": "Over the whole training, in the mean over seeds, another class was ahead of the given label; at "
    "most a tenth of the images.",
    "attribution": "It harms test images that trained nothing, every group counting alike; at most a tenth "
    "of the images.",
}


@dataclass(frozen=True)
class Samples:
    """What the packed data say of every image; the place in each column is the image's id."""

    files: Sequence[str]
    splits: Sequence[str]
    labels_N: Int64Array
    groups_N: Int64Array
    known_wrong_N: BoolArray | None = None  # None: of no label it is known

    @classmethod
    def of(cls, splits: Sequence[Split]) -> Samples:
        """Of all splits, in the order of the packed file."""
        is_known = any(split.label_flipped is not None for split in splits)
        wrong = [s.label_flipped if s.label_flipped is not None else np.zeros(len(s), bool) for s in splits]
        return cls(
            files=[str(file) for split in splits for file in split.files],
            splits=[split.name for split in splits for _ in range(len(split))],
            labels_N=np.concatenate([split.labels for split in splits]),
            groups_N=np.concatenate([split.groups for split in splits]),
            known_wrong_N=np.concatenate(wrong) if is_known else None,
        )


def list_images(
    found: Results, outcomes: Mapping[str, MethodOutcomes], samples: Samples, shown: Sequence[int]
) -> dict[str, ImageList]:
    """All lists by key; those that hold nothing are left out.

    Args:
        shown: ids of the test images that are shown one by one.
    """
    lists = dict[str, ImageList]()
    for method, traced in found.attributions.items():
        lists |= _of_attribution(method, traced, set(shown))
    for method, history in found.histories.items():
        if history.removal is not None:
            lists |= _of_removal(method, history.removal)
    if found.hygiene is not None:
        lists |= list_hygiene(found.hygiene)
    lists |= {list_key("failures", m): _failures(m, o, samples) for m, o in outcomes.items()}
    return {key: listed for key, listed in lists.items() if listed.ids}


def describe_listed(lists: Mapping[str, ImageList], samples: Samples) -> ListedImages:
    """File, split, label and group of every image of any list."""
    rows = np.array(sorted({image for listed in lists.values() for image in listed.ids}), np.int64)
    known = samples.known_wrong_N
    return ListedImages(
        ids=rows.tolist(),
        files=[samples.files[i] for i in rows],
        splits=[samples.splits[i] for i in rows],
        labels=samples.labels_N[rows].tolist(),
        groups=samples.groups_N[rows].tolist(),
        known_wrong=None if known is None else known[rows].tolist(),
    )


# --- what training images do -----------------------------------------------------------------


def _of_attribution(method: str, traced: AttributionResult, shown: set[int]) -> dict[str, ImageList]:
    name, lists = method_label(method), dict[str, ImageList]()
    for side, verb, images in (
        ("harmful", "hurt", traced.most_harmful_to_worst),
        ("helpful", "help", traced.most_helpful_to_worst),
    ):
        lists[list_key(side, method)] = ImageList(  # type: ignore[arg-type]
            kind=side,
            name=f"Most {side} images",
            title=f"Training images that {verb} the worst group most, {name}",
            rule=f"The largest effects of training images that {verb} the test images of this method's worst "
            "group, in the mean; 5% of the training images, at least 50, at most half of them.",
            method=method,
            order=f"most {side} first",
            ids=[image.id for image in images],
            columns={"score": [_rounded(image.score) for image in images]},
        )
    for suspected in traced.label_errors.lists if traced.label_errors else []:
        lists[list_key("suspected", method, suspected.ranking)] = _suspected(method, suspected)
    return lists | {list_key("behind", method): _behind(method, traced, shown)}


def _suspected(method: str, found: SuspectList) -> ImageList:
    columns: dict[str, list[Cell]] = {
        "score": [_rounded(s.score) for s in found.suspects],
        "suggested": [s.suggested for s in found.suspects],
        "in_both": [s.in_both for s in found.suspects],
    }
    return ImageList(
        kind="suspected",
        name=f"Suspects by {list_name(found.ranking)}",
        title=f"Training images with a suspected label by {list_name(found.ranking)}, {method_label(method)}",
        rule=NOT_LEARNED.get(
            found.ranking, "The most suspect of this ranking, at most a tenth of the images."
        ),
        method=method,
        order="most suspect first",
        ids=[s.id for s in found.suspects],
        columns=columns,
    )


def _behind(method: str, traced: AttributionResult, shown: set[int]) -> ImageList:
    rows = [row for t in traced.targets if t.id in shown for row in _influences(t.id, t.harmful, t.helpful)]
    return ImageList(
        kind="behind",
        name=f"Behind the images shown, {method_label(method)}",
        title=f"Training images behind the test images shown, {method_label(method)}",
        rule="Of each test image that is shown, the training images with the largest effects either way.",
        method=method,
        order="test image by test image, harmful ones before helpful ones, the largest effect first",
        ids=[image.id for _, _, image in rows],
        columns={
            "target": [target for target, _, _ in rows],
            "effect": [effect for _, effect, _ in rows],
            "score": [_rounded(image.score) for _, _, image in rows],
        },
    )


def _influences(
    target: int, harmful: Sequence[Influence], helpful: Sequence[Influence]
) -> Iterator[tuple[int, str, Influence]]:
    for effect, images in (("harmful", harmful), ("helpful", helpful)):
        for image in images:
            yield target, effect, image


def _of_removal(method: str, removal: Removal) -> dict[str, ImageList]:
    """What the method left out, and each control, whose seeds draw images of their own."""
    lists = dict[str, ImageList]()
    for kind in dict.fromkeys(left_out.kind for left_out in removal.left_out):
        parts = [left_out for left_out in removal.left_out if left_out.kind == kind]
        is_control = kind != "repair"
        own = f" instead, as a control: {REMOVAL_LABELS[kind]}" if is_control else ""
        seeds: list[Cell] = [part.seed for part in parts for _ in part.ids]
        as_many = f"As many as were chosen on validation: {REMOVAL_LABELS[kind]}."
        lists[list_key("removed", method, *([kind] if is_control else []))] = ImageList(
            kind="removed",
            name=REMOVAL_LABELS[kind][:1].upper() + REMOVAL_LABELS[kind][1:],
            title=f"Training images that {method_label(method)} left out{own}",
            rule=LOOKS_WRONG if kind == "suspected" else as_many,
            method=method,
            order=WORST_FIRST if all(seed is None for seed in seeds) else "seed by seed, as they were drawn",
            ids=[image for part in parts for image in part.ids],
            columns={} if all(seed is None for seed in seeds) else {"seed": seeds},
        )
    return lists


def _failures(method: str, outcome: MethodOutcomes, samples: Samples) -> ImageList:
    wrong_N = (outcome.predicted_SN != samples.labels_N[outcome.ids_N]).mean(axis=0)
    order = np.lexsort((outcome.ids_N, -wrong_N, samples.groups_N[outcome.ids_N]))
    rows = order[wrong_N[order] > 0.5]
    return ImageList(
        kind="failures",
        name=f"Failures of {method_label(method)}",
        title=f"Test images that most seeds of {method_label(method)} get wrong",
        rule="More than half of the seeds predict another class than the label.",
        method=method,
        order="group by group, those that most seeds get wrong first",
        ids=outcome.ids_N[rows].tolist(),
        columns={
            "predicted": [most_predicted(outcome.predicted_SN[:, row]) for row in rows],
            "wrong_share": [round(share, 4) for share in wrong_N[rows].tolist()],
        },
    )


def _rounded(score: float) -> float:
    """Four significant digits: more are noise, and a page carries them all."""
    return float(f"{score:.4g}")
