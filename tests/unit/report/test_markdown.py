"""Markdown for pull requests: a Markdown parser must find names as text and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pipeline.artifacts.files import save_artifact
from pipeline.cli.main import main
from pipeline.records.data import GroupInfo
from pipeline.report.gate.shorten import whole_part
from pipeline.report.markdown import escape, escape_name, write_table
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

OURS = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "sub", "span"}
MAX_COMMENT = 65_536  # characters of a comment on GitHub
ATTACKS = [
    *HOSTILE_NAMES,
    "a | b || c",
    "a\\|b\\\\|c",
    "`code` ``more`` ```",
    "**bold** _under_ ~~gone~~ __x__",
    "![x](https://evil.example/x.png)",
    "[link](javascript:alert)",
    "<https://evil.example>",
    "https://evil.example www.evil.example",
    "&lt;b&gt; &#64;",
    "<!-- hidden -->",
    "<details><summary>x</summary>",
    "# title",
    "- list",
    "1. list",
    "> quote",
    "| --- |",
    "$x^2$ $$y$$",
    "line\nbreak\r\n\n# more",
    "[^1] [x]: http://evil.example",
    '=cmd|"/c calc"!A1',
    "a\x1b[31mred\x00",
    "\u2067turned\u2069\u2069 on",
]


class Page(HTMLParser):
    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.text = ""
        # html: as GitHub does, so that a tag that slipped through is found
        self.feed(
            MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
        )
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells:
            self.cells[-1] += data


def flat(text: str) -> str:
    """What is left of a text on one line without marks that cannot be seen."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", " ", text).split())


@pytest.mark.parametrize("name", ATTACKS)
def test_a_name_is_one_cell_of_text(name: str) -> None:
    page = Page(write_table(("a", "b"), [(escape_name(name, 1000), "next")]))
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "span"}
    assert [flat(cell) for cell in page.cells] == ["a", "b", flat(name), "next"]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_sentence_is_text(name: str) -> None:
    page = Page(f"It is {escape(name)}.")
    assert set(page.tags) <= {"p", "span"}
    assert flat(page.text) == f"It is {flat(name)}."


@pytest.mark.parametrize(
    "text", ["@octocat", "see #12", "org/repo#3", ":bug:", "GH-7", "www.evil.example", "http://a"]
)
def test_what_is_looked_for_after_rendering_is_in_two_elements(text: str) -> None:
    found = re.split(r"<[^>]+>", escape(text))
    patterns = (r"@\w", r"#\d", r":\w+:", r"GH-\d", r"www\.\w", r"http://")
    assert not any(re.search(pattern, part) for pattern in patterns for part in found)
    assert "".join(found) == text


def test_a_name_cannot_turn_what_stands_beside_it() -> None:
    assert escape_name("طائر الماء \u202e txt") == "\u2068طائر الماء txt\u2069"
    assert "\u2069" not in escape_name("a\u2069b")


# --- the summaries ---------------------------------------------------------------------------


def gated(tmp_path: Path, inputs: ReportInputs, *flags: str) -> str:
    report, out = tmp_path / "report.json", tmp_path / "summary.md"
    save_artifact(report, build_report(inputs))
    assert main(["gate", str(report), "--min-worst-group", "0.8", *flags, "--markdown", str(out)]) in (0, 1)
    return out.read_text(encoding="utf-8")


def titles(markdown: str) -> list[str]:
    return re.findall(r"^### (.*)", markdown, re.MULTILINE)


EVERYTHING = ("--min-average", "0.99", "--max-gap", "0.01", "--max-flip-rate", "0.01", "--max-leaking", "0")


@pytest.mark.parametrize("inputs", [photo_birds, plain_hundred, repaired_birds, hostile_birds, bare])
@pytest.mark.parametrize("method", ["all", None])
def test_every_summary_is_whole_and_short(inputs: Any, method: str | None, tmp_path: Path) -> None:
    flags = [*EVERYTHING, "--forbid", "used,harmful,available", *(["--method", method] if method else [])]
    markdown = gated(tmp_path, inputs(), *flags)
    page = Page(markdown)
    assert set(page.tags) <= OURS
    assert not [a for a in page.attributes if a[0] != "style"], "style: the alignment of a column"
    assert len([word for word in page.text.split() if re.search(r"\w", word)]) <= 250
    assert not re.search(r"\bnan\b|\bNone\b", page.text)
    sizes = {len(line.split(" | ")) for line in markdown.splitlines() if line.startswith("| ")}
    assert sizes == {4}, "rows have as many cells as their head"


def test_a_failed_rung_stands_there_once(tmp_path: Path) -> None:
    summary = build_report(photo_birds())
    page = Page(gated(tmp_path, photo_birds(), "--min-average", "0.5", "--forbid", "used,harmful"))
    assert summary.verdict.headline[:100] in page.text
    for words in ("forbidden: the model uses the cue", "forbidden: a group pays", "ERM, worst group"):
        assert page.text.count(words) == 1
    assert "62.0% [" in page.text
    assert "at least 80%" in page.text
    assert "❌" in page.text
    assert "Passed: ERM, average." in page.text
    assert f"Next: {summary.verdict.next_steps[0].action}"[:60] in page.text


