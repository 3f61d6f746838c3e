"""TRAK attribution of one method's models: from images and weights to the stage's record.

Sign: positive = the training image helps the target's correct prediction.

Shape legend: N training images, M targets, S models (seeds), G groups.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.attribution.estimators.estimate import Estimated, estimate
from pipeline.attribution.proof.foretold import (
    Retrained,
    calibrate_subsets,
    calibrate_thinned,
    check_groups,
    measure_lds,
)
from pipeline.attribution.proof.group_effects import (
    extreme_count,
    group_attributions,
    group_shares,
    most_harmful,
    most_helpful,
)
from pipeline.attribution.selection import Examples, choose_listed, choose_train, select
from pipeline.attribution.streaming import ScoreSummary, group_matrix, mean_weights, summarize
from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.models.interface import Classifier
from pipeline.records.attribution import AttributionResult, Influence, LabelErrors, TargetAttribution
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo
from pipeline.settings.attribution import AttributeSettings
from pipeline.statistics.retrained.label_errors import attribution_suspicion, aum_suspicion, find_label_errors


@dataclass(frozen=True)
class LabelEvidence:
    """What training and the trained models say about each training image's label."""

    aum_SN: Float64Array | None  # mean margin over the run, of each seed
    no_aum_reason: str | None
    suggested_N: Int64Array  # the class that the models would rather give


def run_attribution(  # noqa: PLR0913  # one keyword per artifact the stage loads
    *,
    method: str,
    models: Sequence[Sequence[Classifier]],
    train: Split,
    test: Split,
    target_rows: Int64Array,
    predicted: Int64Array,
    worst_group: int,
    info: DatasetInfo,
    settings: AttributeSettings,
    retrained: Retrained,
    label_evidence: LabelEvidence,
    work_dir: Path,
    provenance: Provenance,
    device: str,
) -> AttributionResult:
    """Score training images on the audited test images and summarize.

    Args:
        models: for each seed the checkpoints of its run, as many for each and of one architecture; the
            first `settings.max_models` seeds are used.
        target_rows: rows of `test` from `choose_targets`, M.
        predicted: class predicted for each target by each seed, S' x M (S' may exceed S).
        worst_group: the group whose most harmful training images are listed.
        retrained: models that the scores are checked against; it may hold none.
        label_evidence: what training and the models say about the training labels.
        work_dir: kept between runs: a killed run goes on from there. The caller deletes it once
            the result is saved.
        device: "cpu", "cuda" or "cuda:<n>", as a string.

    Raises:
        InputError: sizes at which scores are meaningless, no targets, a disk too small.
        TrainingError: gradients are not finite.
    """
    started = time.monotonic()
    _check(models, target_rows, predicted, info)
    used = models[: settings.max_models]
    train_part = select(train, choose_train(train.groups, settings.max_train, settings.seed))
    targets = select(test, np.asarray(target_rows, np.int64))
    found = estimate(
        used, train=train_part, targets=targets, settings=settings, work_dir=work_dir, device=device
    )
    n_groups, names = len(info.groups), [group.name for group in info.groups]
    by_group = mean_weights(targets.groups, n_groups)
    overall = mean_weights(targets.labels, len(info.classes)).sum(axis=1)  # every class counts the same
    summary = summarize(
        found.scores,
        train_weights_NI=mean_weights(train_part.groups, n_groups),
        target_weights_MJ=np.column_stack([by_group, overall]),
        top_k=settings.top_k,
        scratch=found.scratch,
    )
    effect_on_worst, n_extreme = summary.train_means[:, worst_group], extreme_count(len(train_part))
    lds, lds_reason = measure_lds(
        found.scores, found.cosines, retrained, train_part, targets, info.groups, settings.seed
    )
    check, check_reason = check_groups(found.scores, retrained, train_part, targets, info.groups)
    by_subsets = calibrate_subsets(found.scores, retrained, train_part, targets, n_groups)
    check, by_groups = calibrate_thinned(check) if check else (None, None)
    listed = choose_listed(targets.groups, settings.targets_listed, settings.seed)
    flipped = None if train.label_flipped is None else train.label_flipped[train_part.rows]
    in_harmful, in_all = flip_enrichment(summary.train_means[:, -1], flipped)
    return AttributionResult(
        provenance=provenance,
        method=method,
        engine=found.engine,
        in_margin_units=found.in_margin_units,
        estimator=settings.estimator,
        n_models=len(used),
        n_checkpoints=len(used[0]),
        proj_dim=found.projection.dim,
        ridge=found.ridge,
        loss_weighting=found.loss_weighting,
        projection=found.projection,
        n_train=len(train_part),
        n_train_total=len(train),
        n_targets=len(targets),
        groups=group_attributions(
            group_matrix(
                summary, train_groups=train_part.groups, target_groups=targets.groups, n_groups=n_groups
            ),
            train_part.groups,
            targets.groups,
            names,
        ),
        targets=_target_records(summary, train_part, targets, predicted, listed),
        most_harmful_to_worst=_listed(most_harmful(effect_on_worst, n_extreme), effect_on_worst, train_part),
        most_helpful_to_worst=_listed(most_helpful(effect_on_worst, n_extreme), effect_on_worst, train_part),
        shares=group_shares(effect_on_worst, train_part.groups, names, n_extreme),
        lds=lds,
        lds_reason=lds_reason,
        group_check=check,
        group_check_reason=check_reason,
        calibrations=[record for record in (by_subsets, by_groups) if record is not None],
        label_errors=_label_errors(found, label_evidence, train, train_part, by_group, names),
        flipped_share_in_harmful=in_harmful,
        flipped_share_overall=in_all,
        seconds=time.monotonic() - started,
    )


