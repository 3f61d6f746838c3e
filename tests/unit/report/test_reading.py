"""Methods in plain words: whatever a report uses is explained, and nothing else."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import get_args

import pytest
from markupsafe import Markup

from pipeline.methods.registry import find_method, method_names
from pipeline.records.attribution import AttributionResult, LabelRanking
from pipeline.records.report import Report
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from pipeline.report.reading.explained import ENTRIES, METHODS
from pipeline.report.reading.references import REFERENCES
from pipeline.report.reading.terms import explain_term, explain_terms, find_terms
from pipeline.report.reading.texts import TEXTS
from tests.fixtures.report import (
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
)


def keys(summary: Report) -> set[str]:
    return {entry.key for entry in summary.reading}


def test_every_entry_has_a_text_and_every_source_is_used() -> None:
    assert list(TEXTS) == [key for key in ENTRIES if key != METHODS]
    assert {source for entry in ENTRIES.values() for source in entry.sources} == set(REFERENCES)
    placeholders = {
        name for text in TEXTS.values() for _, name, _, _ in string.Formatter().parse(text.text) if name
    }
    assert placeholders == {"effect", "kappa", "cramers_v"}
    assert all(1 <= text.text.count(". ") + 1 <= 5 for text in TEXTS.values())


def test_every_method_and_estimator_has_an_entry() -> None:
    assert set(get_args(AttributionResult.model_fields["estimator"].annotation)) <= set(ENTRIES)
    assert {"aum", "self_influence", "attribution"} <= set(ENTRIES)
    for name in method_names():
        words = find_method(name).words
        assert words.sources, f"{name} has no published reference"
        assert 1 <= words.text.count(". ") + 1 <= 4


def test_methods_of_the_report_are_explained_and_others_are_not() -> None:
    summary = build_report(repaired_birds())
    assert set(summary.methods) <= keys(summary)
    assert not (set(method_names()) - set(summary.methods)) & keys(summary)


@pytest.mark.parametrize(
    ("term", "makes"),
    [
        ("lds", lambda s: any(a.lds for a in s.attribution.values())),
        ("energy", lambda s: any(g.energy_in_mask for g in s.gradcam.values())),
        ("sanity", lambda s: any(g.sanity for g in s.gradcam.values())),
        ("background_swap", lambda s: s.dataset.has_masks and bool(s.methods)),
        ("multiplicity", lambda s: bool(s.verdict.comparisons)),
        ("duplicates", lambda s: s.hygiene is not None),
        ("shares", lambda s: any(a.shares for a in s.attribution.values())),
        ("seeds", lambda s: any(len(m.seeds) > 1 for m in s.methods.values())),
        ("trak", lambda s: bool(s.attribution)),
    ],
)
def test_a_statistic_is_explained_where_it_is_used(term: str, makes) -> None:  # type: ignore[no-untyped-def]
    for inputs in (photo_birds(), plain_hundred(), bare()):
        summary = build_report(inputs)
        assert (term in keys(summary)) == makes(summary), (inputs.info.name, term)


def test_rankings_are_explained_by_their_name() -> None:
    summary = build_report(photo_birds())
    errors = summary.attribution["erm"].label_errors
    assert errors is not None
    assert {ranking.name for ranking in errors.rankings} <= keys(summary)
    assert isinstance(errors.rankings[0], LabelRanking)


def test_thresholds_in_the_texts_are_the_reports() -> None:
    summary = build_report(photo_birds())
    ladder = next(entry for entry in summary.reading if entry.key == "ladder")
    assert f"{summary.verdict.thresholds.min_effect:.0%}" in ladder.text
    assert "{" not in " ".join(entry.text for entry in summary.reading)


def test_references_are_links_that_load_nothing() -> None:
    html = render_report(build_report(repaired_birds()), Pictures())
    assert '<a href="https://arxiv.org/abs/1911.08731" rel="noopener noreferrer">arXiv:1911.08731</a>' in html
    assert 'id="term-group_dro"' in html
    for reference in REFERENCES.values():
        number = reference.identifier.partition(":")[2]
        assert reference.link == "" or reference.link.endswith(number)
        assert reference.identifier


def test_a_report_from_before_the_list_says_so() -> None:
    summary = build_report(photo_birds())
    kept = {key: value for key, value in summary.model_dump(mode="json").items() if key != "reading"}
    old = Report.model_validate(kept)
    assert "made before methods were listed" in render_report(old, Pictures())


def test_every_term_has_a_short_meaning_and_a_place_on_the_page() -> None:
    terms = find_terms()
    assert len({term.key for term in terms}) == len(terms)
    html = render_report(build_report(photo_birds()), Pictures())
    for term in terms:
        assert len(term.meaning.split()) <= 25, term.key
        assert term.meaning.endswith("."), term.key
        assert f'id="word-{term.key}"' in html


def test_a_term_is_a_link_to_its_entry_that_says_its_meaning() -> None:
    link = explain_term("worst_group", "worst <b>groups</b>")
    assert link == (
        '<a class="term" href="#word-worst_group" data-tip="The group of which the least is right, among '
        'those with enough images." aria-describedby="word-worst_group">worst &lt;b&gt;groups&lt;/b&gt;</a>'
    )
    assert ">ERM</a>" in explain_term("erm")
    with pytest.raises(KeyError, match="wrst_group"):
        explain_term("wrst_group")


def test_a_sentence_explains_its_terms_once_and_leaves_names_alone() -> None:
    sentence = Markup(
        "Removal (repair) moves a <b>cue</b>; the cue of “cue &amp; seed” is no SEED, nor cued."
    )
    found = explain_terms(sentence)
    assert found.count('class="term"') == 3, "removal, the first cue, and the seed"
    assert 'href="#word-repair"' in found
    assert "“cue &amp; seed”" in found
    assert found.endswith(">SEED</a>, nor cued.")
    assert explain_terms(Markup("Nothing to explain.")) == "Nothing to explain."


@pytest.mark.parametrize("make", [photo_birds, hostile_birds])
def test_the_chapters_explain_their_terms(make: Callable[[], ReportInputs]) -> None:
    page = render_report(build_report(make()), Pictures())
    said = re.findall(r'<p class="said">.*?</p>', page, re.DOTALL)
    assert len(said) == 5
    assert 'href="#word-group_dro"' in said[4]
    assert all('href="#word-erm"' not in text for text in said[:2])


def test_a_word_of_the_glossary_is_explained_once() -> None:
    page = render_report(build_report(photo_birds()), Pictures())
    found = re.findall(r"<dt>shortcut</dt>", page, re.IGNORECASE)
    assert len(found) == 1
