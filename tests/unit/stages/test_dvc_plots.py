"""`dvc plots`: columns that exist, templates that DVC fills, a page that loads nothing."""

from __future__ import annotations

import configparser
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer

from pipeline.artifacts.tables import group_table, inert, mean_curves
from tests.fixtures.plots import ROOT, TEMPLATES, declared_plots, read_rows, tables, write_page
from tests.fixtures.report import HOSTILE_NAMES, hostile_birds, photo_birds, plain_hundred


def fields_of(template: object) -> set[str]:
    """Every `field` that a template reads, anchors left out."""
    if isinstance(template, list):
        return set().union(*map(fields_of, template), set())
    if not isinstance(template, dict):
        return set()
    own = {template["field"]} if isinstance(template.get("field"), str) else set()
    return {f for f in own if not f.startswith("<DVC")}.union(*map(fields_of, template.values()))


@pytest.mark.parametrize("path", declared_plots())
def test_every_column_of_a_plot_is_written(path: str) -> None:
    properties = declared_plots()[path]
    columns = set(tables(photo_birds())[Path(path).name].columns)
    template = json.loads((TEMPLATES / f"{properties['template']}.json").read_text())
    assert {properties["x"], properties["y"]} <= columns
    assert fields_of(template) <= columns | {"rev"}
    assert {"title", "x_label", "y_label"} <= set(properties)


@pytest.mark.parametrize("path", declared_plots())
def test_dvc_fills_the_templates(path: str) -> None:
    properties = declared_plots()[path]
    rows = read_rows(tables(photo_birds())[Path(path).name], "workspace")
    filled = VegaRenderer(rows, path, template_dir=str(TEMPLATES), **properties).get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(filled)
    assert filled["data"]["values"] == rows
    assert filled["usermeta"]["x"] == properties["x"]


def test_the_page_is_the_one_that_dvc_is_told_of() -> None:
    config = configparser.ConfigParser()
    config.read_string((ROOT / ".dvc" / "config").read_text())
    assert (ROOT / ".dvc" / config["plots"]["html_template"]).is_file()


def test_the_page_names_no_address_but_schemas(tmp_path: Path) -> None:
    html = write_page(photo_birds(), tmp_path, ["HEAD", "workspace"]).read_text()
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]+[^\s\"'<]*", html))
    assert addresses <= {"https://vega.github.io/schema/vega-lite/v5.json", "http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in html
    assert "{plot_divs}" not in html
    assert html.count("vegaEmbed(") == 1 + len(declared_plots())


def test_hostile_names_end_no_script(tmp_path: Path) -> None:
    class Scripts(HTMLParser):
        count = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.count += tag == "script"

    page = Scripts()
    html = write_page(hostile_birds(), tmp_path).read_text()
    page.feed(html)
    assert page.count == 1 + len(declared_plots())
    assert "alert(1)</script>" not in html


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "=cmd|' /C calc'!A0", "a\nb", "-1", "@x", "\u202eabc"])
def test_names_are_inert(name: str) -> None:
    plain = inert(name)
    assert not set("<>\n\u202e") & set(plain)
    assert not plain.startswith(("=", "+", "-", "@"))
    assert inert("digits 0-4 / flower") == "digits 0-4 / flower"


def test_groups_with_too_few_images_have_their_accuracy_and_a_note() -> None:
    inputs = plain_hundred()
    table = group_table(inputs.evaluations.values())
    thin = [not group.sufficient for group in inputs.evaluations["erm"].test.groups]
    assert any(thin)
    assert table["accuracy"].notna().all()
    assert (table["note"] == "too few to decide").tolist() == thin


def test_curves_are_means_over_seeds_of_every_method() -> None:
    histories = photo_birds().histories
    table = mean_curves(histories.values())
    assert table["method"].unique().tolist() == list(histories)
    epochs = [record for record in histories["erm"].epochs if record.epoch == 1]
    mean = sum(record.val_average for record in epochs) / len(epochs)
    row = table[(table["method"] == "erm") & (table["epoch"] == 1)].iloc[0]
    assert row["val_average"] == pytest.approx(mean, abs=1e-5)
    assert mean_curves([]).empty