def test_the_headline_and_the_next_step_are_about_the_model_that_is_judged(tmp_path: Path) -> None:
    summary = build_report(photo_birds())
    asked = ("--min-average", "0.99", "--forbid", "used,harmful", "--method", "group_dro")
    text = Page(gated(tmp_path, photo_birds(), *asked)).text
    assert "ERM relies on" not in text
    assert summary.verdict.next_steps[0].action == "Use the Group DRO model instead of ERM."
    assert "instead of ERM" not in text
    n_failed = len(re.findall(r"^Group DRO, ", text, re.MULTILINE))
    assert (
        f"Group DRO passes {4 - n_failed} of 4 checks, judged instead of the baseline ERM; its worst" in text
    )
    everyone = Page(gated(tmp_path, photo_birds(), "--method", "all")).text
    assert "ERM passes 0 of 1 check and Group DRO passes 0 of 1 check." in everyone
    assert "a narrower interval may pass 1 of the 2 failed checks" in everyone


@pytest.mark.parametrize("inputs", [photo_birds, repaired_birds, plain_hundred])
@pytest.mark.parametrize("method", ["all", "erm"])
def test_nothing_breaks_off_within_a_sentence(inputs: Any, method: str, tmp_path: Path) -> None:
    asked = (*EVERYTHING, "--forbid", "used,harmful", "--method", method)
    markdown = gated(tmp_path, inputs(), *asked)
    assert "…" not in markdown
    headline = Page(markdown).text.strip().splitlines()[1].strip()
    assert headline.endswith(".")
    for line in markdown.splitlines():
        if line.startswith("| ") and not line.startswith(("| failed", "| ---")):
            why = line.strip("| ").split(" | ")[3]
            assert why.count("(") == why.count(")")
            assert why.count("“") == why.count("”")


@pytest.mark.parametrize(
    ("text", "n_words", "part"),
    [
        ("It fails. It is big.", 4, "It fails."),
        ("It fails: it is big; it is old.", 5, "It fails: it is big"),
        ("It fails in “a. b; c” alone, we think.", 4, ""),
        ("It fails (as always: two, of three) here.", 3, ""),
        ("Use Removal (repair). It is good.", 3, "Use Removal (repair)."),
        ("It fails (more images would do)", 2, "It fails"),
        ("It fails by 5 / 6", 5, "It fails by 5 / 6"),
    ],
)
def test_a_short_text_ends_where_a_clause_ends(text: str, n_words: int, part: str) -> None:
    assert whole_part(text, n_words) == part


def test_what_passes_needs_no_table(tmp_path: Path) -> None:
    markdown = gated(tmp_path, photo_birds(), "--min-worst-group", "0.5", "--use", "estimate")
    assert "✅" in markdown
    assert "|" not in markdown
    assert "Next" not in markdown


def test_small_groups_are_counted_in_the_reason(tmp_path: Path) -> None:
    inputs = plain_hundred()
    markdown = gated(tmp_path, inputs)
    assert "12 of 60 groups have fewer than" in markdown


def test_hostile_groups_are_text_in_both_summaries(tmp_path: Path) -> None:
    attack = "@octocat | <img src=x> `x` [a](b)"
    inputs = photo_birds(class_names=(attack, "waterbird"))
    names = [group.name for group in inputs.info.groups if isinstance(group, GroupInfo)]
    page = Page(gated(tmp_path, replace(inputs, info=inputs.info.model_copy(update={"title": attack}))))
    assert set(page.tags) <= OURS
    assert page.text.strip().startswith(f"❌ {attack}: gate failed")
    out = tmp_path / "compare.md"
    report = tmp_path / "report.json"
    assert main(["compare", f"{report}:erm", f"{report}:group_dro", "--markdown", str(out)]) == 0
    page = Page(out.read_text(encoding="utf-8"))
    assert set(page.tags) <= OURS
    assert set(names) <= {cell.strip() for cell in page.cells}


def test_a_comparison_shows_each_difference(tmp_path: Path) -> None:
    report, out = tmp_path / "report.json", tmp_path / "compare.md"
    save_artifact(report, build_report(photo_birds()))
    assert main(["compare", f"{report}:erm", f"{report}:group_dro", "--markdown", str(out)]) == 0
    markdown = out.read_text(encoding="utf-8")
    assert titles(markdown) == ["ERM and Group DRO", "Verdict"]
    assert re.search(r"\| waterbird / land \| 62\.0% \[.*\] \| 84\.0% \[.*\] \| \+21\.\d|\+22\.\d", markdown)
    assert "2 of 2 answers changed; asked of each of the two methods." in markdown


def test_a_comparison_of_many_groups_fits_a_comment(tmp_path: Path) -> None:
    first, second, out = (tmp_path / name for name in ("a.json", "b.json", "c.md"))
    for path in (first, second):
        save_artifact(path, build_report(plain_hundred()))
    assert main(["compare", str(first), str(second), "--markdown", str(out)]) == 0
    assert len(out.read_text(encoding="utf-8")) < MAX_COMMENT
