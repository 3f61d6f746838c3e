"""Tables and figures of an export: everything in the JSON, nothing else, and reasons for what is missing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from pipeline.records.base import GroupEstimate
from pipeline.records.report import Report
from pipeline.report.export.figures import ROWS_DRAWN, build_figures
from pipeline.report.export.readme import write_readme
from pipeline.report.export.svg_file import LIGHT, METHOD_COLORS, FigureFile, label
from pipeline.report.export.tables import build_tables
from pipeline.report.guesses import list_guesses
from pipeline.verdict.phrases import method_label
from tests import ROOT
from tests.fixtures.report import (
    HOSTILE_CLASS,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
    used_cue_birds,
    withheld_birds,
)

SAMPLE = ROOT / "docs" / "sample" / "photo_digits.json"
VARIANTS: list[Callable[[], ReportInputs]] = [
    photo_birds,
    repaired_birds,
    plain_hundred,
    hostile_birds,
    withheld_birds,
    bare,
]
SVG = "{http://www.w3.org/2000/svg}"


@cache
def summarized(make: Callable[[], ReportInputs]) -> Report:
    return build_report(make())


@cache
def sample() -> Report:
    return Report.model_validate_json(SAMPLE.read_text())


@cache
def drawn(make: Callable[[], ReportInputs]) -> list[FigureFile]:
    return build_figures(summarized(make))


def tables(s: Report) -> dict[str, pd.DataFrame]:
    return {t.name: t.frame() for t in build_tables(s) if t.rows}


def estimates(node: Any, path: str = "") -> Iterator[tuple[str, tuple[float, ...]]]:
    """Every number with an interval, wherever it is in the JSON."""
    if isinstance(node, dict):
        if {"value", "low", "high"} <= set(node):
            yield path, (node["value"], node["low"], node["high"])
        for key, value in node.items():
            yield from estimates(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from estimates(value, path)


@pytest.mark.parametrize("make", [None, *VARIANTS, used_cue_birds])
def test_every_estimate_of_the_json_is_in_a_table(make: Callable[[], ReportInputs] | None) -> None:
    s = summarized(make) if make else sample()
    written = set()
    for name, frame in tables(s).items():
        if name != "settings" and {"value", "low", "high"} <= set(frame.columns):
            rows = frame[["value", "low", "high"]].dropna()
            written |= {tuple(map(float, row)) for row in rows.itertuples(index=False)}
    missing = [path for path, e in estimates(json.loads(s.model_dump_json())) if e not in written]
    assert not missing


@pytest.mark.parametrize("make", [None, *VARIANTS])
def test_every_number_of_a_table_is_in_the_json(make: Callable[[], ReportInputs] | None) -> None:
    s = summarized(make) if make else sample()
    known = {float(v) for v in numbers(json.loads(s.model_dump_json()))}
    # balanced accuracies have kappa's interval on their own scale
    known |= {end for guess in list_guesses(s.color) for end in (guess.accuracy.low, guess.accuracy.high)}
    for name, frame in tables(s).items():
        for column in frame.columns:
            # ranks and epochs count from 1; a share of changes is a count of rows
            if frame[column].dtype == "Float64" and column not in ("rank", "epoch"):
                found = {float(v) for v in frame[column].dropna()}
                assert found <= known, (name, column)


def numbers(node: Any) -> Iterator[float]:
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from numbers(value)
        elif isinstance(value, int | float) and math.isfinite(value):
            yield value


def test_the_groups_of_the_sample_are_all_there() -> None:
    s, frame = sample(), tables(sample())["group_accuracy"]
    accuracy = frame[(frame["split"] == "test") & (frame["measure"] == "accuracy")]
    assert len(accuracy) == len(s.methods) * len(s.dataset.groups)
    row = accuracy[(accuracy["method"] == "dfr") & (accuracy["group"] == "digits 5-9 / temple")].iloc[0]
    groups = s.verdict.methods["dfr"].groups
    expected: GroupEstimate = next(g for g in groups if g.name == "digits 5-9 / temple")
    assert (row["value"], row["low"], row["high"], row["n"]) == (
        expected.value,
        expected.low,
        expected.high,
        expected.n,
    )


def test_indices_of_the_json_are_names_in_the_tables() -> None:
    s, found = sample(), tables(sample())
    classes = set(s.dataset.classes)
    for name in ("list_suspected_erm_aum", "list_harmful_erm", "list_failures_erm"):
        listed = tables(summarized(photo_birds))[name]
        assert set(listed["label"]) <= set(summarized(photo_birds).dataset.classes), name
        assert set(listed["group"]) <= {g.name for g in summarized(photo_birds).dataset.groups}, name
    assert set(found["attribution_targets"]["predicted"]) <= classes
    assert set(found["associations"]["row"]) == classes


def test_what_cannot_be_a_table_says_why() -> None:
    s = summarized(bare)
    missing = {t.name: t.missing for t in build_tables(s) if not t.rows}
    assert missing["group_accuracy"] == "No model was evaluated."
    assert "traced" in missing["attribution_groups"]
    assert {"groups", "color_guesses", "palettes", "duplicates"} <= set(tables(s))
    for make in VARIANTS:
        parts = [*build_tables(summarized(make)), *drawn(make)]
        assert all(p.missing.endswith(".") for p in parts if not (p.rows if hasattr(p, "rows") else p.svg))
        readme = write_readme(summarized(make), build_tables(summarized(make)), drawn(make), {})
        assert ("## Not in this export" in readme) == any(
            not (p.rows if hasattr(p, "rows") else p.svg) for p in parts
        )


def test_a_report_without_settings_says_so() -> None:
    bare_settings = sample().model_copy(update={"method_settings": {}})
    missing = {t.name: t.missing for t in build_tables(bare_settings) if not t.rows}
    assert "does not name the settings" in missing["settings"]
    settings = tables(summarized(photo_birds))["settings"]
    assert json.loads(settings[settings["setting"] == "lr"]["value"].iloc[0]) == 0.02


# --- figures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", VARIANTS)
def test_figures_are_svg_with_text_a_title_and_nothing_from_elsewhere(
    make: Callable[[], ReportInputs],
) -> None:
    for figure in drawn(make):
        if figure.svg is None:
            continue
        root = ElementTree.fromstring(figure.svg)
        assert root.findtext(f"{SVG}title")
        texts = [t.text for t in root.iter(f"{SVG}text")]
        assert len(texts) > 3, "letters are text, not outlines"
        assert not list(root.iter(f"{SVG}image")), "no pixels"
        assert not list(root.iter(f"{SVG}script"))
        links = re.findall(r'href="([^"]*)"', figure.svg)
        assert all(link.startswith("#") for link in links)
        assert not any(stand_in in figure.svg for stand_in in LIGHT)


def test_every_figure_is_drawn_where_there_are_numbers() -> None:
    there = {f.name for f in drawn(repaired_birds) if f.svg}
    assert {
        "accuracy_by_group", "gains", "learning_curves_erm", "removal_repair", "attribution_groups_erm",
        "lds_erm", "retraining_check_erm", "palettes",
    } <= there  # fmt: skip
    assert {f.name for f in drawn(bare) if f.svg} == {"palettes"}


def test_axes_are_labelled_and_methods_differ_by_more_than_color() -> None:
    svg = next(f.svg for f in drawn(repaired_birds) if f.name == "accuracy_by_group")
    assert svg is not None
    root = ElementTree.fromstring(svg)
    texts = {t.text for t in root.iter(f"{SVG}text")}
    assert {"Accuracy on test images, 95% interval", "ERM", "Group DRO"} <= texts
    marks = {use.get("{http://www.w3.org/1999/xlink}href") for use in root.iter(f"{SVG}use")}
    assert len(marks) >= 3


def test_many_groups_are_cut_to_the_worst_and_the_title_says_so() -> None:
    svg = next(f.svg for f in drawn(plain_hundred) if f.name == "accuracy_by_group")
    assert svg is not None
    title = ElementTree.fromstring(svg).findtext(f"{SVG}title")
    assert title is not None
    assert f"the {ROWS_DRAWN} worst of 60" in title
    first = summarized(plain_hundred).methods["erm"].test.groups
    enough = sorted((g for g in first if g.sufficient), key=lambda g: g.value)
    assert enough[0].name in svg


def test_hostile_names_are_text_in_figures() -> None:
    svgs = [f.svg for f in drawn(hostile_birds) if f.svg]
    texts = [t.text for svg in svgs for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert any(HOSTILE_CLASS in str(text) for text in texts)
    assert not any("\u202e" in svg for svg in svgs)


NAMES = ["$\\frac{$", "$x^2$", "_hidden", "a\x00\x0bb", "x" * 300, "🦆", "طائر\u202e"]


@pytest.mark.parametrize("text", NAMES)
def test_labels_survive_the_plot_library(text: str) -> None:
    from pipeline.report.export.svg_file import draw_file, line_key

    svg = draw_file(label(text), lambda axes: [line_key(label(text), color="#010101")])
    root = ElementTree.fromstring(svg)
    shown = [t.text for t in root.iter(f"{SVG}text")]
    assert label(text) in shown, "neither swallowed by the legend nor set as a formula"


def test_light_colors_are_the_pages() -> None:
    css = (
        Path(build_figures.__code__.co_filename).parents[1] / "page" / "templates" / "style.css"
    ).read_text()
    light = css.split("@media")[0]
    page = dict(re.findall(r"--(ink|soft|line|series-\d|m\d): (#\w{6})", light))
    names = ["ink", "soft", "line", *(f"series-{i}" for i in range(1, 7))]
    assert [page[name] for name in names] == list(LIGHT.values())
    methods = [color for name, color in page.items() if re.fullmatch(r"m\d", name)]
    assert list(METHOD_COLORS[: len(methods)]) == methods


def test_a_method_has_the_pages_color_and_name_in_every_figure() -> None:
    figures = {f.name: f.svg or "" for f in drawn(photo_birds)}
    for i, method in enumerate(summarized(photo_birds).methods):
        assert METHOD_COLORS[i] in figures["accuracy_by_group"]
        assert f">{method_label(method)}</text>" in figures["accuracy_by_group"]
    assert METHOD_COLORS[1] in figures["gains"]
    assert METHOD_COLORS[0] not in figures["gains"], "the baseline gains nothing over itself"


def test_figures_are_the_same_every_time() -> None:
    again = build_figures(summarized(photo_birds))
    assert [f.svg for f in again] == [f.svg for f in drawn(photo_birds)]
