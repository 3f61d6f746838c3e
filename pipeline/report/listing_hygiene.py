"""Lists that the checks of the images make: duplicates across splits, contradicting labels, odd images."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records.hygiene import DuplicateSet, DuplicateSummary, HygieneResult, ImageIssue
from pipeline.records.lists import ImageList, list_key

WITH = {"exact": "an exact", "near": "a near"}


def list_hygiene(found: HygieneResult) -> dict[str, ImageList]:
    """By key, those that hold nothing among them."""
    lists = {list_key("odd", issue.name): _odd(issue) for issue in found.issues}
    for kind in found.duplicates:
        lists |= _of_duplicates(kind)
    return lists


def _of_duplicates(found: DuplicateSummary) -> dict[str, ImageList]:
    kind, numbered = found.kind, list(enumerate(found.sets, 1))
    contradicting = [(n, s) for n, s in numbered if len(set(s.labels)) > 1]
    leaks = [
        (n, s, test, twin)
        for n, s in numbered
        for twin in [next((i for i, split in zip(s.ids, s.splits, strict=True) if split != "test"), None)]
        for test, split in zip(s.ids, s.splits, strict=True)
        if split == "test" and twin is not None
    ]
    return {
        list_key("leaking", kind): ImageList(
            kind="leaking",
            name=f"Test images with {WITH[kind]} duplicate",
            title=f"Test images with {WITH[kind]} duplicate in training or validation",
            rule=f"Of {kind} duplicates: {found.rule}.",
            order="set by set",
            ids=[test for _, _, test, _ in leaks],
            columns={
                "set": [n for n, _, _, _ in leaks],
                "twin": [twin for _, _, _, twin in leaks],
                "similarity": [s.similarity for _, s, _, _ in leaks],
            },
        ),
        list_key("contradicting", kind): _sets(
            "contradicting", f"{kind.capitalize()} duplicates whose labels differ", found.rule, contradicting
        ),
        list_key("duplicates", kind): _sets("duplicates", f"All {kind} duplicates", found.rule, numbered),
    }


def _sets(kind: str, title: str, rule: str, numbered: Sequence[tuple[int, DuplicateSet]]) -> ImageList:
    return ImageList.model_validate(
        {
            "kind": kind,
            "name": title,
            "title": title,
            "rule": rule[:1].upper() + rule[1:] + ".",
            "order": "set by set; those that reach into test first",
            "ids": [image for _, found in numbered for image in found.ids],
            "columns": {
                "set": [n for n, found in numbered for _ in found.ids],
                "similarity": [found.similarity for _, found in numbered for _ in found.ids],
            },
        }
    )


def _odd(issue: ImageIssue) -> ImageList:
    name = f"{issue.name.replace('_', '-').capitalize()} images"
    return ImageList(
        kind="odd",
        name=name,
        title=name,
        rule=issue.rule,
        order="most extreme first",
        ids=issue.ids,
    )
