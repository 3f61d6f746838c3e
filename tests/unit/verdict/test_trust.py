"""What the report says about proof: judgements, sentences, the removal's curves and their pictures."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipeline.core.words import per_thousand, percent, signed
from pipeline.records.attribution import Agreement, AttributionResult, GroupCheck, Lds
from pipeline.records.training import ClusterMatch, RemovalPoint
from pipeline.report.export.cards import write_dataset_card, write_model_card
from pipeline.report.page.charts.effects import draw_changes, draw_removal
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import HELPFUL_SHOWN, SUSPECTS_SHOWN, Pictures, build_pictures
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
from tests.fixtures.planted.outcomes import regroup
from tests.fixtures.proof import around, group_check, label_errors, lds, prove, share_of
from tests.fixtures.report import (
    ReportInputs,
    build_report,
    photo_birds,
    picture_source,
    plain_hundred,
    repaired_birds,
)

GROUPS = regroup(photo_birds().info, train=(3498, 184, 56, 1057)).groups


def with_proof(inputs: ReportInputs | None = None, **found: object) -> ReportInputs:
    """`photo_birds` whose ERM attribution was proven, with these fields."""
    inputs = inputs or photo_birds()
    changed = prove(inputs.attributions["erm"], GROUPS).model_copy(update=found)
    return replace(inputs, attributions={**inputs.attributions, "erm": changed})


def cause(inputs: ReportInputs) -> tuple[str, str]:
    rung = next(r for r in build_report(inputs).verdict.rungs if r.rung == "caused_by")
    return rung.status, rung.evidence


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lds(0.27, 0.02), "beyond"),
        (lds(0.14, 0.02), "class"),  # the paired difference to same class, 0.01 ± 0.02, includes 0
        (lds(0.14, 0.02, lead=False), "class"),
        (lds(0.27, 0.02, lead=False), "beyond"),
        (lds(0.27, 0.02, group_rule=0.26), "rule"),  # ahead of the class, not of groups alone
        (lds(0.01, 0.02), "nothing"),
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
    against = found.model_copy(update={"group_check": group_check(GROUPS, sign=-1)})
    assert judge_support(against, hurts, worst) == "refuted"
    only_lds = found.model_copy(update={"group_check": None})
    assert judge_support(only_lds, hurts, worst) == "backed"
    weak = only_lds.model_copy(update={"lds": lds(0.01, 0.02)})
    assert judge_support(weak, hurts, worst) == "doubtful"
    assert judge_support(weak.model_copy(update={"lds": None}), hurts, worst) == "unchecked"


def test_scores_that_know_no_more_than_groups_are_no_evidence() -> None:
    found: AttributionResult = with_proof().attributions["erm"]
    hurts, worst = 0, 2
    by_groups = found.model_copy(update={"group_check": None, "lds": lds(0.27, 0.02, group_rule=0.26)})
    assert judge_support(by_groups, hurts, worst) == "doubtful"
    assert "better than groups alone: LDS 0.27" in describe_trust(by_groups, hurts, worst)
    assert "groups alone 0.26, lead +0.01" in describe_trust(by_groups, hurts, worst)
    text = describe_trust(
        found.model_copy(update={"group_check": group_check(GROUPS, beyond=0.1)}), hurts, worst
    )
    assert "That changes of groups were foretold is not owed to the scores" in text
    assert "foretells them by r = 0.98, the scores by 0.93" in text
    more = group_check(GROUPS)
    assert describe_rule(more).startswith("The scores tell more about groups than a rule without scores")
    unknown = more.model_copy(update={"beyond": None, "beyond_reason": "too few pairs"})
    assert "not owed to the scores" in describe_rule(unknown)
    assert "not known (too few pairs)" in describe_rule(unknown)


def test_the_cause_is_not_claimed_on_scores_that_failed() -> None:
    status, text = cause(with_proof())
    assert status == "yes"
    assert "LDS 0.27 of the 0.58 that can be predicted at all" in text
    assert "the margin rose" in text
    status, text = cause(with_proof(group_check=None, lds=lds(0.14, 0.02)))
    assert status == "insufficient"
    assert "not shown to predict retrained models better than the class alone" in text
    assert cause(with_proof(group_check=None, lds=None))[0] == "yes"
    assert cause(with_proof(group_check=group_check(GROUPS, sign=-1)))[0] == "insufficient"


def test_next_steps_ask_for_the_proof_that_is_missing() -> None:
    def actions(inputs: ReportInputs) -> str:
        return " ".join(step.action for step in build_report(inputs).verdict.next_steps)

    assert "retrain.subsets" in actions(with_proof(lds=None, group_check=None))
    assert "retrain.subsets" not in actions(with_proof())
    assert "on these scores alone" in actions(with_proof(lds=lds(0.01, 0.02)))
    labels = next(
        step for step in build_report(with_proof()).verdict.next_steps if "Check the labels" in step.action
    )
    assert "162 by margins, 383 by attribution" in labels.action
    assert "known wrong labels: margins 0.95, attribution 0.64" in labels.because


def test_minorities_among_suspects_are_named() -> None:
    margins, attribution = label_errors(GROUPS).lists
    text = describe_suspects(margins)
    assert text.startswith(f"Suspected by margins more often than all images together ({162 / 4795:.1%})")
    assert "“landbird / water”: 22.3%" in text
    assert "“waterbird / land”: 39.3%" in text
    assert "Known wrong labels there: 34." in text
    assert describe_suspects(attribution).startswith("Suspected by attribution")
    even = margins.model_copy(
        update={
            "groups": [
                g.model_copy(update={"n_suspects": 3, "n_train": 100, "share": share_of(3, 100)})
                for g in margins.groups
            ]
        }
    )
    assert describe_suspects(even).startswith("No group is suspected by margins clearly more often")


def test_the_page_shows_both_lists_and_what_each_is_good_for() -> None:
    """Neither list is chosen: each misses a kind of wrong label, and nobody knows which kind there is."""
    html = render_report(build_report(with_proof()), Pictures())
    shown = re.sub(r"<[^>]+>|\s+", " ", html[html.index("Training images whose label may be wrong") :])
    for words in (
        "162 suspects by margins",
        "383 suspects by attribution",
        "After plain training: good for wrong labels that fill a small group, blind to those that",
        "Good for wrong labels that agree with a shortcut, also where a group is not learned yet; weak",
        "Of the 162 most suspect images of each list, 71 stand in both",
        "Images in both lists are the first to look at.",
        "Suspects by attribution in each group",
    ):
        assert words in re.sub(" +", " ", shown)
    for found in label_errors(GROUPS).lists:
        assert found.precision is not None
        known = f"{percent(found.precision.value)} {percent_interval(found.precision)} of these suspects"
        assert f"Known to be wrong: {known}" in re.sub(" +", " ", shown)


def test_lists_that_agree_no_more_than_chance_are_said_to() -> None:
    found = Agreement(n_ranked=1000, n_top=50, n_shared=5, expected=2.5, chance_high=5)
    assert "no more than chance" in describe_agreement(found)
    assert "no more than chance" not in describe_agreement(found.model_copy(update={"n_shared": 6}))


def test_cards_count_the_suspects_of_both_lists() -> None:
    summary = build_report(with_proof())
    wanted = "wrong label: 162 by margins, 383 by attribution (at most a tenth is listed by each"
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
    inputs = repaired_birds()
    past = inputs.histories["repair"]
    assert past.removal is not None
    clusters = ClusterMatch(
        sizes={"a": 700, "b": 499},
        adjusted_rand=0.44,
        worst_group="waterbird / land",
        worst_group_recall=0.82,
        worst_group_precision=0.61,
    )
    changed = {"groups": "inferred", "clusters": clusters, "worst_group": "waterbird, cluster 1", "chosen": 0}
    removal = past.removal.model_copy(update=changed)
    unchanged = inputs.evaluations["repair"].model_copy(update={"removal_controls": []})
    inputs = replace(
        inputs,
        histories={**inputs.histories, "repair": past.model_copy(update={"removal": removal})},
        evaluations={**inputs.evaluations, "repair": unchanged},
    )
    shown = re.sub(r"<[^>]+>|\s+", " ", render_report(build_report(inputs), Pictures()))
    assert "No training image was left out" in shown
    assert "random images of the largest classes" in shown
    assert "the best matching cluster holds" in shown
    assert "methods.repair.controls" not in shown
    assert "Which groups the removed images come from" not in shown


def test_a_group_that_was_not_learned_is_named() -> None:
    errors = label_errors(GROUPS)
    unlearned = errors.lists[0].model_copy(update={"unlearned_groups": ["waterbird / land"]})
    errors = errors.model_copy(
        update={"lists": [unlearned, errors.lists[1]], "reason": "No margins were kept."}
    )
    html = render_report(build_report(with_proof(label_errors=errors)), Pictures())
    assert "these suspects say nothing about their labels" in html
    assert "No margins were kept." in html


def test_pictures_draw_every_change_and_only_page_colors() -> None:
    check = group_check(GROUPS)
    worst = 2
    svg = draw_changes(check.changes, worst, "c")
    n_worst = sum(c.test_index == worst for c in check.changes)
    marks = re.findall(r"<use [^>]*>", svg)
    assert sum("series-1" in mark for mark in marks) == n_worst
    assert sum("series-2" in mark for mark in marks) == len(check.changes) - n_worst
    report = build_report(repaired_birds())
    removal, outcome = report.training["repair"].removal, report.verdict.methods["repair"].removal
    assert removal is not None
    assert outcome is not None
    for picture in (svg, draw_removal(removal, outcome.curves, "r")):
        assert not re.search(r"#0[1-4]0[0-9a-f]{3}", picture)
        drawn = re.sub(r' data-tip="[^"]*"', "", picture)  # which is text, escaped
        assert not any(name in drawn for name in (GROUPS[0].name, "<style"))


def test_scores_are_written_per_thousand_images() -> None:
    assert [per_thousand(v) for v in (-5.98e-5, 0.00144663, 0.0137, -0.25, 0.0, None)] == [
        "−0.060", "+1.45", "+13.7", "−250", "0", "–",
    ]  # fmt: skip
    assert [signed(v) for v in (0.962, -0.004, 0.0)] == ["+0.96", "0.00", "0.00"]


def test_the_page_shows_what_was_measured() -> None:
    inputs = with_proof(repaired_birds())
    summary = build_report(inputs)
    html = render_report(summary, build_pictures(summary, picture_source(inputs), inputs.settings))
    shown = re.sub(r"<[^>]+>|\s+", " ", html)
    for words in (
        "they predict more than the class and groups alone",
        "Noise ceiling",
        "[0.34, 0.69]",
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
    html = render_report(build_report(plain_hundred()), Pictures())
    assert "set retrain.subsets to 32 or more" in html
    assert "retrain.thin_keep" in html
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
