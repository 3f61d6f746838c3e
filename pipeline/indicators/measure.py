"""Every indicator of one method: measured, averaged over all images and over those of each group.

Shape legend: S networks, R images looked at, C columns, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artifacts.indicator_values import IndicatorValues
from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.indicators.indicator import (
    ByModel,
    Curve,
    ImageIndicator,
    ModelIndicator,
    Words,
)
from pipeline.indicators.subject import Subject
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.indicators import Indicator, IndicatorCurve, IndicatorPart
from pipeline.statistics.distributions import t_isf
from pipeline.statistics.generalization.named import name_of
from pipeline.statistics.generalization.resampled import estimate_statistic

INFINITE = float("inf")
CURVE_DIGITS = 4


def measure(
    subject: Subject,
    indicators: Sequence[ImageIndicator | ModelIndicator],
    group_names: Sequence[str],
    *,
    min_test: int,
) -> tuple[list[Indicator], dict[str, IndicatorValues]]:
    """The indicators with their intervals, and what was measured of each image, by indicator.

    Args:
        group_names: of all groups, in the order of their indices.
        min_test: a group with fewer test images is marked, whatever part of them was looked at.
    """
    found, values = [], {}
    for indicator in indicators:
        try:
            if isinstance(indicator, ImageIndicator):
                record, own = _by_image(subject, indicator, group_names, min_test)
                values[indicator.name] = own
            else:
                record = _by_model(indicator, indicator.per_model(subject))
        except InputError as error:  # of indicators, of statistics that these images do not allow
            record = _record(indicator.name, indicator.words, why_not=str(error))
        except RuntimeError as error:
            if "grad" not in str(error):
                raise
            why = "The network lets no gradient through, or none twice."
            record = _record(indicator.name, indicator.words, why_not=why)
        found.append(record)
    return found, values


def _by_image(
    subject: Subject, indicator: ImageIndicator, group_names: Sequence[str], min_test: int
) -> tuple[Indicator, IndicatorValues]:
    rows_R = np.arange(len(subject.test)) if indicator.images == "all" else subject.sample
    if not len(rows_R):
        raise InputError("No image is looked at. Set indicators.images_per_group to 32 or more.")
    measured = indicator.per_image(subject)
    groups_R = subject.test.groups[rows_R]
    sizes_G = np.bincount(subject.test.groups, minlength=len(group_names))
    seed, sources_R = subject.settings.seed, _part(subject.test.sources, rows_R)
    by_group = [
        GroupEstimate(**own.model_dump(), index=g, name=group_names[g], sufficient=sizes_G[g] >= min_test)
        for g in np.unique(groups_R).tolist()
        if (
            own := estimate(
                indicator, measured.values_SRC[:, groups_R == g], seed, _part(sources_R, groups_R == g)
            )
        )
        is not None
    ]
    record = _record(indicator.name, indicator.words, notes=measured.notes).model_copy(
        update={
            "n_models": len(measured.values_SRC),
            "statistic": name_of(indicator.statistic),
            "least": indicator.least,
            "most": None if indicator.most == INFINITE else indicator.most,
            "overall": estimate(indicator, measured.values_SRC, seed, sources_R),
            "groups": by_group,
            "curves": _curves(indicator, measured.values_SRC, groups_R, by_group),
        }
    )
    return record, IndicatorValues(subject.test.ids[rows_R], measured.values_SRC)


def _curves(
    indicator: ImageIndicator, values_SRC: Float64Array, groups_R: Int64Array, by_group: list[GroupEstimate]
) -> list[IndicatorCurve]:
    """Of all images, and of each group with enough of them."""
    if indicator.curve is None:
        return []
    is_known_R: npt.NDArray[Any] = np.logical_not(np.isnan(values_SRC).any(axis=(0, 2)))
    parts: list[tuple[str, int | None, npt.NDArray[Any]]] = [("all", None, is_known_R)]
    parts += [(g.name, g.index, is_known_R & (groups_R == g.index)) for g in by_group if g.sufficient]
    return [
        IndicatorCurve(name=name, index=index, **_points(indicator.curve(values_SRC[:, own_R])))
        for name, index, own_R in parts
        if own_R.any()
    ]


def _points(curve: Curve) -> dict[str, list[Any]]:
    """Rounded to a hundredth of a percent, which nobody sees in a picture: the files stay small."""
    x, y, low, high = (np.round(values_B, CURVE_DIGITS).tolist() for values_B in curve[:4])
    return {"x": x, "y": y, "low": low, "high": high, "n": curve.n_B.tolist()}


def _part(sources_N: Int64Array | None, rows: npt.NDArray[Any]) -> Int64Array | None:
    return None if sources_N is None else sources_N[rows]


def estimate(
    indicator: ImageIndicator, values_SRC: Float64Array, seed: int, sources_R: Int64Array | None = None
) -> Estimate | None:
    """What some images' values say; None where none was measured, or too few for any interval.

    Args:
        sources_R: scene or patient of each image; the interval is then for new ones.
    """
    found = estimate_statistic(
        values_SRC,
        indicator.statistic,
        least=indicator.least,
        most=indicator.most,
        seed=seed,
        sources_N=sources_R,
    )
    return found if found is not None and np.isfinite([found.low, found.high]).all() else None


def _by_model(indicator: ModelIndicator, found: ByModel) -> Indicator:
    parts = [
        IndicatorPart(
            name=name,
            title=found.titles.get(name, name),
            estimate=_within(over_models(np.asarray(values_S, np.float64)), indicator),
            threshold=found.thresholds.get(name),
        )
        for name, values_S in found.parts.items()
    ]
    record = _record(indicator.name, indicator.words, notes=found.notes)
    return record.model_copy(update={"parts": parts, "n_models": max(part.estimate.n for part in parts)})


def over_models(values_S: Float64Array) -> Estimate:
    """Mean of a number of each network, with Student's interval for new ones. One has none."""
    n, value = len(values_S), float(values_S.mean())
    half = float(t_isf(0.025, n - 1)) * float(values_S.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    return Estimate(value=value, low=value - half, high=value + half, n=n)


def _within(estimate: Estimate, indicator: ModelIndicator) -> Estimate:
    low, high = max(estimate.low, indicator.least), min(estimate.high, indicator.most)
    return estimate.model_copy(update={"low": min(low, estimate.value), "high": max(high, estimate.value)})


def _record(name: str, words: Words, *, why_not: str = "", notes: Sequence[str] = ()) -> Indicator:
    return Indicator(
        name=name,
        title=words.title,
        sees=words.sees,
        unit=words.unit,
        better=words.better,
        source=words.source,
        holds_accuracy=words.holds_accuracy,
        notes=list(notes),
        why_not=why_not,
    )
