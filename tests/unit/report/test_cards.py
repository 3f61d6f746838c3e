"""Model and dataset cards: the hub's layout, the summary's numbers, inert names, both limits and remedies."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from pipeline.core import words
from pipeline.plan.params import DatasetSettings
from pipeline.plan.params_file import read_params
from pipeline.plan.resolve import resolve
from pipeline.records.data import SourceInfo
from pipeline.records.report import Report
from pipeline.report.cards.model_card import model_card
from pipeline.report.export.cards import write_dataset_card, write_model_card
from pipeline.report.export.front_matter import license_id, size_category
from pipeline.report.markdown import code, escape, plain, whole_name, write_table
from pipeline.settings.plans.report import ReportPlan
from tests.fixtures.report import (
    HOSTILE_NAMES,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
)

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = [
    *HOSTILE_NAMES, "a|b`c``d", "1. foo", "12) bar", "- foo", "+1", "=cmd|' /C calc'!A0", "---", "=====",
    "# h", "#12 @team :smile:", "https://evil.example www.evil.example a@b.example",
    "[x](javascript:alert(1))",
    "![a](b)", "*b* _c_ ~~d~~ $x$", "a\nb\r\n\n# c", "&lt; &amp;", "\\", "```\nfence", "> q", "\x07bell",
    "<!-- -->", "<img src=x onerror=alert(1)>", "    code",
]  # fmt: skip
VARIANTS = [photo_birds, repaired_birds, plain_hundred, hostile_birds]


def shown(markdown: str) -> str:
    """What a reader sees of Markdown."""
    rendered = re.sub(r"<!--.*?-->", "", MARKDOWN.render(markdown), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", rendered))


def strip_isolates(text: str) -> str:
    return re.sub("[\u2066-\u2069]", "", text)


def cards(summary: Report) -> Iterator[str]:
    yield write_dataset_card(summary)
    yield from (write_model_card(summary, method) for method in summary.methods)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("place", ["- {}\n", "# {}\n", "{}\n", "| a |\n| --- |\n| {} |\n"])
def test_hostile_text_is_shown_as_it_is(text: str, place: str) -> None:
    found = shown(place.format(escape(text))).strip().removeprefix("a\n").strip()
    assert found.split("\n")[-1].strip() == plain(text).strip()
    assert "\u202e" not in found
    rendered = MARKDOWN.render(place.format(escape(text)))
    assert not re.search(r"<(script|img|a|b|em|strong|code|s|hr)\b", rendered)


@pytest.mark.parametrize("text", ["@team", "x #12", "https://evil.example", "www.evil.example", ":smile:"])
def test_github_makes_nothing_of_names(text: str) -> None:
    assert not re.search(r"@\w|#\d|://|www\.|:smile:", escape(text))


def test_names_that_run_right_to_left_do_not_reorder_a_table() -> None:
    assert whole_name("طائر") == "\u2068طائر\u2069"
    assert whole_name("bird") == "bird"


@pytest.mark.parametrize("text", ["dvc repro", "a`b", "``", "`a`"])
def test_code_holds_any_backticks(text: str) -> None:
    assert shown(code(text)).strip() == text
    assert "<code>" in MARKDOWN.render(code(text))


def test_a_table_has_as_many_cells_as_columns() -> None:
    rendered = MARKDOWN.render(write_table(["A", "B"], [[escape("x|y"), "1"]]))
    assert rendered.count("<td>") == 2


@pytest.mark.parametrize("make", VARIANTS)
def test_the_hub_reads_the_head_back(make: Callable[[], ReportInputs]) -> None:
    s = build_report(make())
    for method, found in s.methods.items():
        data = ModelCard(write_model_card(s, method)).data.to_dict()
        assert data["pipeline_tag"] == "image-classification"
        results = data["model-index"][0]["results"][0]
        assert results["dataset"]["split"] == "test"
        assert results["metrics"][0]["value"] == found.test.average.value
        assert f"n = {found.test.average.n:,}" in results["metrics"][0]["name"]
    head = DatasetCard(write_dataset_card(s)).data
    assert head["pretty_name"] == plain(s.dataset.title)
    assert head["task_categories"] == ["image-classification"]


@pytest.mark.parametrize("make", VARIANTS)
def test_headings_are_those_of_the_hubs_templates(make: Callable[[], ReportInputs]) -> None:
    s = build_report(make())
    folder = Path(huggingface_hub.__file__).parent / "templates"
    for template, card in (
        ("modelcard_template.md", write_model_card(s, "erm")),
        ("datasetcard_template.md", write_dataset_card(s)),
    ):
        known = re.findall(r"^#{2,} .+$", (folder / template).read_text(), re.MULTILINE)
        order = [heading.replace(" [optional]", "") for heading in known]
        used = re.findall(r"^#{2,} .+$", card.split("\n---\n", 1)[1], re.MULTILINE)
        positions = [order.index(heading) for heading in used]
        assert positions == sorted(positions)
        assert "## Bias, Risks, and Limitations" in used
        assert "More Information Needed" not in card


@pytest.mark.parametrize("make", [*VARIANTS, bare])
def test_every_number_comes_from_the_summary(make: Callable[[], ReportInputs]) -> None:
    s = build_report(make())
    leaves = list(walk(json.loads(s.model_dump_json())))
    numbers = [float(v) for v in leaves if isinstance(v, float | int) and not isinstance(v, bool)]
    formats = (words.percent, words.points, words.number, lambda v: f"{v:g}", repr)
    written = {f(v) for v in numbers for f in formats} | {words.number(v, 3) for v in numbers}
    written |= {text.rstrip("%") for text in written}
    said = " ".join(v for v in leaves if isinstance(v, str))
    for card in cards(s):
        for token in re.findall(r"[+−]?\d+\.\d+%?", shown(card)):
            assert token in written or token in said, token


def walk(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)
    else:
        yield node


def test_hostile_names_stay_text_in_cards() -> None:
    s = build_report(hostile_birds())
    for card in cards(s):
        body = card.split("\n---\n", 1)[1]
        rendered = re.sub(r"<!-- -->", "", MARKDOWN.render(body))
        assert not re.search(r"<(script|b|img)\b", rendered)
        assert "\u202e" not in card
        assert '"quo\'ted" & <b>bold</b>' in shown(body)
        assert HOSTILE_NAMES[0] in strip_isolates(shown(body))


def test_the_baselines_card_repeats_the_verdict_against_it() -> None:
    s = build_report(photo_birds())
    card = model_card(s, "erm")
    evidence = {rung.rung: rung.evidence for rung in s.verdict.rungs}
    for rung in ("available", "used", "harmful"):
        assert any(evidence[rung] in limit for limit in card.limits)
    assert any("waterbird / land" in use and "clearly worse" in use for use in card.out_of_scope)


def test_a_clean_model_is_not_accused() -> None:
    s = build_report(photo_birds(planted=False))
    card = model_card(s, "erm")
    assert s.verdict.methods["erm"].served_worse is None
    assert not any("clearly worse" in use for use in card.out_of_scope)
    assert not any("Does a group pay" in limit for limit in card.limits)


def test_another_methods_card_compares_it_with_the_baseline() -> None:
    s = build_report(photo_birds())
    limits = model_card(s, "group_dro").limits
    assert any("differs from ERM's by +22.0 points" in limit for limit in limits)
    assert any("relies on cues less than ERM" in limit for limit in limits)
    assert not any("ERM is right on" in limit for limit in limits), "that is the baseline's harm"


def test_what_was_not_measured_is_said() -> None:
    inputs = plain_hundred()
    s = build_report(replace(inputs, attributions={}, hygiene=None, histories={}))
    card = model_card(s, "erm")
    said = " ".join(card.limits)
    for said_words in (
        "1 seed cannot",
        "not traced",
        "not checked for duplicates",
        "clusters of a model's own features",
    ):
        assert said_words in said
    n_thin = sum(not g.sufficient for g in s.methods["erm"].test.groups)
    assert n_thin
    assert f"{n_thin} of 60 groups" in said
    assert any("too few were tested" in use for use in card.out_of_scope)
    assert "The settings were not recorded." in write_model_card(s, "erm")
    assert "too few to decide" in write_model_card(s, "erm")


def test_without_a_model_the_data_are_still_described() -> None:
    card = write_dataset_card(build_report(bare()))
    assert "| landbird / land | 440 | 60 | 400 |" in card
    assert "20 training labels are known to be wrong" in card


def test_settings_that_are_off_are_left_out() -> None:
    settings = {fact.term: fact.text for fact in model_card(build_report(photo_birds()), "erm").settings}
    assert settings == {"epochs": "20", "lr": "0.02", "identification.lr": "0.0005"}


def test_the_report_is_told_what_a_method_is_trained_with(shipped: DatasetSettings) -> None:
    params = read_params()
    plan = resolve(params, "report", "photo_digits")
    assert isinstance(plan, ReportPlan)
    found = plan.methods["dfr"]
    assert found.train["epochs"] == shipped.train_for("erm").epochs
    assert found.method["penalty"] == shipped.methods.dfr.penalty
    assert "train" not in plan.methods["jtt"].method
    assert "identification" in plan.methods["jtt"].method


@pytest.fixture
def shipped() -> DatasetSettings:
    return read_params().dataset("photo_digits")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CC BY 4.0", ("cc-by-4.0", None)),
        ("cc-by-nc-sa 4.0", ("cc-by-nc-sa-4.0", None)),
        ("MIT", ("mit", None)),
        ("not stated", ("unknown", None)),
        ("ask\nthe authors", ("other", "ask the authors")),
        ("digits: CC BY 4.0; photographs: CC BY 2.0", ("other", "digits: CC BY 4.0; photographs: CC BY 2.0")),
    ],
)
def test_licenses_have_the_hubs_names(text: str, expected: tuple[str, str | None]) -> None:
    assert license_id(text) == expected
    inputs = photo_birds()
    source = SourceInfo(source="x", licence=text)
    s = build_report(replace(inputs, info=inputs.info.model_copy(update={"source_info": source})))
    assert DatasetCard(write_dataset_card(s)).data.get("license") == expected[0]


@pytest.mark.parametrize(("n", "expected"), [(999, "n<1K"), (1000, "1K<n<10K"), (60_000, "10K<n<100K")])
def test_sizes_have_the_hubs_names(n: int, expected: str) -> None:
    assert size_category(n) == expected
