"""Choices of layout for the parts on attribution and on leaving images out."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from pipeline.records.attribution import AttributionResult, GroupAttribution, GroupChange, GroupShare, Lds
from pipeline.records.base import Estimate
from pipeline.records.cause import AttributionVerdict, RemovalVerdict, ShareSize, Skill
from pipeline.records.report import Report
from pipeline.records.training import Removal
from pipeline.report.page.charts import effects, scales
from pipeline.verdict import phrases

MATRIX_GROUPS = 10  # more groups than this: only the effects on the worst group are tabled
SKILL_WORDS: dict[Skill, str] = {
    "beyond": "✓ they predict more than the class and groups alone",
    "class": "○ not shown to predict more than the class alone",
    "rule": "○ not shown to predict more than groups alone",
    "nothing": "✕ not shown to predict anything",
}
SHARE_WORDS: dict[ShareSize, str] = {
    "over": "▲ over-represented",
    "under": "▽ under-represented",
    "even": "○ as expected",
}


@dataclass(frozen=True)
class LdsRow:
    """A predictor of retrained models beside the others."""

    label: str
    value: float
    interval: Estimate | None  # None for baselines
    lead: Estimate | None  # of the scores over this baseline, paired


@dataclass(frozen=True)
class AttributionView:
    """Layout of one method's attribution."""

    s: Report
    method: str

    @property
    def found(self) -> AttributionResult:
        return self.s.attribution[self.method]

    @property
    def verdict(self) -> AttributionVerdict:
        return self.s.verdict.attribution[self.method]

    @property
    def estimator(self) -> str:
        return phrases.ESTIMATOR_LABELS[self.found.estimator]

    @property
    def in_margin_units(self) -> bool:
        return self.found.in_margin_units

    @property
    def worst(self) -> int | None:
        """Index of the test group that images are said to hurt or help."""
        if self.method in self.s.methods:
            return self.s.methods[self.method].test.worst_group.index
        return self.s.verdict.harmed_group.index if self.s.verdict.harmed_group else None

    # --- groups ---

    def shows_matrix(self) -> bool:
        return len(self.s.dataset.groups) <= MATRIX_GROUPS

    def cells(self) -> dict[tuple[int, int], GroupAttribution]:
        """(train group, test group), by index, -> mean score."""
        return {(c.train_index, c.test_index): c for c in self.found.groups}

    def n_train(self, group: int) -> int | None:
        """Scored training images of a group, where it was recorded."""
        return max((c.n_train for c in self.found.groups if c.train_index == group), default=0) or None

    def n_test(self, group: int) -> int | None:
        return max((c.n_test for c in self.found.groups if c.test_index == group), default=0) or None

    def heat(self, value: float) -> int:
        return scales.heat_percent(value, max((abs(c.value) for c in self.found.groups), default=0.0))

    def extremes_on_worst(self, n: int = 6) -> list[GroupAttribution]:
        """The train groups that hurt and help the worst test group most, from hurtful to helpful."""
        worst = self.s.verdict.harmed_group.index if self.s.verdict.harmed_group else self.worst
        cells = [c for c in self.found.groups if c.test_index == worst]
        ranked = sorted(cells, key=lambda c: c.value)
        return ranked if len(ranked) <= 2 * n else ranked[:n] + ranked[-n:]

    @property
    def shares(self) -> list[tuple[GroupShare, str, str]]:
        """Every group's shares with how the one of harmful and that of helpful images compare, in words."""
        sizes = zip(self.verdict.harmful_shares, self.verdict.helpful_shares, strict=True)
        return [
            (share, SHARE_WORDS[harmful], SHARE_WORDS[helpful])
            for share, (harmful, helpful) in zip(self.found.shares, sizes, strict=True)
        ]

    # --- how far to trust the scores ---

    @property
    def lds_reason(self) -> str:
        return self.found.lds_reason or phrases.LDS_REMEDY

    @property
    def check_reason(self) -> str:
        return self.found.group_check_reason or phrases.CHECK_REMEDY

    @property
    def lds_words(self) -> str:
        return SKILL_WORDS[self.verdict.skill] if self.verdict.skill else ""

    def lds_rows(self, lds: Lds) -> list[LdsRow]:
        """The scores first, then what they must beat."""
        own = Estimate(value=lds.value, low=lds.low, high=lds.high, n=lds.n_targets)
        rows = [LdsRow(label=f"These scores ({self.estimator})", value=lds.value, interval=own, lead=None)]
        baselines = [
            ("Gradient cosine", "grad_cosine", lds.grad_cosine),
            ("Groups alone: the own helps, others beside it hurt", "group_rule", lds.group_rule),
            ("Same class", "same_class", lds.same_class),
            ("Random scores", "random", lds.random),
        ]
        return rows + [
            LdsRow(label=label, value=value, interval=None, lead=lds.lead.get(key))
            for label, key, value in baselines
            if value is not None and key != self.found.estimator
        ]

    def lds_scale(self, lds: Lds) -> scales.Scale:
        values = [lds.low, lds.high, lds.ceiling, lds.random, lds.same_class, lds.grad_cosine]
        values += [lds.group_rule, lds.ceiling_low, lds.ceiling_high]
        return scales.number_scale(values)

    @property
    def check_chart(self) -> Markup | None:
        """Predicted against actual changes as SVG; its text is numbers and fixed words only."""
        check = self.found.group_check
        if check is None or not check.changes:
            return None
        position = list(self.s.attribution).index(self.method)
        return Markup(effects.draw_changes(check.changes, self.worst, f"changes{position}"))

    @property
    def has_sizes(self) -> bool:
        """Whether changes were predicted in size: none is, or all are."""
        return any(change.calibrated for change in self.changes)

    @property
    def changes(self) -> list[GroupChange]:
        """The worst group's changes first, then the largest."""
        check = self.found.group_check
        return sorted(
            check.changes if check else [], key=lambda c: (c.test_index != self.worst, -abs(c.actual))
        )


@dataclass(frozen=True)
class RemovalView:
    """Layout of what was left out and how its size was chosen."""

    found: Removal
    outcome: RemovalVerdict

    def words(self, kind: str) -> str:
        """Which images were left out; without groups to know, classes are what can be balanced."""
        words = phrases.REMOVAL_LABELS[kind]
        return words.replace("groups", "classes") if self.found.groups == "inferred" else words
