"""One self-contained HTML page from a report and its pictures. It formats and adds no number."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.core import words
from pipeline.core.errors import InputError
from pipeline.records.report import Report
from pipeline.report.page.gallery import KIND_WORDS
from pipeline.report.page.pictures import Pictures
from pipeline.report.page.view import View
from pipeline.report.provenance import yaml_text
from pipeline.report.reading.terms import explain_term, explain_terms, find_terms
from pipeline.verdict import phrases

MAX_BYTES = 5_000_000
SCRIPTS = ("script.js", "lists.js", "gallery.js")  # one after the other
LONG = 12  # longer lists fold away or scroll


def render_report(report: Report, pictures: Pictures) -> str:
    """The whole report as one HTML document that needs no network and works without scripts.

    Raises:
        InputError: the page is larger than 5 MB; the message names the settings that shrink it.
    """
    page: str = load_template("report.html.j2").render(
        s=report,
        pictures=pictures,
        view=View(report, pictures),
        sheets=_sheets(),
        script=_script(),
        script_hash=_script_hash(),
    )
    size = len(page.encode("utf-8"))
    if size > MAX_BYTES:
        raise InputError(
            f"the report of {report.dataset.name} has {size / 1e6:.1f} MB, more than the "
            f"{MAX_BYTES / 1e6:.0f} MB that open well everywhere. Lower report.examples_per_group, "
            "report.targets_shown or report.thumbnail, or set groups.group_by to superclass or all."
        )
    return page


def load_template(name: str) -> Any:
    """A template of this package, with autoescape and the number formats as filters."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats: dict[str, Callable[..., Any]] = {
        "percent": words.percent,
        "points": words.points,
        "number": words.number,
        "signed": words.signed,
        "significant": words.significant,
        "per_thousand": words.per_thousand,
        "count": words.count,
        "p_text": words.p_text,
        "percent_interval": phrases.percent_interval,
        "points_interval": phrases.points_interval,
        "method": phrases.method_label,
        "subtitle": phrases.method_subtitle,
        "first_use": phrases.first_use,
        "spelled": words.spelled,
        "term": explain_term,
        "explain_terms": explain_terms,
        "intervention": phrases.intervention_label,
        "family": phrases.family_label,
        "number_interval": phrases.number_interval,
        "ranking": phrases.ranking_label,
        "list_name": phrases.list_name,
        "short": words.shorten,
        "tip": phrases.chart_tip,
        "missing_phrase": phrases.missing_phrase,
        "duration": words.duration,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "isolate_names": isolate_names,
        "breakable": breakable,
        "yaml_text": yaml_text,
    }
    environment.filters.update(formats)
    environment.globals.update(
        kind_words=KIND_WORDS,
        status_words=phrases.STATUS_WORDS,
        too_few=phrases.TOO_FEW,
        list_purposes=phrases.LIST_PURPOSES,
        projection_words=phrases.PROJECTION_WORDS,
        inference_words=phrases.INFERENCE_WORDS,
        selection_words=phrases.SELECTION_WORDS,
        long=LONG,
        terms=find_terms(),
    )
    return environment


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after an underscore, before it is broken within a word."""
    return Markup("_<wbr>").join(name.split("_"))


def isolate_names(sentence: str) -> Markup:
    """A sentence that names in another script cannot reorder; "n = 642" stays on one line."""
    plain = re.sub("[\u202a-\u202e]", "", sentence)  # a stray override would turn the rest around
    kept = re.sub(r"\b(n|p|V|q) ([=<]) ", "\\1\N{NO-BREAK SPACE}\\2\N{NO-BREAK SPACE}", plain)
    return Markup('<span dir="ltr">{}</span>').format(kept)


@cache
def _sheets() -> list[str]:
    """The charts' style sheets."""
    return [name for name in _environment().list_templates() if re.fullmatch(r"charts/\w+\.css", name)]


@cache
def _script() -> Markup:
    loader = PackageLoader("pipeline.report.page")
    return Markup("".join(loader.get_source(_environment(), name)[0] for name in SCRIPTS))


@cache
def _script_hash() -> str:
    return base64.b64encode(hashlib.sha256(str(_script()).encode("utf-8")).digest()).decode("ascii")
