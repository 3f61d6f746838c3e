"""Which of the five questions the data and settings at hand can answer, and which key would change that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.words import list_some
from pipeline.plan.params import DatasetSettings
from pipeline.preflight.sizes import Sizes
from pipeline.records.data import GroupInfo
from pipeline.records.verdict import RungName
from pipeline.verdict.evidence.rules import MIN_SEEDS, misled_groups, perhaps_misled_groups

_FEWEST = 30  # test images of a group that an interval says something about
_LARGEST_SHARE = 0.4  # of the images that a split carved from them should take


@dataclass(frozen=True)
class Outlook:
    """Whether one question can be answered; where not, why, and what to write to change it."""

    rung: RungName
    can_be_answered: bool
    why: str = ""
    remedies: tuple[str, ...] = ()


def foresee_questions(
    sizes: Sizes, settings: DatasetSettings, methods: Sequence[str], *, has_masks: bool, name: str
) -> list[Outlook]:
    """The ladder, rung by rung.

    Args:
        methods: that will be trained, the baseline first.
    """
    harmful = _harmful(sizes, settings, name)
    return [
        _available(sizes, settings, name),
        _used(sizes, settings, name, has_masks=has_masks),
        harmful,
        _caused_by(harmful, settings, methods[0], name),
        _fixed_by(harmful, methods),
    ]


def _available(sizes: Sizes, settings: DatasetSettings, name: str) -> Outlook:
    if sizes.n["test"] < settings.evaluate.min_test:
        return Outlook("available", False, *_small_test(sizes, settings, name))
    return Outlook("available", True)


def _used(sizes: Sizes, settings: DatasetSettings, name: str, *, has_masks: bool) -> Outlook:
    if sizes.n["test"] < settings.evaluate.min_test:
        return Outlook("used", False, *_small_test(sizes, settings, name))
    if sizes.attributes[0].origin == "annotated":
        how = (
            "backgrounds are exchanged" if has_masks else "colors are exchanged; with masks, backgrounds too"
        )
        return Outlook("used", True, how)
    return Outlook("used", True, "of color alone: no attribute is annotated", (_attribute_remedy(),))


def _harmful(sizes: Sizes, settings: DatasetSettings, name: str) -> Outlook:
    attribute = sizes.attributes[0]
    if sizes.is_open:
        return _harm_of_cue(sizes, settings, name)
    if attribute.origin == "none":
        return Outlook(
            "harmful",
            False,
            "no attribute forms groups, so nobody can be misled",
            (_attribute_remedy(), f"datasets.{name}.groups: {{ from: auto }}"),
        )
    few = () if len(settings.train_for("erm").seeds) >= MIN_SEEDS else (_seeds_remedy(name),)
    needed = settings.evaluate.min_test
    misled = [sizes.groups[g] for g in misled_groups(sizes)]
    if sum(group.n_test >= needed for group in sizes.groups) < 2:
        why, remedies = _thin_groups(misled or sizes.groups, sizes, settings, name)
        return Outlook("harmful", False, why, (*remedies, *few))
    if not misled and perhaps_misled_groups(sizes):
        why = f"too few training images to tell whether {attribute.name!r} points the wrong way in a group"
        return Outlook("harmful", False, why, few)
    if not misled:
        why = f"{attribute.name!r} points the wrong way in no group, so none will be found harmed"
        return Outlook("harmful", True, why, few)
    return _of_misled(misled, sizes, settings, name)


def _harm_of_cue(sizes: Sizes, settings: DatasetSettings, name: str) -> Outlook:
    if sizes.n["test"] < settings.evaluate.min_test:
        return Outlook("harmful", False, *_small_test(sizes, settings, name))
    why = "where a cue is found that a model uses: then of the images whose class it names wrongly"
    return Outlook("harmful", True, why, (_attribute_remedy(),))


def _of_misled(misled: Sequence[GroupInfo], sizes: Sizes, settings: DatasetSettings, name: str) -> Outlook:
    """Whether it can be told that a misled group pays."""
    needed, seeds = settings.evaluate.min_test, settings.train_for("erm").seeds
    few = () if len(seeds) >= MIN_SEEDS else (_seeds_remedy(name),)
    thin = list(dict.fromkeys(group for victim in misled for group in _too_thin(victim, sizes, needed)))
    answerable = [victim for victim in misled if not _too_thin(victim, sizes, needed)]
    if not answerable:
        why, remedies = _thin_groups(thin, sizes, settings, name)
        return Outlook("harmful", False, why, (*remedies, *few))
    if few:
        why = f"{len(seeds)} training{'s' if len(seeds) > 1 else ''} a method; {MIN_SEEDS} are needed"
        return Outlook("harmful", False, f"{why} to tell training's chance from harm", few)
    if thin:
        why, remedies = _thin_groups(thin, sizes, settings, name)
        return Outlook("harmful", True, f"not of every group: {why}", remedies)
    return Outlook("harmful", True)


def _too_thin(victim: GroupInfo, sizes: Sizes, needed: int) -> list[GroupInfo]:
    """Of the groups that a comparison of `victim` needs those with too few test images.

    These are the same class where the cue is right, and one other class with both attribute values.
    """
    same = [group for group in sizes.groups if group.label == victim.label and group is not victim]
    if not same:
        return [victim]
    guided = max(same, key=lambda group: group.n_train)
    values = {victim.attribute, guided.attribute}
    rivals = [
        [group for group in sizes.groups if group.label == label and group.attribute in values]
        for label in dict.fromkeys(group.label for group in sizes.groups)
        if label != victim.label
    ]
    others = max(rivals, key=lambda pair: min(group.n_test for group in pair), default=[])
    return [group for group in (victim, guided, *others) if group.n_test < needed]


def _thin_groups(
    groups: Sequence[GroupInfo], sizes: Sizes, settings: DatasetSettings, name: str
) -> tuple[str, tuple[str, ...]]:
    """Groups with too few test images, and the keys that would help."""
    needed = settings.evaluate.min_test
    shown = list_some([f"{group.name} ({group.n_test:,})" for group in groups])
    why = f"fewer than {needed:,} test images in {shown}, which the comparison needs"
    total = min(group.n_train + group.n_val + group.n_test for group in groups)
    share = math.ceil(20 * needed / max(1, total)) / 20
    if sizes.is_carved["test"] and settings.data.test_fraction < share <= _LARGEST_SHARE:
        return why, (f"datasets.{name}.data: {{ test_fraction: {share:.2f} }}",)
    fewest = min(group.n_test for group in groups)
    if fewest >= _FEWEST:
        return why, (f"datasets.{name}.evaluate: {{ min_test: {fewest} }} (its intervals will be wide)",)
    return f"{why}: collect more", ()


def _small_test(sizes: Sizes, settings: DatasetSettings, name: str) -> tuple[str, tuple[str, ...]]:
    n, needed = sizes.n["test"], settings.evaluate.min_test
    why = f"{n:,} test images, and {needed:,} are needed: collect more"
    total = sum(sizes.n.values())
    share = math.ceil(20 * needed / total) / 20
    if sizes.is_carved["test"] and share <= _LARGEST_SHARE:
        return why, (f"datasets.{name}.data: {{ test_fraction: {share:.2f} }}",)
    return why, ()


def _caused_by(harmful: Outlook, settings: DatasetSettings, baseline: str, name: str) -> Outlook:
    if not harmful.can_be_answered:
        return Outlook("caused_by", False, "it asks what caused a harm, which cannot be shown")
    retrain = settings.retrain
    if baseline in retrain.methods and (retrain.subsets or retrain.thin_keep):
        return Outlook("caused_by", True)
    why = "by scores that no retraining checks"
    return Outlook("caused_by", True, why, (f"datasets.{name}.retrain: {{ subsets: 32, thin_keep: [0.0] }}",))


def _fixed_by(harmful: Outlook, methods: Sequence[str]) -> Outlook:
    if len(methods) < 2:
        return Outlook(
            "fixed_by", False, "no method beside the baseline", ("active_methods: [erm, group_dro]",)
        )
    if not harmful.can_be_answered:
        return Outlook("fixed_by", False, "it asks what mends a harm, which cannot be shown")
    return Outlook("fixed_by", True)


def _attribute_remedy() -> str:
    return (
        "new-dataset with --attribute-column NAME (of a table) or --attribute-level N (of folders in folders)"
    )


def _seeds_remedy(name: str) -> str:
    return f"datasets.{name}.train: {{ seeds: {list(range(MIN_SEEDS))} }}"
