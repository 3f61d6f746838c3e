"""How far attribution can be trusted: read from models trained on parts of the training images."""

from __future__ import annotations

from typing import Literal

from pipeline.core.words import count, join_names, number, percent, quoted, signed
from pipeline.records.attribution import (
    Agreement,
    AttributionResult,
    Calibration,
    GroupChange,
    GroupCheck,
    Lds,
    SuspectList,
)
from pipeline.records.base import Estimate
from pipeline.records.cause import ShareSize, Skill
from pipeline.statistics.intervals import widen
from pipeline.verdict.phrases import accuracy_brief, list_name, number_interval

Support = Literal["confirmed", "backed", "unchecked", "doubtful", "refuted"]

SAME_CLASS, GROUP_RULE = "same_class", "group_rule"  # baselines that the scores must lead over
_ALPHA = 0.05  # of the intervals that are widened


def judge_lds(lds: Lds) -> Skill:
    """What scores predict about retrained models: nothing, no more than class or groups do, or more.

    The paired differences to the same-class indicator and to the rule that knows groups only decide where
    they were recorded.
    """
    if lds.low <= 0:
        return "nothing"
    lead = lds.lead.get(SAME_CLASS)
    is_ahead = lead.low > 0 if lead else lds.low > lds.same_class
    if not is_ahead:
        return "class"
    over_rule = lds.lead.get(GROUP_RULE)
    return "beyond" if over_rule is None or over_rule.low > 0 else "rule"


def tells_more_than_rule(check: GroupCheck) -> bool | None:
    """Whether scores foretell group changes beyond the rule that knows groups only; None: not measured."""
    return None if check.beyond is None else check.beyond.low > 0


def judge_share(observed: Estimate, expected: float, *, n_groups: int) -> ShareSize:
    """Whether a group's share lies clearly above or below what is expected, among `n_groups` looked at."""
    wide = widen(observed, n_comparisons=n_groups, alpha=_ALPHA)
    if wide.low > expected:
        return "over"
    return "under" if wide.high < expected else "even"


def find_change(check: GroupCheck | None, train_group: int, test_group: int) -> GroupChange | None:
    """What happened to `test_group` when `train_group` was thinned out most."""
    own = (
        [c for c in check.changes if (c.train_index, c.test_index) == (train_group, test_group)]
        if check
        else []
    )
    return min(own, key=lambda change: change.kept, default=None)


def judge_support(attribution: AttributionResult, train_group: int, test_group: int) -> Support:
    """Whether retraining bears out that `train_group` hurts `test_group`.

    Thinning that very group out is the closest evidence: it shows the harm whatever the scores say. The LDS
    speaks for all scores together, if they tell more than the rule that knows groups only. How well changes
    of groups were foretold counts for nothing here: that rule foretells them as well.
    """
    change = find_change(attribution.group_check, train_group, test_group)
    if change and change.low > 0:
        return "confirmed"
    if change and change.high < 0:
        return "refuted"
    if attribution.lds is None:
        return "unchecked"
    return "backed" if judge_lds(attribution.lds) == "beyond" else "doubtful"


def describe_trust(attribution: AttributionResult, train_group: int, test_group: int) -> str:
    """What retraining says about the scores, as sentences that begin with a space; empty without any."""
    change = find_change(attribution.group_check, train_group, test_group)
    text = f" {_describe_change(change)}" if change else ""
    if attribution.group_check and attribution.group_check.rule:
        text += f" {describe_rule(attribution.group_check)}"
    return f"{text} {describe_lds(attribution.lds)}" if attribution.lds else text


def describe_lds(lds: Lds) -> str:
    """The LDS in one sentence, with what it can reach at most and what the class alone reaches."""
    reach = f" of the {number(lds.ceiling)} that can be predicted at all" if lds.ceiling is not None else ""
    found = (
        f"LDS {number(lds.value)}{reach} (95% interval {number(lds.low)} to {number(lds.high)}, "
        f"{count(lds.n_subsets)} retrained subsets; same class alone {number(lds.same_class)}{_rule_of(lds)})"
    )
    claim = {
        "beyond": "The scores predict retrained models",
        "class": "The scores are not shown to predict retrained models better than the class alone",
        "rule": "The scores are not shown to predict retrained models better than groups alone",
        "nothing": "The scores are not shown to predict retrained models",
    }[judge_lds(lds)]
    return f"{claim}: {found}."


def _rule_of(lds: Lds) -> str:
    lead = lds.lead.get(GROUP_RULE)
    if lds.group_rule is None or lead is None:
        return ""
    ahead = f"{signed(lead.value)} [{signed(lead.low)}, {signed(lead.high)}]"
    return f", groups alone {number(lds.group_rule)}, lead {ahead}"


