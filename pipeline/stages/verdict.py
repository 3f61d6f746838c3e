"""Stage `verdict`: everything that is decided about a dataset and its models, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from pipeline.artifacts.cue_classes import load_cue_classes
from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.facts import read_facts
from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.hygiene_tables import load_odd_images, load_properties
from pipeline.artifacts.indicator_values import IndicatorValues, load_values
from pipeline.artifacts.paths import (
    color_dir,
    data_folders,
    dataset_dir,
    facts_path,
    indicators_dir,
    verdict_dir,
)
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.results import Results, gather, load_all_maps, load_controls, load_predicted
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.titled import with_titles
from pipeline.artifacts.titles import resolve_titles
from pipeline.core.types import SPLIT_NAMES, BoolArray, Int64Array, Split
from pipeline.data_audit.by_group import tell_color_by_group, tell_hygiene_by_group
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.slices import GroupTrait, MethodSlices
from pipeline.records.verdict import CueGap, Thresholds, Verdict
from pipeline.settings.plans.verdict import VerdictPlan
from pipeline.verdict.cause.explained import explain_removals
from pipeline.verdict.evidence.rules import choose_thresholds
from pipeline.verdict.fix.comparing import compare_cams, compare_predictions, compared_group
from pipeline.verdict.fix.validating import validate_methods
from pipeline.verdict.generalization import generalize
from pipeline.verdict.harm.aligned import measure_gaps
from pipeline.verdict.harm.conditions import Described
from pipeline.verdict.harm.describing import describe, group_columns
from pipeline.verdict.harm.naming import Grouped, name_groups
from pipeline.verdict.harm.slices import Scored, find_slices, why_no_slices
from pipeline.verdict.judge import judge

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    plan = read_plan(VerdictPlan, "verdict", dataset)
    limits = choose_thresholds(
        min_effect=plan.min_effect,
        min_test=plan.min_test,
        min_val=plan.min_val,
        min_kappa=plan.color.min_kappa,
    )
    with exclusive("verdict", dataset):
        splits = [load_split(data_folders(dataset), name) for name in SPLIT_NAMES]
        found = gather(dataset, plan.active_methods, plan.explained_methods)
        found, named = _tell_by_group(found, splits, plan), found.info
        (_, val, test), provenance = splits, _trace(found, plan)
        titles = resolve_titles(plan.titles, found.info, found.info, shares_source=plan.shares_source)
        found = with_titles(found, titles, audits=True)  # from here on it is for people
        evaluations, methods = list(found.evaluations.values()), list(found.evaluations)
        with_val = [e.method for e in evaluations if e.val is not None]
        correct = _are_correct(load_predicted(dataset, methods, test), test)
        comparisons = compare_predictions(correct, test, found.info, evaluations, limits)
        suspected = load_controls(dataset, found, test, "suspected")
        verdict = judge(
            found,
            limits,
            provenance,
            comparisons=comparisons,
            validation=validate_methods(
                _are_correct(load_predicted(dataset, with_val, val), val),
                val,
                found.info,
                evaluations,
                limits,
            ),
            explained=explain_removals(
                found,
                correct,
                _are_correct(suspected, test),
                test,
                comparisons,
                compared_group(found.info, evaluations[0], limits),
                limits,
            ),
            known_wrong=_known_wrong(splits[0]),
            cam_agreement=compare_cams(load_all_maps(dataset, list(found.gradcams))),
            cue_gaps=_cue_gaps(dataset, found, correct, test, limits),
        )
        told = {"color.json": found.color, "hygiene.json": found.hygiene, "cues.json": found.cues}
        for name, record in told.items():
            if record is not None:
                own = record.model_copy(update={"provenance": provenance})
                save_artifact(verdict_dir(dataset) / name, own)
        described = _describe(found, named, splits)
        parts = {
            "slices": _slices(found, verdict, (val, test), described[1:], limits),
            "traits": _traits(found, (splits[0], test), (described[0], described[2])),
            "generalization": generalize(
                verdict, found.indicators, partial(_read_values, dataset), test, limits
            ),
        }
        verdict = verdict.model_copy(update={"titles": titles, **parts})
        save_artifact(verdict_dir(dataset) / "verdict.json", verdict)
    _log.info("%s", verdict.headline)


def _tell_by_group(found: Results, splits: Sequence[Split], plan: VerdictPlan) -> Results:
    """What the audits of color and of the images, which know no groups, say of them."""
    info = found.info
    color = tell_color_by_group(found.color, info)
    if found.hygiene is None:
        return replace(found, color=color)
    is_odd = load_odd_images(color_dir(info.name) / "odd_images.parquet", info.packing)
    hygiene = tell_hygiene_by_group(found.hygiene, is_odd, splits, info, plan.hygiene)
    return replace(found, color=color, hygiene=hygiene)


def _cue_gaps(
    dataset: str, found: Results, correct: Mapping[str, BoolArray], test: Split, limits: Thresholds
) -> list[CueGap]:
    """Of every cue that was found with every method."""
    cues = [cue for cue in found.cues.cues if cue.found] if found.cues else []
    if not cues:
        return []
    classes = load_cue_classes(color_dir(dataset) / "cue_classes.parquet", test.packing)
    named = {cue.column: classes.of(cue.column, test) for cue in cues}
    brought = [name for name, evaluation in found.evaluations.items() if evaluation.is_brought]
    return measure_gaps(cues, named, test.labels, test.sources, correct, limits, brought=brought)


def _describe(found: Results, named: DatasetInfo, splits: Sequence[Split]) -> list[Described]:
    """What is known of each split's images.

    Args:
        named: the data by their names in files; `found` has their titles.
    """
    # older data have no facts, and by hand the images may not have been looked at
    facts = read_facts(named.name) if facts_path(dataset_dir(named.name)).exists() else None
    properties = (
        load_properties(color_dir(named.name) / "properties.parquet", named.packing) if found.hygiene else {}
    )
    return [describe(split, named, found.info, facts, properties) for split in splits]


def _slices(
    found: Results,
    verdict: Verdict,
    splits: Sequence[Split],
    described: Sequence[Described],
    limits: Thresholds,
) -> dict[str, MethodSlices]:
    """Parts of the images in which the baseline, and the method that is recommended, err more.

    Args:
        splits, described: of validation and test images.
    """
    asked = [verdict.baseline, verdict.recommendation.method]
    methods = list(dict.fromkeys(method for method in asked if method is not None))
    predicted = [load_predicted(found.info.name, _having(found, methods, split), split) for split in splits]
    wrong = [
        {method: ~right for method, right in _are_correct(own, split).items()}
        for own, split in zip(predicted, splits, strict=True)
    ]

    def scored(i: int, method: str) -> Scored:
        nothing = np.zeros((1, len(splits[i])), bool)  # read by nobody: `why_no_slices` says so
        return Scored(described[i], wrong[i].get(method, nothing), splits[i].sources)

    return {
        method: find_slices(
            method,
            scored(0, method),
            scored(1, method),
            limits,
            grouped_by=group_columns(found.info),
            why_not=why_no_slices(found.evaluations[method], limits),
        )
        for method in methods
    }


def _read_values(dataset: str, of: IndicatorsResult, names: Sequence[str]) -> dict[str, IndicatorValues]:
    """What was measured of each image, of those of the indicators that a method has."""
    known = [name for name in names if of.find(name)]
    return load_values(indicators_dir(dataset, of.method) / "values.npz", known)


def _having(found: Results, methods: Sequence[str], split: Split) -> list[str]:
    """Those of the methods that have predictions of a split's images."""
    return [m for m in methods if split.name in dict(found.evaluations[m].splits)]


