"""`reports/studies.html`: one section a study, its finding first; one file that needs no network."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup
from pydantic import ValidationError

from pipeline.core.errors import ArtifactError
from pipeline.report.page.inline_svg import DASHES
from studies.frame.charts import draw, shown
from studies.frame.registry import NAMES, find_study
from studies.frame.study import Chart, Number, Result, Study

_VERDICTS = {"supported": "good", "refuted": "bad", "not shown": "open"}  # the page's colors


@dataclass(frozen=True)
class DrawnChart:
    chart: Chart
    svg: Markup


@dataclass(frozen=True)
class Section:
    study: Study
    result: Result | None  # None: not run yet
    charts: list[DrawnChart]


def load_results(folder: Path) -> dict[str, Result]:
    """The results that are there.

    Raises:
        ArtifactError: one cannot be read.
    """
    found = {}
    for name in NAMES:
        path = folder / f"{name}.json"
        if path.exists():
            try:
                found[name] = Result.model_validate_json(path.read_text(encoding="utf-8"))
            except (ValidationError, UnicodeDecodeError) as error:
                raise ArtifactError(
                    f"{path} cannot be read ({error}). Run `python -m studies {name}` to make it again."
                ) from None
    return found


def make_html(results: dict[str, Result]) -> str:
    """The page of all studies, in the order of the registry."""
    here = importlib.resources.files("studies.frame") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (here / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "interval": _interval}
    style = importlib.resources.files("pipeline.report.page") / "templates" / "style.css"
    return environment.get_template("page.html.j2").render(
        sections=[_section(name, results.get(name)) for name in NAMES],
        style=Markup(style.read_text(encoding="utf-8")),
        colors=_VERDICTS,
        dashes=[" ".join(map(str, dash)) for dash in DASHES],
    )


def _section(name: str, result: Result | None) -> Section:
    charts = result.finding.charts if result else []
    drawn = [DrawnChart(chart, Markup(draw(chart, f"{name}-{i}"))) for i, chart in enumerate(charts)]
    return Section(find_study(name), result, drawn)


def _interval(number: Number) -> str:
    share, e = number.unit == "share", number.estimate
    return f"{shown(e.low, share)} to {shown(e.high, share)}"
