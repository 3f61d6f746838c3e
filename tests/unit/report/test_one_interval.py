"""A quantity is printed with one interval, whatever stands on a page, a card or in a Markdown file."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from html import unescape

import pytest

from pipeline.core.words import points
from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.export.cards import write_model_card
from pipeline.report.export.method_tables import method_tables
from pipeline.report.gate.judge import judge_report
from pipeline.report.gate.markdown import markdown_gate
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from pipeline.settings.gate import GateSettings
from tests.fixtures.planted.contest import contest
from tests.fixtures.planted.cues import plant_cue_use
from tests.fixtures.report import build_report, photo_birds

# 39.7% (22.9 to 59.5, n = 300) · 39.7% (95% interval 22.9 to 59.5%, n = 300) · 39.7% [22.9, 59.5]
_ACCURACY = re.compile(
    r"(\d+\.\d)%[\s ]*(?:\((?:95% interval )?(\d+\.\d) to (\d+\.\d)|\[(\d+\.\d), (\d+\.\d)\])"
)
# +29.5 points (95% interval +24.8 to +34.5, n = 400) · +29.5 points [+24.8, +34.5] · +29.5 [+24.8, +34.5]
_GAIN = re.compile(
    r"([+−]\d+\.\d)(?: points)?[\s ]*(?:\((?:95% interval )?|\[)([+−]?\d+\.\d)(?:, | to )([+−]?\d+\.\d)"
)


def intervals(text: str, pattern: re.Pattern[str] = _ACCURACY) -> dict[str, set[tuple[str, str]]]:
    """Accuracy, or what else the pattern finds -> the intervals that it is printed with."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    plain = unescape(re.sub(r"<[^>]+>", " ", text)).replace("\xa0", " ")
    for value, *ends in pattern.findall(re.sub(r"\s+", " ", plain)):
        low, high = (end for end in ends if end)
        found[value].add((low, high))
    return found


def texts(report: Report) -> dict[str, str]:
    page = render_report(report, Pictures())
    whole = page[page.index("<main") : page.index("</main>")]
    appendix = re.compile(r'<details class="intervals".*?</details>', flags=re.DOTALL)
    gate = GateSettings(min_worst_group=0.8, min_average=0.9)
    return {
        "page": appendix.sub("", whole),
        "verdict": " ".join([report.verdict.headline, *(rung.evidence for rung in report.verdict.rungs)]),
        **{f"card of {m}": write_model_card(report, m) for m in report.methods},
        "gate": markdown_gate([judge_report(report, gate, list(report.methods), {})]),
    }


@pytest.fixture(scope="module")
def report() -> Report:
    """Two failing groups and three methods; every group of every method has an accuracy of its own."""
    return build_report(
        contest(
            {"group_dro": (0.9425, 0.9125, 0.905, 0.93), "jtt": (0.95, 0.885, 0.8725, 0.9325)},
            erm=(0.9725, 0.6225, 0.5775, 0.9625),
        )
    )


def test_an_accuracy_of_a_group_never_has_two_intervals(report: Report) -> None:
    printed = {f"{100 * g.value:.1f}" for judged in report.verdict.methods.values() for g in judged.groups}
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for text in texts(report).values():
        for value, ends in intervals(text).items():
            found[value] |= ends
    several = {value: ends for value, ends in found.items() if value in printed and len(ends) > 1}
    assert not several
    assert len(printed & set(found)) >= 8, "the groups are on the page at all"


def test_a_gain_never_has_two_intervals() -> None:
    # the methods fail another group than the baseline does: "worst group of each" is another number
    report = build_report(
        contest(
            {"group_dro": (0.8825, 0.9125, 0.905, 0.93), "jtt": (0.86, 0.885, 0.8725, 0.9325)},
            erm=(0.9725, 0.6225, 0.5775, 0.9625),
        )
    )
    gains = {points(comparison.gain.value): comparison.gain for comparison in report.verdict.comparisons}
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for text in texts(report).values():
        for value, ends in intervals(text, _GAIN).items():
            found[value] |= ends
    assert len(gains) == 2
    for value, gain in gains.items():
        assert found[value] == {(points(gain.low), points(gain.high))}


def test_no_p_value_of_another_interval_stands_beside_the_gain_of_a_group(report: Report) -> None:
    groups = [group for comparison in report.verdict.comparisons for group in comparison.groups]
    assert any(group.p_holm is not None for group in groups)
    table = re.search(r"Every group against.*?</details>", texts(report)["page"], flags=re.DOTALL)
    assert table
    assert table[0].count("<tr>") > len(groups)
    assert not re.search(r"\bp (=|&lt;) |Significance", table[0])


def test_a_shift_and_a_change_of_color_have_the_interval_of_the_verdict() -> None:
    inputs = photo_birds()
    erm = inputs.evaluations["erm"]
    grey = next(edit for edit in erm.interventions if edit.family == "color")
    costs = Estimate(value=-0.3, low=-0.35, high=-0.25, n=900)
    colors = [
        grey.model_copy(update={"name": name, "accuracy_change": costs})
        for name in ("greyscale", "hue_rotation")
    ]
    found = plant_cue_use(0.02, spread=0.03)
    second = found.exchanges[0].model_copy(update={"name": "color_exchange"})
    found = found.model_copy(update={"exchanges": [*found.exchanges, second]})
    erm = erm.model_copy(update={"interventions": colors, "cue_use": found})
    report = build_report(replace(inputs, evaluations=inputs.evaluations | {"erm": erm}))
    verdict = report.verdict.methods["erm"]
    (check,) = judge_report(report, GateSettings(max_flip_rate=0.05), ["erm"], {}).checks
    assert check.what == "shift of predictions towards the donor's class"
    assert check.estimate == verdict.used.estimate
    assert check.estimate is not None
    assert check.estimate.low < 0, "not cut off at none"
    printed = verdict.overall_changes["hue_rotation"]
    assert printed.low < costs.low, "one of two that was picked"
    sentence = intervals(verdict.used.evidence, _GAIN)["−30.0"]
    assert sentence == {(points(printed.low), points(printed.high))}
    page = render_report(report, Pictures())
    table = page[page.index('id="interventions-h"') : page.index("What exactly was changed")]
    assert intervals(table, _GAIN)["−30.0"] == sentence
    (row,) = (
        row
        for table in method_tables(report)
        if table.name == "interventions"
        for row in table.rows
        if (row["method"], row["intervention"], row["scope"], row["measure"])
        == ("erm", "hue_rotation", "all images", "accuracy_change")
    )
    assert (row["low"], row["high"]) == (printed.low, printed.high)


def test_the_walk_notices_two_intervals() -> None:
    gains = "a gain of +29.5 points [+24.8, +34.5], and +29.5 points (95% interval +25.9 to +33.4, n = 400)"
    assert intervals(gains, _GAIN) == {"+29.5": {("+24.8", "+34.5"), ("+25.9", "+33.4")}}
    text = "<b>39.7%</b> (22.9 to 59.5, n = 300) and 39.7% (95% interval 25.9 to 55.5%, n = 300)"
    assert intervals(text) == {"39.7": {("22.9", "59.5"), ("25.9", "55.5")}}