def describe_rule(check: GroupCheck) -> str:
    """What scores say about groups that needs no scores, and what they add; empty where not measured."""
    if check.rule is None:
        return ""
    more = tells_more_than_rule(check)
    within = (
        f"not known ({check.beyond_reason})"
        if check.beyond is None
        else f"r = {number(check.beyond.value)} (95% interval {number(check.beyond.low)} to "
        f"{number(check.beyond.high)}, {count(check.beyond.n)} pairs)"
    )
    claim = (
        "The scores tell more about groups than a rule without scores"
        if more
        else "That changes of groups were foretold is not owed to the scores"
        if check.rule.value >= check.correlation
        else "Whether scores tell more about groups than a rule without scores is not shown"
    )
    return (
        f"{claim}: “the own group helps, other classes with the same attribute value hurt, the rest does "
        f"nothing” foretells them by r = {number(check.rule.value)}, the scores by "
        f"{number(check.correlation)}; among groups of which that rule says the same, {within}."
    )


def _describe_change(change: GroupChange) -> str:
    estimate = Estimate(value=change.actual, low=change.low, high=change.high, n=change.n_removed)
    direction = "rose" if change.low > 0 else "fell" if change.high < 0 else "did not clearly change"
    return (
        f"Retrained without {count(change.n_removed)} of them, the margin {direction}: "
        f"{signed(estimate.value)} (95% interval {signed(estimate.low)} to {signed(estimate.high)})"
        f"{_foretold(change)}."
    )


def _foretold(change: GroupChange) -> str:
    """What scores said before: the size where retrainings bear out sizes, else the direction alone."""
    size = change.calibrated
    if size is not None:
        return f", where the other retrainings let expect {signed(size.value)} {number_interval(size)}"
    if change.predicted == 0 or not change.low * change.high > 0:
        return ""
    verb = "as" if change.predicted * change.actual > 0 else "not as"
    return f", {verb} the scores foretold; of their sizes nothing is claimed"


def describe_sizes(found: Calibration) -> str:
    """Whether the scores may be read as sizes, and what says so, in a sentence."""
    of = "thinned groups" if found.kind == "thinned" else "random subsets"
    if found.slope is None or found.coverage is None:
        return f"Sizes were not checked on {of}: {found.reason}."
    told = (
        f"actual changes of {of} are {number(found.slope.value, 1)} times as large as foretold "
        f"(95% interval {number(found.slope.low, 1)} to {number(found.slope.high, 1)}, "
        f"{count(found.n_retrainings)} retrainings), and {percent(found.coverage.value, 0)} of the "
        f"{count(found.n_changes)} changes lie within the 95% interval foretold without them"
    )
    if found.status == "sizes":
        return f"Sizes can be read once they are stretched: {told}."
    return f"Only the order of the scores counts, not their size: {told}; {found.reason}."


def describe_agreement(found: Agreement) -> str:
    """How far two lists of suspects agree, and what that says."""
    more = found.n_shared > found.chance_high
    return (
        f"Of the {count(found.n_top)} most suspect images of each list, {count(found.n_shared)} stand in "
        f"both; lists drawn at random would share about {number(found.expected, 1)} (at most "
        f"{count(found.chance_high)} in 97.5% of draws). "
        + (
            "Images in both lists are the first to look at."
            if more
            else "That is no more than chance: each list has to be looked at for itself."
        )
    )


def describe_suspects(found: SuspectList) -> str:
    """Which groups stand out among the suspects of a list, and why that alone does not make them wrong."""
    n = len(found.groups)
    overall = sum(g.n_suspects for g in found.groups) / sum(g.n_train for g in found.groups)
    over = [g for g in found.groups if judge_share(g.share, overall, n_groups=n) == "over"]
    by = f"by {list_name(found.ranking)}"
    if not over:
        return f"No group is suspected {by} clearly more often than all images together ({percent(overall)})."
    named = join_names(f"{quoted(g.group, 40)}: {accuracy_brief(g.share)}" for g in over[:3])
    more = f", and {count(len(over) - 3)} more groups" if len(over) > 3 else ""
    known = [g.n_known_wrong for g in over if g.n_known_wrong is not None]
    wrong = f" Known wrong labels there: {count(sum(known))}." if known else ""
    return (
        f"Suspected {by} more often than all images together ({percent(overall)}): {named}{more}.{wrong} "
        "A right label that contradicts the shortcut looks like a wrong one to a model that relies on it: "
        "look at these images before you correct or leave out any."
    )
