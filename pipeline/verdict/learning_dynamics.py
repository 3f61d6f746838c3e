"""What the epochs of a method say, decided once and in sentences.

Shape legend: S seeds, E epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.core.words import count, join_names, points, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.data import GroupInfo
from pipeline.records.learning import (
    DelayedGeneralization,
    EarlyStop,
    FirstLearned,
    Followed,
    Jumps,
    LearningDynamics,
    LevelCrossing,
    StepSizes,
)
from pipeline.records.training import EpochDynamics, EpochRecord
from pipeline.records.verdict import Thresholds
from pipeline.statistics.dynamics.change_points import MIN_EPOCHS, find_changes
from pipeline.statistics.dynamics.crossings import find_crossings, find_delay
from pipeline.statistics.dynamics.early_stop import MIN_SEEDS, find_fall
from pipeline.statistics.dynamics.first_learned import early_epochs, judge_first

_POINTS = 150  # epochs kept; more cannot be told apart in a picture
_LEVEL = 0.9


def judge_dynamics(
    records: Sequence[EpochRecord], groups: Sequence[GroupInfo], limits: Thresholds
) -> LearningDynamics | None:
    """None without epochs, and of trainings of before dynamics were noted."""
    if not records or any(record.dynamics is None for record in records):
        return None
    return _Judge(records, groups, limits).judge()


class _Judge:
    def __init__(
        self, records: Sequence[EpochRecord], groups: Sequence[GroupInfo], limits: Thresholds
    ) -> None:
        seeds = sorted({record.seed for record in records})
        self.by_seed = [sorted((r for r in records if r.seed == s), key=lambda r: r.epoch) for s in seeds]
        self.groups, self.limits = groups, limits
        self.n_train = max(1, sum(group.n_train for group in groups))
        self.n_val = max(1, sum(group.n_val for group in groups))
        self.train = self._curves(lambda r: _weighted(r.train_accuracy, groups))
        self.val = self._curves(lambda r: r.val_average)
        self.n_epochs = min(len(curve) for curve in self.val)
        self.n_steps = _of(self.by_seed[0][0]).n_steps

    def judge(self) -> LearningDynamics:
        stops, stop_sentence = self._stops()
        sizes = [self._sizes(epoch) for epoch in sorted({0, self.n_epochs - 1})]
        followed = self._followed()
        return LearningDynamics(
            n_steps=self.n_steps,
            followed=followed,
            first=self._first() if followed else None,
            crossings=[*self._crossings("train"), *self._crossings("val")],
            delay=self._delay(),
            jumps=self._jumps(),
            stops=stops,
            stop_sentence=stop_sentence,
            sizes=sizes,
        )

    def _curves(self, value: Callable[[EpochRecord], float]) -> list[Float64Array]:
        return [np.array([value(record) for record in own]) for own in self.by_seed]

    def _shares(self) -> tuple[list[Float64Array], list[Float64Array]]:
        """Label's and cue's, by seed."""
        return (
            self._curves(lambda r: _of(r).follows_label or 0.0),
            self._curves(lambda r: _of(r).follows_cue or 0.0),
        )

    def _followed(self) -> Followed | None:
        first = _of(self.by_seed[0][0])
        if first.follows_cue is None:
            return None
        label, cue = (np.mean([c[: self.n_epochs] for c in curves], axis=0) for curves in self._shares())
        kept = np.unique(np.linspace(0, self.n_epochs - 1, min(self.n_epochs, _POINTS)).round().astype(int))
        return Followed(
            epochs=kept.tolist(),
            label=[round(float(label[e]), 5) for e in kept],
            cue=[round(float(cue[e]), 5) for e in kept],
            n_images=first.n_conflicting,
        )

    def _first(self) -> FirstLearned:
        label, cue = self._shares()
        early = [early_epochs(curve, self.n_train) for curve in self.train]
        of = _of(self.by_seed[0][0])
        found = judge_first(label, cue, early, n_effective=of.n_effective)
        where = f"On the {count(of.n_conflicting)} validation images whose cue speaks for another class"
        if found.lead is None:
            sentence = f"{where}, one training cannot tell what is learned first."
        else:
            said = {
                "cue first": "the cue was learned first",
                "label first": "the label was learned first",
                "cannot tell": "it cannot be told whether the cue or the label was learned first",
            }[found.verdict]
            sentence = f"{where}, {said}: label minus cue {_points(found.lead)} while the fit was made."
        return FirstLearned(first=found.verdict, lead=found.lead, n_epochs=found.n_epochs, sentence=sentence)

    def _crossings(self, split: str) -> list[LevelCrossing]:
        curves, n = (self.train, self.n_train) if split == "train" else (self.val, self.n_val)
        return [
            LevelCrossing(split=split, of=c.of, level=c.level, n_crossed=c.n_crossed, steps=c.steps)
            for c in find_crossings(curves, n=n, n_steps=self.n_steps)
        ]

    def _delay(self) -> DelayedGeneralization:
        found = find_delay(
            self.train, self.val, n_train=self.n_train, n_val=self.n_val, n_steps=self.n_steps, level=_LEVEL
        )
        if found is None:
            why = "one training" if len(self.val) == 1 else "an accuracy fell again"
            return DelayedGeneralization(
                steps=None, is_delayed=False, sentence=f"Delayed generalization cannot be told: {why}."
            )
        steps, is_delayed = found.steps, found.is_delayed
        by = f"{_steps(steps)} after training did"
        sentence = (
            f"Generalization came late: validation stayed near its best {by}."
            if is_delayed
            else "No late generalization is shown."
        )
        return DelayedGeneralization(steps=steps, is_delayed=is_delayed, sentence=sentence)

    def _jumps(self) -> Jumps:
        found = [find_changes(curve, self.n_val) for curve in self.val]
        largest = [max(changes, key=lambda c: abs(c.size)) for changes in found if changes]
        if 2 * len(largest) <= len(found):
            few = f"Fewer than {MIN_EPOCHS} epochs show no jump." if None in found else "No jump is shown."
            return Jumps(n_seeds=len(largest), epoch=None, size=None, sentence=few)
        epoch = int(np.median([change.epoch for change in largest]))
        size = float(np.mean([change.size for change in largest]))
        sentence = (
            f"Accuracy jumped by {points(size)} points around epoch {epoch + 1}, in {len(largest)} of "
            f"{len(found)} trainings."
        )
        return Jumps(n_seeds=len(largest), epoch=epoch, size=size, sentence=sentence)

    def _stops(self) -> tuple[list[EarlyStop], str]:
        """Groups that fall again, and what to make of it."""
        if len(self.val) < MIN_SEEDS:
            return [], f"Early stopping is asked with {MIN_SEEDS} trainings or more."
        asked = [g for g, group in enumerate(self.groups) if group.n_val >= self.limits.min_val]
        stops = []
        for g in asked:
            curves = self._curves(lambda r, g=g: _or_nan(r.val_accuracy[g]))  # type: ignore[misc]
            fall = find_fall(curves, n_groups=len(asked), least=self.limits.min_effect)
            if fall is not None and fall.is_clear:
                size = GroupEstimate(**fall.size.model_dump(), index=g, name=self.groups[g].name)
                stops.append(EarlyStop(epoch=fall.epoch, fall=size))
        stops.sort(key=lambda stop: -stop.fall.value)
        if not stops:
            return [], "No group falls clearly before the end: no early stop is suggested."
        told = [
            f"{quoted(stop.fall.name)} falls by {points(stop.fall.value).lstrip('+')} points after epoch "
            f"{stop.epoch + 1}"
            for stop in stops[:3]
        ]
        first = min(stop.epoch for stop in stops)
        return stops, f"{join_names(told)}: consider stopping after epoch {first + 1}."

    def _sizes(self, epoch: int) -> StepSizes:
        own = [_of(records[epoch]) for records in self.by_seed]
        parts = {part for found in own for part, value in found.moved.items() if value is not None}
        return StepSizes(
            epoch=epoch,
            gradient_norm=float(np.mean([found.gradient_norm for found in own])),
            parameter_norm=float(np.mean([found.parameter_norm for found in own])),
            update_norm=float(np.mean([found.update_norm for found in own])),
            moved={
                part: float(np.mean([v for f in own if (v := f.moved.get(part)) is not None]))
                for part in own[0].moved
                if part in parts
            },
        )


def _of(record: EpochRecord) -> EpochDynamics:
    assert record.dynamics is not None
    return record.dynamics


def _weighted(values_G: Sequence[float | None], groups: Sequence[GroupInfo]) -> float:
    """Mean over groups by their training images; what an epoch drew of a group does not matter."""
    known = [(v, g.n_train) for v, g in zip(values_G, groups, strict=True) if v is not None]
    return sum(v * n for v, n in known) / max(1, sum(n for _, n in known))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _points(estimate: Estimate) -> str:
    low, high = points(estimate.low), points(estimate.high)
    return f"{points(estimate.value)} points (95% interval {low} to {high}, {estimate.n} trainings)"


def _steps(estimate: Estimate) -> str:
    low, high = count(round(estimate.low)), count(round(estimate.high))
    return f"{count(round(estimate.value))} steps (95% interval {low} to {high})"
