"""What the report says about proof: judgements, sentences, the removal's curves and their pictures."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.words import number, per_thousand, percent, signed
from pipeline.records.attribution import Agreement, AttributionResult, GroupCheck, LabelErrors, Lds
from pipeline.records.data import GroupInfo
from pipeline.records.training import RemovalPoint
from pipeline.report.export.cards import write_dataset_card, write_model_card
from pipeline.report.page.charts.effects import draw_changes
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import HELPFUL_SHOWN, SUSPECTS_SHOWN, Pictures, build_pictures
from pipeline.statistics.retrained.label_errors import find_label_errors
from pipeline.verdict.cause.trust import (
    describe_agreement,
    describe_rule,
    describe_suspects,
    describe_trust,
    judge_lds,
    judge_share,
    judge_support,
)
from pipeline.verdict.learning import summarize_removal_points
from pipeline.verdict.phrases import percent_interval
from tests.fixtures.planted.audit import audit_data, explain_method
from tests.fixtures.planted.data import Packed
from tests.fixtures.planted.proof import Known, plant_group_check, plant_lds
from tests.fixtures.planted.removal import explain_repair
from tests.fixtures.report import (
    BEFORE,
    BIRDS,
    ReportInputs,
    around,
    build_report,
    gather,
    photo_birds,
    picture_source,
    plain_hundred,
    repaired_birds,
)


def birds() -> Packed:
    return audit_data(BIRDS).packed


def groups() -> list[GroupInfo]:
    return birds().info.groups


def lds(known: Known, *, is_paired: bool = True) -> Lds:
    """Of scores that know so much; results of before leads were recorded had none."""
    found = plant_lds(known, tuple((group.label, group.attribute) for group in groups()))
    return found if is_paired else found.model_copy(update={"lead": {}})


def with_proof(inputs: ReportInputs | None = None, **found: object) -> ReportInputs:
    """`photo_birds` whose ERM attribution was proven, with these fields."""
    inputs = inputs or photo_birds()
    found = {"lds": lds("images"), "group_check": plant_group_check(groups())} | found
    changed = inputs.attributions["erm"].model_copy(update=found)
    return replace(inputs, attributions={**inputs.attributions, "erm": changed})


def known_errors() -> LabelErrors:
    """The suspects of the planted images, 20 of whose labels are wrong."""
    found = photo_birds().attributions["erm"].label_errors
    assert found is not None
    return found


def cause(inputs: ReportInputs) -> tuple[str, str]:
    rung = next(r for r in build_report(inputs).verdict.rungs if r.rung == "caused_by")
    return rung.status, rung.evidence


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lds("images"), "beyond"),
        (lds("class"), "class"),  # the paired difference to same class includes 0
        (lds("class", is_paired=False), "class"),
        (lds("images", is_paired=False), "beyond"),
        (lds("rule"), "rule"),  # ahead of the class, not of groups alone
        (lds("nothing"), "nothing"),
    ],
)
def test_lds_is_judged_against_zero_and_the_class(found: Lds, expected: str) -> None:
    assert judge_lds(found) == expected


def test_a_share_is_judged_by_its_interval_corrected_for_the_groups() -> None:
    assert judge_share(around(0.3, 0.05, 100), 0.1, n_groups=1) == "over"
    assert judge_share(around(0.3, 0.05, 100), 0.5, n_groups=1) == "under"
    assert judge_share(around(0.3, 0.05, 100), 0.27, n_groups=1) == "even"
    near = around(0.3, 0.05, 100)
    assert judge_share(near, 0.24, n_groups=1) == "over"
    assert judge_share(near, 0.24, n_groups=20) == "even"


def test_retraining_decides_before_the_lds_does() -> None:
    found: AttributionResult = with_proof().attributions["erm"]
    hurts, worst = 0, 2
    assert judge_support(found, hurts, worst) == "confirmed"
    against = found.model_copy(update={"group_check": plant_group_check(groups(), sign=-1)})
    assert judge_support(against, hurts, worst) == "refuted"
    only_lds = found.model_copy(update={"group_check": None})
    assert judge_support(only_lds, hurts, worst) == "backed"
    weak = only_lds.model_copy(update={"lds": lds("nothing")})
    assert judge_support(weak, hurts, worst) == "doubtful"
    assert judge_support(weak.model_copy(update={"lds": None}), hurts, worst) == "unchecked"


def test_scores_that_know_no_more_than_groups_are_no_evidence() -> None:
    found: AttributionResult = with_proof().attributions["erm"]
    hurts, worst = 0, 2
    rule = lds("rule")
    by_groups = found.model_copy(update={"group_check": None, "lds": rule})
    assert judge_support(by_groups, hurts, worst) == "doubtful"
    assert f"better than groups alone: LDS {rule.value:.2f}" in describe_trust(by_groups, hurts, worst)
    lead = f"groups alone {rule.group_rule:.2f}, lead {signed(rule.lead['group_rule'].value)}"
    assert lead in describe_trust(by_groups, hurts, worst)
    check = plant_group_check(groups(), known="rule")
    text = describe_trust(found.model_copy(update={"group_check": check}), hurts, worst)
    assert "That changes of groups were foretold is not owed to the scores" in text
    assert check.rule is not None
    assert f"foretells them by r = {check.rule.value:.2f}, the scores by {check.correlation:.2f}" in text
    more = plant_group_check(groups())
    assert describe_rule(more).startswith("The scores tell more about groups than a rule without scores")
    unknown = check.model_copy(update={"beyond": None, "beyond_reason": "too few pairs"})
    assert "not owed to the scores" in describe_rule(unknown)
    assert "not known (too few pairs)" in describe_rule(unknown)


def test_the_cause_is_not_claimed_on_scores_that_failed() -> None:
    status, text = cause(with_proof())
    assert status == "yes"
    found = lds("images")
    assert f"LDS {found.value:.2f} of the {found.ceiling:.2f} that can be predicted at all" in text
    assert "the margin rose" in text
    status, text = cause(with_proof(group_check=None, lds=lds("class")))
    assert status == "insufficient"
    assert "not shown to predict retrained models better than the class alone" in text
    assert cause(with_proof(group_check=None, lds=None))[0] == "yes"
    assert cause(with_proof(group_check=plant_group_check(groups(), sign=-1)))[0] == "insufficient"


def test_next_steps_ask_for_the_proof_that_is_missing() -> None:
    def actions(inputs: ReportInputs) -> str:
        return " ".join(step.action for step in build_report(inputs).verdict.next_steps)

    assert "retrain.subsets" in actions(with_proof(lds=None, group_check=None))
    assert "retrain.subsets" not in actions(with_proof())
    assert "on these scores alone" in actions(with_proof(lds=lds("nothing")))
    labels = next(
        step for step in build_report(with_proof()).verdict.next_steps if "Check the labels" in step.action
    )
    errors = known_errors()
    margins, attribution = errors.lists
    assert f"{margins.n_suspects} by margins, {attribution.n_suspects} by attribution" in labels.action
    precision = {ranking.name: number(ranking.average_precision) for ranking in errors.rankings}
    wanted = f"known wrong labels: margins {precision['aum']}, attribution {precision['attribution']}"
    assert wanted in labels.because


def test_minorities_among_suspects_are_named() -> None:
    margins, attribution = known_errors().lists
    text = describe_suspects(margins)
    overall = margins.n_suspects / len(birds().train)
    assert text.startswith(f"Suspected by margins more often than all images together ({overall:.1%})")
    for name in ("landbird / water", "waterbird / land"):
        (found,) = (group for group in margins.groups if group.group == name)
        assert f"“{name}”: {found.n_suspects / found.n_train:.1%}" in text
    assert "Known wrong labels there: 20." in text
    assert describe_suspects(attribution).startswith("Suspected by attribution")
    names, everywhere = [group.name for group in groups()], np.arange(len(birds().train)) % 10 == 0
    suspicion = np.where(everywhere, 1.0, -1.0)  # of every tenth image, whatever its group
    even = find_label_errors({"aum": suspicion}, birds().train, suggested_N=None, group_names=names).lists[0]
    assert describe_suspects(even).startswith("No group is suspected by margins clearly more often")


def test_the_page_shows_both_lists_and_what_each_is_good_for() -> None:
    """Neither list is chosen: each misses a kind of wrong label, and nobody knows which kind there is."""
    html = render_report(build_report(with_proof()), Pictures())
    shown = re.sub(r"<[^>]+>|\s+", " ", html[html.index("Training images whose label may be wrong") :])
    errors = known_errors()
    (margins, attribution), agreement = errors.lists, errors.agreement
    assert agreement is not None
    for words in (
        f"{margins.n_suspects} suspects by margins",
        f"{attribution.n_suspects} suspects by attribution",
        "After plain training: good for wrong labels that fill a small group, blind to those that",
        "Good for wrong labels that agree with a shortcut, also where a group is not learned yet; weak",
        f"Of the {agreement.n_top} most suspect images of each list, {agreement.n_shared} stand in both",
        "Images in both lists are the first to look at.",
        "Suspects by attribution in each group",
    ):
        assert words in re.sub(" +", " ", shown)
    for found in errors.lists:
        assert found.precision is not None
        known = f"{percent(found.precision.value)} {percent_interval(found.precision)} of these suspects"
        assert f"Known to be wrong: {known}" in re.sub(" +", " ", shown)


def test_lists_that_agree_no_more_than_chance_are_said_to() -> None:
    found = Agreement(n_ranked=1000, n_top=50, n_shared=5, expected=2.5, chance_high=5)
    assert "no more than chance" in describe_agreement(found)
    assert "no more than chance" not in describe_agreement(found.model_copy(update={"n_shared": 6}))


def test_cards_count_the_suspects_of_both_lists() -> None:
    summary = build_report(with_proof())
    margins, attribution = (found.n_suspects for found in known_errors().lists)
    wanted = f"wrong label: {margins} by margins, {attribution} by attribution (at most a tenth is listed by"
    assert wanted in write_dataset_card(summary)
    assert wanted in write_model_card(summary, "erm")


def test_removal_curves_equal_means_by_hand() -> None:
    points = [
        RemovalPoint(kind=kind, n_removed=n, seed=seed, val_worst=value, val_average=0.9)
        for kind, n, seed, value in (
            ("repair", 0, 0, 0.1), ("repair", 0, 1, 0.3), ("repair", 50, 0, 0.5), ("repair", 50, 1, 0.6),
            ("random", 0, 0, 0.1), ("random", 0, 1, 0.3), ("random", 50, 0, 0.2),
        )
    ]  # fmt: skip
    repair, random = summarize_removal_points(points)
    assert (repair.kind, random.kind) == ("repair", "random")
    assert repair.n_removed == random.n_removed == [0, 50]
    assert repair.mean == pytest.approx([0.2, 0.55])
    assert random.mean == pytest.approx([0.2, 0.2])
    assert (repair.low[1], repair.high[1]) == (0.5, 0.6)
    assert random.n_seeds == [2, 1]
    assert [c.kind for c in summarize_removal_points(points[:4])] == ["repair"]


def test_inferred_groups_and_nothing_left_out_are_said() -> None:
    repaired = explain_repair(BIRDS, BEFORE, groups="inferred", helps=False)
    found = {"erm": explain_method(BIRDS, "erm", BEFORE), "repair": repaired}
    removal = repaired.history.removal
    assert removal is not None
    assert (removal.chosen, removal.groups) == (0, "inferred")
    report = build_report(gather("photo_birds", BIRDS, found))
    shown = re.sub(r"<[^>]+>|\s+", " ", render_report(report, Pictures()))
    assert "No training image was left out" in shown
    assert "random images of the largest classes" in shown
    assert "the best matching cluster holds" in shown
    assert "methods.repair.controls" not in shown
    assert "Which groups the removed images come from" not in shown


def test_a_group_that_was_not_learned_is_named() -> None:
    """Networks that are wrong on a whole group, and stage `train` that could keep no margins."""
    names, harmed = [group.name for group in groups()], birds().train.groups == 2
    errors = find_label_errors(
        {"aum": np.where(harmed, 1.0, -1.0)},
        birds().train,
        suggested_N=None,
        group_names=names,
        reason="No margins were kept.",
    )
    assert errors.lists[0].unlearned_groups == ["waterbird / land"]
    html = render_report(build_report(with_proof(label_errors=errors)), Pictures())
    assert "these suspects say nothing about their labels" in html
    assert "No margins were kept." in html


def test_pictures_draw_every_change_and_only_page_colors() -> None:
    check = plant_group_check(groups())
    worst = 2
    svg = draw_changes(check.changes, worst, "c")
    n_worst = sum(c.test_index == worst for c in check.changes)
    marks = re.findall(r"<use [^>]*>", svg)
    assert sum("series-1" in mark for mark in marks) == n_worst
    assert sum("series-2" in mark for mark in marks) == len(check.changes) - n_worst
    assert not re.search(r"#0[1-4]0[0-9a-f]{3}", svg)
    drawn = re.sub(r' data-tip="[^"]*"', "", svg)  # which is text, escaped
    assert not any(name in drawn for name in (groups()[0].name, "<style"))


def test_scores_are_written_per_thousand_images() -> None:
    assert [per_thousand(v) for v in (-5.98e-5, 0.00144663, 0.0137, -0.25, 0.0, None)] == [
        "−0.060", "+1.45", "+13.7", "−250", "0", "–",
    ]  # fmt: skip
    assert [signed(v) for v in (0.962, -0.004, 0.0)] == ["+0.96", "0.00", "0.00"]


def test_the_page_shows_what_was_measured() -> None:
    inputs, found = with_proof(repaired_birds()), lds("images")
    summary = build_report(inputs)
    html = render_report(summary, build_pictures(summary, picture_source(inputs), inputs.settings))
    shown = re.sub(r"<[^>]+>|\s+", " ", html)
    for words in (
        "they predict more than the class and groups alone",
        "Noise ceiling",
        f"[{found.ceiling_low:.2f}, {found.ceiling_high:.2f}]",
        "Groups alone: the own helps",
        "a rule without scores",
        "over-represented",
        "under-represented",
        "Training images that help it most",
        "Known to be wrong",
        "Which groups the removed images come from",
        "On test images, against leaving out as many others",
    ):
        assert words in shown
    assert 'aria-label="Predicted against actual changes' in html


def test_the_page_says_why_something_is_missing() -> None:
    inputs = plain_hundred()
    html = render_report(build_report(inputs), Pictures())
    assert "retrain.subsets is 0 and retrain.thin_keep is empty (32 subsets and [0.0, 0.5] would do)" in html
    # results of before reasons were kept, and of before labels were ranked
    update = {"lds_reason": None, "group_check_reason": None, "label_errors": None}
    old = inputs.attributions["erm"].model_copy(update=update)
    html = render_report(build_report(replace(inputs, attributions={"erm": old})), Pictures())
    assert "set retrain.subsets to 32 or more" in html
    assert "name shares to keep in retrain.thin_keep" in html
    assert "Labels were not ranked" in html
    named = photo_birds()
    assert "retrain.methods does not name group_dro" in render_report(build_report(named), Pictures())


def test_every_suspect_and_helpful_image_shown_has_its_picture() -> None:
    inputs = photo_birds()
    summary = build_report(inputs)
    pictures = build_pictures(summary, picture_source(inputs), inputs.settings)
    found = summary.attribution["erm"]
    assert found.label_errors is not None
    assert len(found.label_errors.lists) == 2
    suspects = [s.id for listed in found.label_errors.lists for s in listed.suspects[:SUSPECTS_SHOWN]]
    helpful = [i.id for i in found.most_helpful_to_worst[:HELPFUL_SHOWN]]
    assert set(suspects + helpful) <= set(pictures.images)


def test_an_empty_check_is_a_reason_not_a_plot() -> None:
    empty = GroupCheck(changes=[], correlation=0.0, low=0.0, high=0.0, n_trainings=0)
    html = render_report(build_report(with_proof(group_check=empty)), Pictures())
    assert "Predicted against actual changes" not in html
