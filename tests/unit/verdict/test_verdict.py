"""The ladder: a planted shortcut is found, a null is not flagged, thin evidence says so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TypeVar

import pytest

from pipeline.records.base import Estimate, Record
from pipeline.records.data import SourceCounts
from pipeline.records.verdict import Rung
from pipeline.report.cards.limits import list_limits
from pipeline.report.gate.judge import judge_report
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from pipeline.settings.gate import GateSettings
from pipeline.verdict.cause.caused_by import aligned_opponents
from pipeline.verdict.cue.available import modal_share
from pipeline.verdict.evidence.rules import judge_effect, misled_groups
from pipeline.verdict.harm.harmful import judge_harmful
from pipeline.verdict.phrases import answer_words
from tests.fixtures.planted.audit import look_at
from tests.fixtures.planted.cues import plant_cue_use
from tests.fixtures.planted.data import pack
from tests.fixtures.planted.outcomes import SHIFTS, regroup
from tests.fixtures.report import (
    BIRDS,
    ReportInputs,
    around,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    replant,
)

R = TypeVar("R", bound=Record)
BEFORE = [0.985, 0.78, 0.62, 0.95]  # a table of planted accuracies
AFTER = [0.94, 0.90, 0.84, 0.90]
RUNGS = ["available", "used", "harmful", "caused_by", "fixed_by"]


def statuses(inputs: ReportInputs) -> dict[str, str]:
    return {rung.rung: rung.status for rung in build_report(inputs).verdict.rungs}


def rung(inputs: ReportInputs, name: str) -> Rung:
    return next(r for r in build_report(inputs).verdict.rungs if r.rung == name)


def with_baseline(inputs: ReportInputs, **changes: object) -> ReportInputs:
    erm = inputs.evaluations["erm"].model_copy(update=changes)
    return replace(inputs, evaluations={**inputs.evaluations, "erm": erm})


def closed_gap(inputs: ReportInputs | None = None, after: float = 0.9) -> ReportInputs:
    """Group DRO leaves the harmed group at `after`, its other groups at about 90 %."""
    return replant(inputs or photo_birds(), erm=BEFORE, group_dro=[0.92, 0.90, after, 0.90])


def test_planted_shortcut_climbs_the_whole_ladder() -> None:
    assert statuses(photo_birds()) == dict.fromkeys(RUNGS, "yes") | {"fixed_by": "partly"}
    assert statuses(closed_gap()) == dict.fromkeys(RUNGS, "yes")


def test_null_is_not_flagged_on_any_rung() -> None:
    assert statuses(photo_birds(planted=False)) == dict.fromkeys(RUNGS, "no")


def test_without_models_only_the_data_are_judged() -> None:
    found = statuses(bare())
    assert found.pop("available") == "yes"
    assert set(found.values()) == {"insufficient"}


@pytest.mark.parametrize(
    ("value", "low", "status"),
    [
        (0.10, 0.02, "yes"),
        (0.10, -0.02, "insufficient"),
        (0.04, 0.02, "no"),
        (float("nan"), 0.1, "insufficient"),
    ],
)
def test_one_rule_for_every_effect(value: float, low: float, status: str) -> None:
    assert judge_effect(value, low, 0.05) == status


def test_thresholds_come_from_the_settings() -> None:
    inputs = photo_birds()
    strict = replace(inputs, settings=inputs.settings.model_copy(update={"min_effect": 0.5}))
    found = statuses(strict)
    assert [found[name] for name in ("used", "harmful", "fixed_by")] == ["no", "no", "no"]
    color = replace(
        photo_birds(planted=False),
        color_settings=inputs.color_settings.model_copy(update={"min_kappa": -1.0}),
    )
    assert statuses(color)["available"] == "insufficient"  # more than asked, and the interval includes 0


def test_small_worst_group_gives_no_verdict() -> None:
    found = statuses(replant(photo_birds(), test=[99] * 4, erm=BEFORE, group_dro=AFTER))
    assert [found[name] for name in ("harmful", "caused_by", "fixed_by")] == ["insufficient"] * 3


def test_validation_images_say_nothing_about_test_accuracy() -> None:
    without = replant(photo_birds(), val=[60, 60, 0, 40], erm=BEFORE, group_dro=AFTER)
    assert statuses(without) == statuses(photo_birds())


@pytest.mark.parametrize(("by", "status"), [(0.02, "yes"), (0.3, "insufficient")])
def test_wide_gap_that_could_be_the_luck_of_training_is_insufficient(by: float, status: str) -> None:
    shifts = [[0, 0, shift, 0] for shift in (by, 0.0, -by)]
    assert statuses(replant(photo_birds(), shifts=shifts, erm=BEFORE))["harmful"] == status


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_fewer_than_three_trainings_say_nothing_about_training(n_seeds: int) -> None:
    inputs = replant(photo_birds(), shifts=SHIFTS[:n_seeds], erm=BEFORE, group_dro=AFTER)
    found = statuses(inputs)
    assert (found["harmful"], found["fixed_by"]) == ("insufficient", "insufficient")
    assert "one training says nothing about training" in rung(inputs, "harmful").evidence
    assert "one training says nothing about training" in rung(inputs, "fixed_by").evidence
    steps = build_report(inputs).verdict.next_steps
    assert not any(step.action.startswith("Use the") for step in steps)


@pytest.mark.parametrize(
    ("accuracies", "status", "words"),
    [
        # the value costs both classes the same: nobody pays for the cue
        ([0.92, 0.82, 0.92, 0.82], "no", "Images with “water” are harder in every class"),
        ([0.82, 0.92, 0.82, 0.92], "no", "Images with “land” are harder in every class"),
        # in points 15 more than the other class, in odds no more: 98 to 95 % is as much as 82 to 64 %
        ([0.82, 0.64, 0.98, 0.95], "no", "“landbird” is harder with every value"),
        # a class that is hard with every value
        ([0.97, 0.96, 0.55, 0.56], "no", "“waterbird” is harder with every value of “place”"),
        # only one class pays, and above the average of all
        ([0.985, 0.86, 0.80, 0.80], "yes", "which neither class nor attribute explains"),
        ([0.985, 0.78, 0.62, 0.95], "yes", "which neither class nor attribute explains"),
    ],
)
def test_harm_is_what_neither_the_class_nor_the_value_explains(
    accuracies: list[float], status: str, words: str
) -> None:
    found = rung(replant(photo_birds(), erm=accuracies), "harmful")
    assert found.status == status
    assert words in found.evidence
    assert ("That is no shortcut" in found.evidence) == ("harder" in words)


def test_without_another_class_to_compare_with_harm_cannot_be_told_from_a_harder_value() -> None:
    found = rung(replant(photo_birds(), test=[40, 400, 200, 200], erm=BEFORE), "harmful")
    assert found.status == "insufficient"
    assert "whether the value is merely harder cannot be told" in found.evidence


def test_cause_needs_an_interval_below_zero_after_bonferroni() -> None:
    inputs = plain_hundred()
    border = inputs.info.attributes[0].model_copy(update={"origin": "annotated"})
    inputs = replace(inputs, info=inputs.info.model_copy(update={"attributes": [border]}))
    misled = misled_groups(inputs.info)
    hurt = [0.4 if g in misled else 0.9 for g in range(len(inputs.info.groups))]
    inputs = replant(inputs, erm=hurt)
    worst = build_report(inputs).verdict.harmed_group
    assert worst is not None
    assert statuses(inputs)["harmful"] == "yes"
    suspects = aligned_opponents(inputs.info, worst.index)
    assert len(suspects) > 2

    def status(high: float) -> str:
        """The verdict with every suspect cell at -0.010 with an upper bound of `high`.

        Where scores are planted, so exact an interval of each of several cells is not to be had.
        """
        erm = inputs.attributions["erm"]
        cells = [
            c.model_copy(update={"value": -0.010, "low": -0.020 - high, "high": high})
            if c.test_index == worst.index and c.train_index in suspects
            else c
            for c in erm.groups
        ]
        changed = replace(inputs, attributions={"erm": erm.model_copy(update={"groups": cells})})
        return statuses(changed)["caused_by"]

    assert status(high=-0.006) == "yes"
    assert status(high=-0.0005) == "no"  # excludes zero alone, not among several
    assert status(high=0.002) == "no"


def test_fix_is_no_when_the_gain_is_small_and_insufficient_when_it_is_noisy() -> None:
    def status(after: float, luck: float = 0.0, n: int = 2000) -> str:
        """Where the harmed group rises from 82 %, by chance more with one seed than with another."""
        shifts = [[0, 0, shift, 0] for shift in (luck, 0.0, -luck)]
        inputs = replant(
            photo_birds(),
            test=[2000, 2000, n, 2000],
            own_shifts={"group_dro": shifts},
            erm=[0.97, 0.93, 0.82, 0.95],
            group_dro=[0.93, 0.92, after, 0.92],
        )
        return statuses(inputs)["fixed_by"]

    assert status(0.85) == "no"
    assert status(0.90, luck=0.06) == "insufficient"
    assert status(0.90) == "yes"
    assert status(0.90, n=42) == "insufficient"


def test_the_best_of_several_methods_is_named() -> None:
    inputs = closed_gap()

    def judged(gains: dict[str, Estimate]) -> Rung:
        first = inputs.comparisons[0]
        tried = [first.model_copy(update={"method": m, "gain": g}) for m, g in gains.items()]
        return rung(replace(inputs, comparisons=tried), "fixed_by")

    several = judged(dict.fromkeys(("group_dro", "subg", "dfr", "jtt"), around(0.08, 0.1, 642)))
    assert several.status == "insufficient"
    assert "corrected for 4 methods. Clearly raised by: none." in several.evidence

    both = {"group_dro": around(0.10, 0.02, 642), "dfr": around(0.12, 0.02, 642)}
    first = inputs.comparisons[0]
    tried = [first.model_copy(update={"method": m, "gain": g}) for m, g in both.items()]
    dfr = inputs.evaluations["group_dro"].model_copy(update={"method": "dfr"})
    two = replace(inputs, comparisons=tried, evaluations={**inputs.evaluations, "dfr": dfr})
    step = build_report(two).verdict.next_steps[0]
    assert step.action.startswith("Set validation images aside to choose a method by")
    assert step.because.endswith("The group is clearly raised by Group DRO and DFR.")

    # a larger gain that is not clear does not hide a clear one
    found = judged({"jtt": around(0.20, 0.30, 642), "dfr": around(0.10, 0.02, 642)})
    assert found.status == "yes"
    assert found.question == "Does DFR fix it?"
    assert "Clearly raised by: DFR." in found.evidence
    # nor does a clear one that is too small hide that a large one is not established
    found = judged({"jtt": around(0.03, 0.005, 642), "dfr": around(0.30, 0.31, 642)})
    assert found.status == "insufficient"
    assert found.question == "Does DFR fix it?"


def test_baseline_is_the_first_method() -> None:
    inputs = photo_birds()
    assert build_report(inputs).verdict.baseline == "erm"
    assert list(build_report(inputs).methods) == ["erm", "group_dro"]
    turned = replace(inputs, evaluations=dict(reversed(inputs.evaluations.items())))
    assert build_report(turned).verdict.baseline == "group_dro"
    assert list(build_report(turned).methods) == ["group_dro", "erm"]


def test_modal_share_by_hand() -> None:
    association = photo_birds().color.associations[0]
    assert modal_share(association) == pytest.approx((440 + 120) / 616)


def test_sentences_carry_number_interval_and_count() -> None:
    for found in build_report(photo_birds()).verdict.rungs:
        assert "95% interval" in found.evidence
        assert "n = " in found.evidence


def test_next_steps_follow_the_evidence() -> None:
    fixed = build_report(photo_birds()).verdict.next_steps
    assert fixed[0].action.startswith("Use the Group DRO model")
    inferred = " ".join(step.action for step in build_report(plain_hundred()).verdict.next_steps)
    assert "Annotate a real attribute" in inferred
    assert "three seeds" in inferred
    assert "at least 100 test images per group" in inferred
    quiet = photo_birds(planted=False)
    quiet = replace(quiet, attributions={}, hygiene=None)
    assert build_report(quiet).verdict.next_steps[0].action.startswith("Keep the model")


def test_long_names_are_shortened_in_sentences() -> None:
    assert len(build_report(hostile_birds()).verdict.headline) < 500


def test_fewer_than_two_measured_groups_cannot_show_harm() -> None:
    summary = build_report(replant(photo_birds(), test=[2255, 20, 20, 20], erm=[0.9, 0.5, 0.5, 0.5]))
    assert summary.methods["erm"].test.counted_worst is None
    assert "Too few images per group" in summary.verdict.headline


def test_groups_of_one_name_are_not_confused() -> None:
    """Class "a / b" with "c" and class "a" with "b / c": to the verdict a name is a word and no more."""
    inputs = photo_birds()
    names = [group.name for group in inputs.info.groups]

    def renamed(record: R) -> R:
        text = record.model_dump_json()
        for name in names:
            text = text.replace(json.dumps(name), '"a / b / c"')
        return type(record).model_validate_json(text)

    same = replace(
        inputs,
        info=renamed(inputs.info),
        evaluations={m: renamed(found) for m, found in inputs.evaluations.items()},
        attributions={m: renamed(found) for m, found in inputs.attributions.items()},
        comparisons=[renamed(found) for found in inputs.comparisons],
        hygiene=inputs.hygiene and renamed(inputs.hygiene),
    )
    found, plain = build_report(same), build_report(inputs)
    assert {group.name for group in found.dataset.groups} == {"a / b / c"}
    judged, known = found.verdict, plain.verdict
    assert [(r.status, r.estimate) for r in judged.rungs] == [(r.status, r.estimate) for r in known.rungs]
    assert len(judged.next_steps) == len(known.next_steps)
    assert judged.harmed_group is not None
    assert judged.harmed_group.index == 2
    pages = [
        re.findall(r'<span class="num">.*?</span>', render_report(r, Pictures())) for r in (found, plain)
    ]
    assert pages[0] == pages[1], "every number stands where it stood"


@pytest.mark.parametrize("attributes", [True, False])
def test_sentences_name_the_worst_group_that_the_tiles_name(attributes: bool) -> None:
    """Groups that count lie above the average; of the small ones a single wrong image says nothing."""
    inputs = replant(photo_birds(), test=[400, 60, 200, 1], erm=[0.95, 0.883, 0.95, 0.0])
    if not attributes:
        inputs = replace(inputs, info=inputs.info.model_copy(update={"attributes": []}))
    summary = build_report(inputs)
    assert summary.methods["erm"].test.worst_group.index == 1
    sentence = summary.verdict.headline if attributes else rung(inputs, "harmful").evidence
    assert "landbird / water" in sentence
    assert "waterbird / water" not in sentence.split(";")[0]


def test_clusters_of_a_model_show_nobody_who_pays() -> None:
    inputs = plain_hundred()
    assert misled_groups(inputs.info) == []
    several = inputs.evaluations["erm"].model_copy(update={"seeds": [0, 1, 2]})
    found = judge_harmful(inputs.info, several, limits=inputs.limits)
    assert found.status == "insufficient"
    assert "nobody knows which of them a cue misleads" in found.evidence


def test_misled_groups_by_hand() -> None:
    assert misled_groups(photo_birds().info) == [1, 2], "landbird / water, waterbird / land"
    balanced = regroup(photo_birds().info, train=(750, 751, 752, 753))
    assert misled_groups(balanced) == []
    one = balanced.model_copy(update={"attributes": []})
    assert misled_groups(one) == []


def test_a_shortage_that_could_be_chance_misleads_nobody() -> None:
    assert misled_groups(regroup(photo_birds().info, train=(7, 5, 5, 7))) == [], "5 where 6 are expected"


def test_of_few_training_images_it_cannot_be_told_whom_the_cue_misleads() -> None:
    for n_train, status in (((8, 4, 4, 8), "insufficient"), ((7, 6, 6, 7), "no")):
        found = rung(replant(photo_birds(), train=n_train, erm=[0.97, 0.5, 0.5, 0.97]), "harmful")
        assert found.status == status
        assert ("Too few training images" in found.evidence) is (status == "insufficient")


def test_a_worst_group_that_the_cue_does_not_mislead_is_not_harm() -> None:
    inputs = replant(photo_birds(), erm=[0.97, 0.95, 0.94, 0.60])
    found = rung(inputs, "harmful")
    assert found.status == "no"
    assert "lowest accuracy of all is in “waterbird / water”" in found.evidence
    assert "no group clearly pays" in build_report(inputs).verdict.headline


def test_without_a_cue_that_misleads_nobody_pays() -> None:
    found = rung(replant(photo_birds(), train=[1000] * 4, erm=[0.97, 0.95, 0.60, 0.94]), "harmful")
    assert found.status == "no"
    assert "In no group does “place” point the wrong way" in found.evidence


def test_without_an_attribute_harm_by_a_cue_cannot_be_shown() -> None:
    inputs = photo_birds()
    attribute = inputs.info.attributes[0].model_copy(update={"origin": "none"})
    inputs = replace(inputs, info=inputs.info.model_copy(update={"attributes": [attribute]}))
    assert statuses(inputs)["harmful"] == "insufficient"


def test_one_of_two_attributes_is_enough_for_a_shortcut() -> None:
    inputs = photo_birds(planted=False)
    light = inputs.info.attributes[0].model_copy(update={"name": "light"})
    info = inputs.info.model_copy(update={"attributes": [*inputs.info.attributes, light]})
    strong = inputs.color.associations[0].model_copy(
        update={"attribute": "light", "cramers_v": 0.5, "p_value": 1e-6}
    )
    color = inputs.color.model_copy(update={"associations": [*inputs.color.associations, strong]})
    found = rung(replace(inputs, info=info, color=color), "available")
    assert found.status == "yes"
    assert "“light”" in found.evidence
    between = strong.model_copy(update={"other": "place"})  # attribute with attribute is no shortcut
    color = inputs.color.model_copy(update={"associations": [*inputs.color.associations, between]})
    assert rung(replace(inputs, info=info, color=color), "available").status == "no"


def test_next_steps_name_leaks_and_contradicting_labels() -> None:
    images = pack(replace(BIRDS, contradicting=1))
    inputs = replace(photo_birds(), hygiene=look_at(images))
    steps = [step for step in build_report(inputs).verdict.next_steps if step.section == "hygiene"]
    assert [step.action for step in steps] == [
        "Take the 3 exact duplicates of training or validation images out of the test split.",
        "Look at the one set of exact duplicates whose labels differ.",
    ]
    assert "n = 1,200" in steps[0].because


def test_a_split_that_cuts_scenes_is_named_and_gated() -> None:
    inputs = photo_birds()
    counts = SourceCounts(name="scene", n={"train": 90, "val": 20, "test": 30}, n_cut=9, n_leaking_test=240)
    for sources, is_cut in ((counts, True), (counts.model_copy(update={"n_leaking_test": 0}), False)):
        summary = build_report(replace(inputs, info=inputs.info.model_copy(update={"sources": sources})))
        sentence = "240 of 1,200 test images (20.0%) share their “scene” with an image of training"
        assert any(sentence in step.because for step in summary.verdict.next_steps) is is_cut
        assert any(sentence in line for line in list_limits(summary, "erm")) is is_cut
        page = re.sub(r"<[^>]+>|[\u2068\u2069]", "", render_report(summary, Pictures()))
        assert (f"{sentence} or validation: accuracy looks better" in page) is is_cut
        check = judge_report(summary, GateSettings(max_leaking=0.01), ["erm"], {}).checks[0]
        assert check.what == "leaking test images, same scene"
        assert check.passed is not is_cut
        assert (sentence in check.reason) is is_cut


def test_a_group_with_far_more_dark_images_is_named() -> None:
    def actions(dark: tuple[float, float, float, float]) -> list[str]:
        inputs = replace(photo_birds(), hygiene=look_at(pack(replace(BIRDS, dark=dark))))
        return [step.action for step in build_report(inputs).verdict.next_steps]

    wanted = "Check whether dark images explain what happens in “waterbird / land”."
    assert wanted in actions((0, 0, 0.3, 0))
    assert not any("dark images" in action for action in actions((0.01, 0.01, 0.01, 0.01)))


def test_without_a_guided_group_to_compare_with_harm_is_not_established() -> None:
    """A class that is hard everywhere must not become a victim when its other group is small."""
    inputs = replant(photo_birds(), test=[400, 400, 200, 99], erm=[0.985, 0.78, 0.05, 0.05])
    found = rung(inputs, "harmful")
    assert found.status == "insufficient"
    assert "No group of the same label where the cue is right has enough images" in found.evidence


def with_sizes(inputs: ReportInputs, accuracies: list[float], n_test: list[int]) -> ReportInputs:
    """The baseline on test groups of these sizes, without a sign that it uses the cue."""
    inputs = replant(inputs, test=n_test, erm=accuracies)
    return with_baseline(replace(inputs, attributions={}), cue_use=plant_cue_use(0.0))


SAME = [600] * 4


@pytest.mark.parametrize(
    ("accuracies", "n_test", "words"),
    [
        # groups: landbird / land, landbird / water (misled), waterbird / land (misled), waterbird / water
        ([0.70, 0.95, 0.95, 0.70], SAME, "clearly worse, not shown to be because of it: 70.0%"),
        ([0.97, 0.91, 0.88, 0.65], SAME, "65.0% "),
        ([0.97, 0.0, 0.97, 0.97], [600, 60, 600, 600], "0.0% "),
        ([0.97, 0.5, 0.97, 0.97], [600, 99, 600, 600], "50"),
        ([0.6, 0.6, 0.6, 0.6], SAME, "all are alike at 60.0%"),
    ],
)
def test_the_headline_names_the_group_that_it_speaks_of(
    accuracies: list[float], n_test: list[int], words: str
) -> None:
    inputs = with_sizes(photo_birds(), accuracies, n_test)
    headline = build_report(inputs).verdict.headline
    assert words in headline, headline
    lowest = inputs.info.groups[accuracies.index(min(accuracies))].name
    assert f"“{lowest}”" in headline, headline
    assert ("too few images to count" in headline) == (min(n_test) < 100), headline
    assert headline.count(f"“{lowest}”") == 1, headline


def test_use_against_the_cue_with_a_clearly_worse_group_is_no_all_clear() -> None:
    inputs = with_sizes(photo_birds(), [0.70, 0.95, 0.95, 0.70], SAME)
    headline = build_report(with_baseline(inputs, cue_use=plant_cue_use(-0.2))).verdict.headline
    assert "relies on the attribute “place”, and a group is clearly worse" in headline
    assert "no group" not in headline


def test_a_group_above_the_average_that_pays_is_held_against_its_own_class() -> None:
    headline = build_report(replant(photo_birds(), erm=[0.985, 0.86, 0.4, 0.4])).verdict.headline
    assert "86.0%" in headline
    assert "on average" not in headline, headline


@pytest.mark.parametrize(
    ("n_test", "words"),
    [
        ([600, 60, 600, 600], "“landbird / water” has 60 test images, 100 are needed"),
        ([600, 60, 60, 600], "None of the 2 groups that the cue misleads has the 100 test images"),
        ([600, 60, 60, 60], "Fewer than two groups have the 100 test images"),
    ],
)
def test_why_harm_is_not_known_is_the_true_reason(n_test: list[int], words: str) -> None:
    inputs = with_sizes(photo_birds(), [0.97, 0.0, 0.97, 0.97], n_test)
    found = rung(inputs, "harmful")
    assert (found.status, words in found.evidence) == ("insufficient", True), found.evidence
    assert "1 of 4 groups have" not in build_report(inputs).verdict.headline


@pytest.mark.parametrize(
    ("accuracies", "is_said"), [([0.82, 0.64, 0.98, 0.95], True), ([0.985, 0.78, 0.62, 0.95], False)]
)
def test_where_odds_decide_the_sentence_says_so(accuracies: list[float], is_said: bool) -> None:
    found = rung(replant(photo_birds(), erm=accuracies), "harmful")
    assert (found.status != "yes") == is_said
    assert ("In odds of a right answer the difference could be none" in found.evidence) == is_said


def test_what_was_not_run_does_not_lack_evidence() -> None:
    summary = build_report(replace(photo_birds(), attributions={}))
    answers = {rung.rung: answer_words(rung) for rung in summary.verdict.rungs}
    assert (answers["caused_by"], answers["harmful"]) == ("Not run", "Yes")
    assert "Not run" in render_report(summary, Pictures())