def flip_enrichment(effect_N: Float64Array, flipped_N: BoolArray | None) -> tuple[float | None, float | None]:
    """Share of known flips among as many most harmful images, and among all images.

    `effect_N` is each training image's mean score over all targets, every class counting the
    same: a wrong label pulls down the class that the image truly shows and lifts the one it is
    labeled with less, so the effect on the targets of its own label alone would miss the harm.
    Both are None where flips are unknown; the first also where there is none.
    """
    if flipped_N is None:
        return None, None
    n_flips = int(flipped_N.sum())
    overall = n_flips / len(flipped_N)
    if n_flips == 0:
        return None, overall
    most_harmful = np.argsort(effect_N, kind="stable")[:n_flips]
    return float(flipped_N[most_harmful].mean()), overall


def _check(
    models: Sequence[Sequence[Classifier]], target_rows: Int64Array, predicted: Int64Array, info: DatasetInfo
) -> None:
    if not models:
        raise InputError("attribution needs at least one trained model: run the train stage first.")
    if len(target_rows) == 0:
        raise InputError("attribution has no test images to audit: the test split is empty.")
    if len(info.classes) < 2:
        raise InputError(
            f"dataset {info.name} has {len(info.classes)} class; a margin needs two or more. "
            "Add a class, or leave the dataset out of `active`."
        )
    if predicted.ndim != 2 or predicted.shape[1] != len(target_rows):
        raise InputError(
            f"predictions have shape {predicted.shape}, expected (seeds, {len(target_rows)}): run the "
            "evaluate stage again."
        )


def _target_records(
    summary: ScoreSummary, train: Examples, targets: Examples, predicted: Int64Array, listed: Int64Array
) -> list[TargetAttribution]:
    records = []
    for column in listed:
        label = int(targets.labels[column])
        helpful = zip(summary.helpful.rows[column], summary.helpful.scores[column], strict=True)
        harmful = zip(summary.harmful.rows[column], summary.harmful.scores[column], strict=True)
        records.append(
            TargetAttribution(
                id=int(targets.ids[column]),
                label=label,
                group=int(targets.groups[column]),
                predicted=int(predicted[0, column]),
                correct_share=float((predicted[:, column] == label).mean()),
                # an image that helps is not listed as harmful only because too few harm
                helpful=[_influence(train, row, score) for row, score in helpful if score > 0],
                harmful=[_influence(train, row, score) for row, score in harmful if score < 0],
            )
        )
    return records


def _listed(rows: Int64Array, effect_N: Float64Array, train: Examples) -> list[Influence]:
    return [_influence(train, row, effect_N[row]) for row in rows]


def _label_errors(
    found: Estimated,
    evidence: LabelEvidence,
    train: Split,
    scored: Examples,
    by_group: Float64Array,
    names: list[str],
) -> LabelErrors | None:
    """Rankings by margins and, where the estimator gives them, by attribution; None without any."""
    suspicion = {} if evidence.aum_SN is None else {"aum": aum_suspicion(evidence.aum_SN)}
    if found.plain is not None and found.one_minus_p_N is not None:
        audited = by_group[:, by_group.any(axis=0)]
        effects_NG = found.plain.target_sums(audited)
        suspicion["attribution"] = _spread(
            attribution_suspicion(effects_NG, 1.0 - found.one_minus_p_N), scored, len(train)
        )
    if found.self_influence_N is not None:
        suspicion["self_influence"] = _spread(found.self_influence_N, scored, len(train))
    if all(np.isnan(values_N).all() for values_N in suspicion.values()):
        return None
    return find_label_errors(
        suspicion,
        train,
        suggested_N=evidence.suggested_N,
        group_names=names,
        reason=evidence.no_aum_reason,
    )


def _spread(values_n: Float64Array, scored: Examples, n: int) -> Float64Array:
    """Values of the scored images among all, NaN elsewhere."""
    spread_N = np.full(n, np.nan)
    spread_N[scored.rows] = values_n
    return spread_N


def _influence(train: Examples, row: int, score: float) -> Influence:
    return Influence(id=int(train.ids[row]), group=int(train.groups[row]), score=float(score))