def _traits(found: Results, splits: Sequence[Split], described: Sequence[Described]) -> list[GroupTrait]:
    """What describes groups that nobody named; none where groups have names.

    Args:
        splits, described: of training and test images.
    """
    if found.info.attributes[0].origin != "inferred":
        return []
    cues = [cue for cue in found.cues.cues if cue.found and cue.under is None] if found.cues else []
    path = color_dir(found.info.name) / "cue_classes.parquet"
    classes = load_cue_classes(path, splits[0].packing) if cues else None

    def grouped(split: Split, known: Described) -> Grouped:
        aligned = {c.title: classes.of(c.column, split) == split.labels for c in cues} if classes else {}
        return Grouped(replace(known, cues=aligned), split.groups, split.sources)

    train, test = (grouped(split, known) for split, known in zip(splits, described, strict=True))
    return name_groups(found.info.groups, train, test)


def _known_wrong(train: Split) -> list[int] | None:
    """Ids of the training images whose label is known to be wrong; None where nothing is known."""
    if train.label_flipped is None:
        return None
    ids: list[int] = train.ids[train.label_flipped].tolist()
    return ids


def _are_correct(predicted: Mapping[str, Int64Array], split: Split) -> dict[str, BoolArray]:
    """Whether each seed is right on each image of the split, S x N, by method."""
    return {method: classes == split.labels for method, classes in predicted.items()}


def _trace(found: Results, plan: VerdictPlan) -> Provenance:
    seeds = sorted({seed for evaluation in found.evaluations.values() for seed in evaluation.seeds})
    return make_provenance(settings_hash(plan), seeds, data=found.info.digest)
