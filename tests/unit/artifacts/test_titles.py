"""Titles are what people read; names stay what files hold, and no training depends on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from pipeline.artifacts.titled import retitle, with_titles
from pipeline.artifacts.titles import resolve_titles
from pipeline.core.errors import InputError
from pipeline.records.base import GroupEstimate
from pipeline.records.color import ColorFinding, LabelColor
from pipeline.records.report import Report
from pipeline.records.titles import Titles
from pipeline.report.compare.matching import match_groups, note_attributes
from pipeline.report.compare.sides import Side
from pipeline.settings.parsing import parse
from pipeline.settings.titles import TitlesSettings
from tests.fixtures.planted.audit import audit_data, explain_method
from tests.fixtures.report import AFTER, BEFORE, BIRDS, ReportInputs, build_report, photo_birds
from tests.fixtures.slices import slices_of

ASKED = {
    "dataset": "Birds, retold",
    "attribute": "background photo",
    "values": {"land": "a meadow", "water": "a lake"},
    "classes": {"landbird": "perching bird", "waterbird": "swimming bird"},
}


@cache
def birds() -> ReportInputs:
    return photo_birds()


def resolved(asked: Mapping[str, Any], **options: bool) -> Titles:
    return resolve_titles(parse(TitlesSettings, asked), birds().info, birds().info, **options)


@cache
def retold() -> Report:
    inputs = birds()
    told = with_titles(inputs.results, resolved(ASKED), audits=True)
    explained = {m: explain_method(BIRDS, m, table) for m, table in (("erm", BEFORE), ("group_dro", AFTER))}
    return build_report(
        replace(
            inputs,
            **{
                name: getattr(told, name)
                for name in (
                    "info",
                    "color",
                    "hygiene",
                    "histories",
                    "evaluations",
                    "attributions",
                    "gradcams",
                    "indicators",
                )
            },
            comparisons=[retitle(c, resolved(ASKED)) for c in inputs.comparisons],
            slices=slices_of(audit_data(BIRDS), explained, inputs.limits, told.info),
        )
    )


def strings(node: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(node, dict):
        keys = [(f"{path}.{key}", key) for key in node]
        return keys + [found for key, value in node.items() for found in strings(value, f"{path}.{key}")]
    if isinstance(node, list):
        return [found for value in node for found in strings(value, f"{path}[]")]
    return [(path, node)] if isinstance(node, str) else []


def test_no_name_slips_through() -> None:
    """Every string of the report, its verdict's sentences among them."""
    titled = {"landbird", "waterbird", "land", "water", "place"}
    spoken = re.compile(r"(?<![\w-])(" + "|".join(titled) + r")(?![\w-])")
    left = {
        (path, text)
        for path, text in strings(json.loads(retold().model_dump_json()))
        if spoken.search(text)
        and not path.startswith((".verdict.titles", ".listed.files", ".dataset.source_info", ".reading"))
    }
    # prose that the data's author wrote
    left -= {(path, text) for path, text in left if path in (".dataset.attributes[].description",)}
    assert not left


def test_names_and_titles_say_the_same_numbers() -> None:
    plain = build_report(birds())
    for method, found in plain.methods.items():
        told = retold().methods[method]
        assert told.test.worst_group.value == found.test.worst_group.value
        assert told.test.worst_group.index == found.test.worst_group.index
    assert [r.status for r in retold().verdict.rungs] == [r.status for r in plain.verdict.rungs]
    assert retold().dataset.title == "Birds, retold"
    assert retold().dataset.groups[1].name == "perching bird / a lake"
    assert "background photo" in retold().verdict.headline


def test_without_titles_records_are_the_same_objects() -> None:
    found = birds().results
    assert with_titles(found, Titles(), audits=True) is found
    assert resolved({}) == Titles()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"values": {"lnd": "x"}},
            r"datasets\.photo_birds\.titles\.values names 'lnd'; did you mean 'land'\? The data have land, "
            r"water\. Write `titles: \{ values: \{ land: x \} \}`",
        ),
        ({"classes": {"duck": "x"}}, r"titles\.classes names 'duck'.* The data have landbird, waterbird\."),
        ({"attribute": {"photo": "x"}}, r"titles\.attribute names 'photo'.* The data have place\."),
        (
            {"classes": {"landbird": "bird", "waterbird": "bird"}},
            "landbird and waterbird would both be called",
        ),
        ({"values": {"land": "water"}}, "land and water would both be called 'water'"),
    ],
)
def test_a_name_that_the_data_lack_is_an_error_with_what_there_is(
    asked: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolved(asked)


def test_settings_take_numbers_as_names_and_refuse_blanks() -> None:
    assert parse(TitlesSettings, {"classes": {0: "zero"}}).classes == {"0": "zero"}
    with pytest.raises(InputError, match="a title must have a letter"):
        parse(TitlesSettings, {"attribute": "  "})
    with pytest.raises(InputError, match="value is not a known key; did you mean 'values'"):
        parse(TitlesSettings, {"value": {"land": "x"}})


def test_titles_may_swap_names() -> None:
    swapped = resolved({"values": {"land": "water", "water": "land"}})
    assert swapped.groups["landbird / land"] == "landbird / water"
    group = GroupEstimate(value=0.5, low=0.4, high=0.6, n=9, index=0, name="landbird / land")
    assert retitle(group, swapped).name == "landbird / water"


def test_kinds_of_things_are_no_names() -> None:
    """A class may be called like an intervention, an odd image or a region."""
    titles = Titles(classes={"whole": "x", "darker": "x2"}, values={"label": "y"}, attributes={"color": "z"})
    finding = next(iter(birds().color.findings), None)
    assert finding is not None
    color = retitle(finding.model_copy(update={"region": "whole"}), titles)
    assert (color.region, color.target) == ("whole", "label")
    use = next(m.cue_use for m in birds().evaluations.values() if m.cue_use)
    assert retitle(use.model_copy(update={"cue": "color"}), titles).cue == "color"
    words = LabelColor.model_fields
    assert "direction" in words, "which holds a word of its own"


def test_one_word_may_be_a_class_and_a_value() -> None:
    titles = Titles(classes={"red": "red fish"}, values={"red": "red light"})
    base = next(iter(birds().color.findings))
    of_class: ColorFinding = retitle(base.model_copy(update={"class_name": "red", "target": "label"}), titles)
    of_value = retitle(base.model_copy(update={"class_name": "red", "target": "light"}), titles)
    assert (of_class.class_name, of_value.class_name) == ("red fish", "red light")


def test_audits_of_one_source_have_titles_of_their_own() -> None:
    assert resolved({}, shares_source=True).dataset == "Birds on photographs (photo_birds)"
    assert resolved({"dataset": "Mine"}, shares_source=True).dataset == "Mine"


def test_reports_before_and_after_new_titles_have_the_same_groups() -> None:
    plain, told = build_report(birds()), retold()
    told = told.model_copy(update={"verdict": told.verdict.model_copy(update={"titles": resolved(ASKED)})})
    sides = Side("before.json", plain, "erm", None), Side("after.json", told, "erm", None)
    matched = match_groups(*sides)
    assert [group.second.name for group in matched.groups] == [group.name for group in told.dataset.groups]
    assert not matched.only_first
    assert note_attributes(("one", "two"), *sides) == ""
    other = told.model_copy(update={"verdict": plain.verdict})
    assert match_groups(sides[0], Side("other.json", other, "erm", None)).only_second, "other data, it seems"
