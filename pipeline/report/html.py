"""One self-contained HTML page from a summary and its pictures. It formats and adds no number."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.core.errors import InputError
from pipeline.core.results import GroupAttribution, GroupEstimate
from pipeline.report import charts, wording
from pipeline.report.pictures import HARMFUL_SHOWN, INFLUENCES_SHOWN, Pictures
from pipeline.report.records import ReportSummary

MAX_BYTES = 5_000_000
MATRIX_GROUPS = 10  # more groups than this: only the effects on the worst group are tabled
LONG = 12  # longer lists fold away or scroll

STATUS_WORDS = {"yes": "Yes", "no": "No", "insufficient": "Insufficient evidence"}


def render_report(summary: ReportSummary, pictures: Pictures) -> str:
    """The whole report as one HTML document that needs no network and works without scripts.

    Raises:
        InputError: the page is larger than 5 MB; the message names the settings that shrink it.
    """
    page: str = load_template("report.html.j2").render(
        s=summary,
        pictures=pictures,
        view=_View(summary, pictures),
        script=_script(),
        script_hash=_script_hash(),
    )
    size = len(page.encode("utf-8"))
    if size > MAX_BYTES:
        raise InputError(
            f"the report of {summary.dataset.name} has {size / 1e6:.1f} MB, more than the "
            f"{MAX_BYTES / 1e6:.0f} MB that open well everywhere. Lower report.examples_per_group, "
            "report.targets_shown or report.thumbnail, or set data.group_by to superclass or all."
        )
    return page


def load_template(name: str) -> Any:
    """A template of this package, with autoescape and the number formats as filters."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats: dict[str, Callable[..., Any]] = {
        "percent": wording.percent,
        "points": wording.points,
        "number": wording.number,
        "score": wording.score,
        "count": wording.count,
        "p_text": wording.p_text,
        "percent_interval": wording.percent_interval,
        "points_interval": wording.points_interval,
        "method": wording.method_label,
        "intervention": wording.intervention_label,
        "short": wording.shorten,
        "duration": wording.duration,
        "isolate_names": isolate_names,
    }
    environment.filters.update(formats)
    environment.globals.update(
        status_words=STATUS_WORDS, method_subtitles=wording.METHOD_SUBTITLES, long=LONG
    )
    return environment


def isolate_names(sentence: str) -> Markup:
    """A sentence that names in another script cannot reorder; "n = 642" stays on one line."""
    plain = re.sub("[\u202a-\u202e]", "", sentence)  # a stray override would turn the rest around
    kept = re.sub(r"\b(n|p|V|q) ([=<]) ", "\\1\N{NO-BREAK SPACE}\\2\N{NO-BREAK SPACE}", plain)
    return Markup('<span dir="ltr">{}</span>').format(kept)


@cache
def _script() -> Markup:
    source, _, _ = PackageLoader("pipeline.report").get_source(_environment(), "script.js")
    return Markup(source)


@cache
def _script_hash() -> str:
    return base64.b64encode(hashlib.sha256(str(_script()).encode("utf-8")).digest()).decode("ascii")


@dataclass
class _View:
    """Choices of layout: what is listed, in which order, on which axis."""

    s: ReportSummary
    pictures: Pictures
    _anchored: set[int] = field(default_factory=set)

    def anchor(self, image: int) -> Markup:
        """` id="image-7"` at an image's first appearance, nothing after: ids are unique."""
        if image in self._anchored:
            return Markup("")
        self._anchored.add(image)
        return Markup(' id="image-{}"').format(image)

    def group_name(self, group: int) -> str:
        names = self.s.dataset.groups
        return names[group].name if 0 <= group < len(names) else f"group {group}"

    def class_name(self, label: int) -> str:
        classes = self.s.dataset.classes
        return classes[label] if 0 <= label < len(classes) else f"class {label}"

    @property
    def origin(self) -> str:
        """annotated, derived or none: where the groups' attribute comes from."""
        attributes = self.s.dataset.attributes
        return attributes[0].origin if attributes else "none"

    @property
    def group_rows(self) -> list[tuple[int, dict[str, GroupEstimate]]]:
        """Group index and its accuracy per method, the baseline's worst first, too-few-images last."""
        by_method = {m: {g.name: g for g in method.test.groups} for m, method in self.s.methods.items()}
        rows = [
            (i, {m: found[group.name] for m, found in by_method.items() if group.name in found})
            for i, group in enumerate(self.s.dataset.groups)
        ]
        first = next(iter(self.s.methods), "")

        def order(row: tuple[int, dict[str, GroupEstimate]]) -> tuple[bool, float]:
            known = row[1].get(first)
            return (known is None or not known.sufficient, known.value if known else 0.0)

        return sorted(rows, key=order)

    @property
    def accuracy_scale(self) -> charts.Scale:
        methods = self.s.methods.values()
        return charts.accuracy_scale(
            [g for m in methods for g in m.test.groups if g.sufficient] + [m.test.average for m in methods]
        )

    @property
    def reliance_scale(self) -> charts.Scale:
        found = [i for m in self.s.methods.values() for i in m.interventions]
        return charts.change_scale(
            [i.accuracy_change for i in found] + [i.worst_group_change for i in found if i.worst_group_change]
        )

    @property
    def gain_scale(self) -> charts.Scale:
        found = self.s.comparisons
        return charts.change_scale([c.gain for c in found] + [c.worst_group_gain for c in found])

    @property
    def curve_groups(self) -> list[str]:
        """Groups drawn in the learning curves: all in order, or the worst where there are many."""
        groups = [group.name for group in self.s.dataset.groups]
        if len(groups) <= charts.MAX_CURVES:
            return groups
        return [groups[i] for i, _ in self.group_rows[: charts.MAX_CURVES]]

    def curves(self, method: str) -> Markup | None:
        """The learning curves of one method as SVG; its text is numbers and fixed words only."""
        training = self.s.methods[method].training
        if training is None or training.curves is None:
            return None
        position = list(self.s.methods).index(method)
        return Markup(charts.draw_learning_curves(training.curves, self.curve_groups, f"curves{position}"))

    def dash(self, i: int) -> str:
        """`stroke-dasharray` of the i-th learning curve."""
        return " ".join(map(str, charts.DASHES[i])) or "none"

    def shows_matrix(self) -> bool:
        return len(self.s.dataset.groups) <= MATRIX_GROUPS

    def cells(self, method: str) -> dict[tuple[str, str], GroupAttribution]:
        """(train group, test group) -> mean score."""
        return {(c.train_group, c.test_group): c for c in self.s.attribution[method].groups}

    def largest_score(self, method: str) -> float:
        return max((abs(c.value) for c in self.s.attribution[method].groups), default=0.0)

    def heat(self, value: float, largest: float) -> int:
        return charts.heat_percent(value, largest)

    def extremes_on_worst(self, method: str, n: int = 6) -> list[GroupAttribution]:
        """The train groups that hurt and help the worst test group most, from hurtful to helpful."""
        worst = self.s.worst_group or (
            self.s.methods[method].test.worst_group if method in self.s.methods else None
        )
        cells = [c for c in self.s.attribution[method].groups if worst and c.test_group == worst.name]
        ranked = sorted(cells, key=lambda c: c.value)
        return ranked if len(ranked) <= 2 * n else ranked[:n] + ranked[-n:]

    @property
    def influences_shown(self) -> int:
        return INFLUENCES_SHOWN

    @property
    def harmful_shown(self) -> int:
        return HARMFUL_SHOWN
