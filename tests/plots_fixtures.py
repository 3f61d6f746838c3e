"""The page of `dvc plots` from the tables that the report stage writes, made by DVC's own renderer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML

from pipeline.report.summary import ReportInputs
from pipeline.stages.tables import group_table, mean_curves

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / ".dvc" / "plots"


def declared_plots() -> dict[str, dict[str, str]]:
    """Path -> properties of every plot in dvc.yaml."""
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
    listed = [plot for stage in stages.values() for plot in stage.get("do", stage).get("plots", [])]
    return {path: properties for plot in listed for path, properties in plot.items()}


def tables(inputs: ReportInputs) -> dict[str, pd.DataFrame]:
    """File name -> table, as the report stage writes them."""
    return {
        "curves.csv": mean_curves(inputs.histories.values()),
        "groups.csv": group_table(inputs.evaluations.values()),
    }


def read_rows(table: pd.DataFrame, revision: str) -> list[dict[str, str]]:
    """Data points as DVC reads them from a CSV: everything is a string."""
    lines = table.astype(object).where(table.notna(), "").astype(str).to_dict(orient="records")
    return [{str(key): value for key, value in line.items()} | {"rev": revision} for line in lines]


def write_page(
    inputs: ReportInputs, folder: Path, revisions: Sequence[str] = ("workspace",), **more: Any
) -> Path:
    """`dvc_plots/index.html` of a report's tables; `more` is a further plot's data points by name."""
    found = tables(inputs)
    renderers = []
    for path, properties in declared_plots().items():
        rows = [row for revision in revisions for row in read_rows(found[Path(path).name], revision)]
        renderers.append(VegaRenderer(rows, path, template_dir=str(TEMPLATES), **properties))
    renderers += [VegaRenderer(rows, name, x="a", y="b") for name, rows in more.items()]
    page = folder / "index.html"
    render_html(renderers, page, html_template=ROOT / ".dvc" / "plots_page.html")
    return page
