"""Is the group that pays also less calibrated, more sensitive, less robust, and does the fix mend that?

Asked only where a group is shown to pay: of equally good groups the worst one, picked by its accuracy, looks
worse by whatever goes along with accuracy.

Shape legend: S networks, R images looked at, C columns of an indicator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.artifacts.indicator_values import IndicatorValues
from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.core.words import join_names, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.indicators import Indicator, IndicatorsResult
from pipeline.records.verdict import Generalization, IndicatorContrast, Thresholds, Verdict
from pipeline.statistics.generalization.named import find_statistic
from pipeline.statistics.generalization.resampled import (
    estimate_statistic,
    group_difference,
    measured_images,
    paired_difference,
)
from pipeline.statistics.intervals import clip_difference, widen
from pipeline.verdict.phrases import method_label

Status = Literal["worse", "better", "not shown"]
MIN_IMAGES = 10  # on either side; fewer say nothing


class Measured(NamedTuple):
    """One indicator of the baseline, and of the recommended method on the same images."""

    indicator: Indicator  # of the baseline
    before: IndicatorValues
    after: IndicatorValues | None
    inside_R: BoolArray  # images of the group that pays
    sources_R: Int64Array | None = None  # scene or patient of each image; None: each by itself

    def sources(self, rows_R: BoolArray) -> Int64Array | None:
        return None if self.sources_R is None else self.sources_R[rows_R]


Read = Callable[[IndicatorsResult, Sequence[str]], Mapping[str, IndicatorValues]]


def generalize(
    verdict: Verdict, indicators: Mapping[str, IndicatorsResult], read: Read, test: Split, limits: Thresholds
) -> Generalization | None:
    """What is worse in the group that pays than elsewhere, and what the recommended method does about it.

    Args:
        indicators: of every method that has some.
        read: what was measured of each image, of those of the named indicators that a method has.
    """
    group, method = verdict.harmed_group, verdict.recommendation.method
    pays = any(rung.rung == "harmful" and rung.status == "yes" for rung in verdict.rungs)
    before = indicators.get(verdict.baseline or "")
    if not pays or group is None or before is None:
        return None
    after = indicators.get(method) if method and method != verdict.baseline else None
    asked = [indicator for indicator in before.indicators if indicator.overall is not None]
    names = [indicator.name for indicator in asked]
    of_before, of_after = read(before, names), read(after, names) if after else {}
    rows = {image: row for row, image in enumerate(test.ids.tolist())}
    measured = []
    for indicator in asked:
        own = of_before[indicator.name]
        looked = [rows[image] for image in own.ids_R.tolist()]
        sources_R = None if test.sources is None else test.sources[looked]
        inside_R = test.groups[looked] == group.index
        measured.append(Measured(indicator, own, of_after.get(indicator.name), inside_R, sources_R))
    return judge_generalization(group, method if after else None, measured, limits)


def judge_generalization(
    group: GroupEstimate, method: str | None, measured: Sequence[Measured], limits: Thresholds
) -> Generalization | None:
    """All contrasts, simultaneous; None where no indicator has images on both sides."""
    asked = [m for m in measured if _is_asked(m.indicator) and _has_both(m)]
    n_contrasts = len(asked) + sum(m.after is not None for m in asked)
    contrasts = [c for m in asked if (c := _contrast(m, n_contrasts, limits.alpha)) is not None]
    if not contrasts:
        return None
    return Generalization(
        group=group,
        method=method,
        contrasts=contrasts,
        finding=_finding(group.name, contrasts),
        fix_finding=_fix_finding(group.name, method, contrasts) if method else "",
    )


def _is_asked(indicator: Indicator) -> bool:
    return indicator.better != "neither" and not indicator.holds_accuracy


def _has_both(measured: Measured) -> bool:
    known_R = _known(measured.indicator, measured.before)
    inside = int((known_R & measured.inside_R).sum())
    return min(inside, int(known_R.sum()) - inside) >= MIN_IMAGES


def _known(indicator: Indicator, values: IndicatorValues) -> BoolArray:
    """Images that have a number: of wrong answers nothing survives."""
    return measured_images(values.values_SRC, find_statistic(indicator.statistic))


def _contrast(measured: Measured, n_contrasts: int, alpha: float) -> IndicatorContrast | None:
    indicator, inside_R = measured.indicator, measured.inside_R
    here_SRC = measured.before.values_SRC[:, inside_R]
    elsewhere_SRC = measured.before.values_SRC[:, ~inside_R]
    of_here, of_elsewhere = measured.sources(inside_R), measured.sources(~inside_R)
    here = _estimate(indicator, here_SRC, of_here)
    elsewhere = _estimate(indicator, elsewhere_SRC, of_elsewhere)
    both = None if of_here is None or of_elsewhere is None else (of_here, of_elsewhere)
    difference = group_difference(here_SRC, elsewhere_SRC, **_how(indicator), sources=both)
    if here is None or elsewhere is None or difference is None:
        return None
    worse = _toward_worse(difference, indicator, n_contrasts, alpha)
    contrast = IndicatorContrast(
        name=indicator.name,
        title=indicator.title,
        unit=indicator.unit,
        here=here,
        elsewhere=elsewhere,
        difference=worse,
        status=_status(worse),
    )
    if measured.after is None:
        return contrast
    both_R = _known(indicator, measured.before) & _known(indicator, measured.after) & inside_R
    if both_R.sum() < MIN_IMAGES:
        return contrast
    after_SRC = measured.after.values_SRC[:, inside_R]
    after = _estimate(indicator, after_SRC, of_here)
    change = paired_difference(after_SRC, here_SRC, **_how(indicator), sources_N=of_here)
    if after is None or change is None:
        return contrast
    changed = _toward_worse(change, indicator, n_contrasts, alpha)
    return contrast.model_copy(update={"after": after, "change": changed, "change_status": _status(changed)})


def _estimate(
    indicator: Indicator, values_SRC: Float64Array, sources_R: Int64Array | None
) -> Estimate | None:
    return estimate_statistic(values_SRC, **_how(indicator), sources_N=sources_R)


def _how(indicator: Indicator) -> dict[str, Any]:
    """How its numbers are made one, and between which ends."""
    return {
        "statistic": find_statistic(indicator.statistic),
        "least": indicator.least,
        "most": math.inf if indicator.most is None else indicator.most,
        "seed": 0,
    }


def _toward_worse(found: Estimate, indicator: Indicator, n: int, alpha: float) -> Estimate:
    """Simultaneous over the contrasts, and positive where it is worse."""
    wide = widen(found, n_comparisons=n, alpha=alpha)
    if indicator.most is not None:
        wide = clip_difference(wide, indicator.most - indicator.least)
    return wide if indicator.better == "lower" else -wide


def _status(difference: Estimate) -> Status:
    if difference.low > 0:
        return "worse"
    return "better" if difference.high < 0 else "not shown"


def _finding(group: str, contrasts: Sequence[IndicatorContrast]) -> str:
    worse = [c.title for c in contrasts if c.status == "worse"]
    better = [c.title for c in contrasts if c.status == "better"]
    n, name = len(contrasts), quoted(group)
    if not worse:
        told = f"{name} pays in accuracy; by none of {n} other indicators is it shown to be worse"
    else:
        told = f"{name} is worse beyond accuracy, too: by {join_names(worse)}"
    return told + (f"; by {join_names(better)} it is better." if better else ".")


def _fix_finding(group: str, method: str, contrasts: Sequence[IndicatorContrast]) -> str:
    """What the recommended method does to what is worse in the group, and what it makes worse there."""
    asked = [c for c in contrasts if c.status == "worse" and c.change_status is not None]
    mended = [c.title for c in asked if c.change_status == "better"]
    left = [c.title for c in asked if c.change_status == "not shown"]
    harmed = [c.title for c in contrasts if c.change_status == "worse"]
    told = [f"mends {join_names(mended)} there"] if mended else []
    told += [f"is not shown to mend {join_names(left)}"] if left else []
    told += [f"makes {join_names(harmed)} worse in {quoted(group)}"] if harmed else []
    return f"{method_label(method)} {join_names(told) or 'is not shown to change any of them there'}."
