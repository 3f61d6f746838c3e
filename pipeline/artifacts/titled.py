"""Titles instead of names, in every record that a verdict and a report are made of.

Files keep the names: what was trained with them stays valid. Which fields hold names is listed here, once,
and a test looks for a name that slipped through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.artifacts.results import Results
from pipeline.records.base import GroupEstimate
from pipeline.records.color import Association, AttributeColor, ColorFinding
from pipeline.records.cues import CueFinding
from pipeline.records.data import AskedCue, AttributeInfo, GroupInfo
from pipeline.records.evaluation import GroupComparison
from pipeline.records.gradcam import CamGroup
from pipeline.records.indicators import IndicatorCurve, IndicatorPart
from pipeline.records.titles import Titles
from pipeline.records.verdict import CueGap

R = TypeVar("R", bound=BaseModel)

_TEXT = ("text",)  # instead of kinds of names: a sentence that may quote some
# fields that hold names; `_text` ones are sentences that name some
_GROUPS = ("group", "train_group", "test_group", "worst_group", "same", "smallest_name", "largest_name")
_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_GROUPS, "unlearned_groups"), ("groups", "classes")),
    **dict.fromkeys(("classes", "superclasses", "group_labels", "label", "class_name"), ("classes",)),
    "never_predicted": ("classes",),
    **dict.fromkeys(("target", "given", "other", "cue"), ("attributes",)),
    "values": ("values", "classes"),
}
# of these records alone, or otherwise than elsewhere: "name" is mostly a kind of thing
_OF_RECORDS: dict[tuple[type[BaseModel], str], tuple[str, ...]] = {
    **dict.fromkeys([(GroupEstimate, "name"), (GroupComparison, "name")], ("groups", "classes")),
    **dict.fromkeys([(CamGroup, "name"), (GroupInfo, "name")], ("groups", "classes")),
    (IndicatorCurve, "name"): ("groups", "classes"),
    (GroupInfo, "attribute"): ("values",),
    (AttributeInfo, "name"): ("attributes",),
    (AttributeInfo, "values"): ("values",),
    (AttributeColor, "attribute"): ("attributes",),
    (Association, "attribute"): ("attributes",),
    (CueFinding, "title"): ("attributes",),
    (CueGap, "title"): ("attributes",),
    (AskedCue, "title"): ("attributes",),
    (IndicatorPart, "title"): _TEXT,
}
_TEXTS = ("sentence", "words", "description", "fitted_on", "read_on", "notes")
_NO_NAMES = {"cue": "color", "target": "label", "other": "label"}  # the fields' own words


def with_titles(found: Results, titles: Titles, *, audits: bool) -> Results:
    """The records in people's words.

    Args:
        audits: whether those of color and hygiene still have names; the verdict's own copies have titles.
    """
    if titles == Titles():
        return found
    info = retitle(found.info, titles)
    told = replace(
        found,
        info=info.model_copy(update={"title": titles.dataset or info.title}),
        histories=_each(found.histories, titles),
        evaluations=_each(found.evaluations, titles),
        attributions=_each(found.attributions, titles),
        gradcams=_each(found.gradcams, titles),
        indicators=_each(found.indicators, titles),
    )
    if not audits:
        return told
    return replace(
        told,
        color=retitle(found.color, titles),
        hygiene=found.hygiene and retitle(found.hygiene, titles),
        cues=found.cues and retitle(found.cues, titles),
    )


def _each(records: Mapping[str, R], titles: Titles) -> dict[str, R]:
    return {method: retitle(record, titles) for method, record in records.items()}


def retitle(record: R, titles: Titles) -> R:
    """A copy of a record whose fields that hold names hold titles; the same record where none does."""
    changed: dict[str, Any] = {}
    for field in type(record).model_fields:
        before = getattr(record, field)
        after = _retitled(before, field, _kinds(record, field), titles)
        if after is not before:
            changed[field] = after
    if isinstance(record, ColorFinding):  # one word may be a value and a class
        kind = titles.classes if record.target == "label" else titles.values
        changed["class_name"] = kind.get(record.class_name, record.class_name)
    return record.model_copy(update=changed) if changed else record


def _kinds(record: BaseModel, field: str) -> tuple[str, ...]:
    """What a field's text may name."""
    own = (kinds for (kind, name), kinds in _OF_RECORDS.items() if name == field and isinstance(record, kind))
    return next(own, _FIELDS.get(field, ()))


def _retitled(value: Any, field: str, kinds: tuple[str, ...], titles: Titles) -> Any:
    if isinstance(value, BaseModel):
        return retitle(value, titles)
    if isinstance(value, list):
        items = [_retitled(item, field, kinds, titles) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        parts = {key: _retitled(item, field, kinds, titles) for key, item in value.items()}
        return parts if any(parts[key] is not value[key] for key in value) else value
    return _title_of(value, field, kinds, titles) if isinstance(value, str) else value


def _title_of(text: str, field: str, kinds: tuple[str, ...], titles: Titles) -> str:
    if field in _TEXTS or kinds == _TEXT:
        return _reworded(text, titles)
    if text == _NO_NAMES.get(field):
        return text
    return next((getattr(titles, k)[text] for k in kinds if text in getattr(titles, k)), text)


def _reworded(text: str, titles: Titles) -> str:
    """A stage's sentence: attributes behind the words that its stages put before them, other names quoted."""
    if titles.attributes:
        names = "|".join(map(re.escape, sorted(titles.attributes, key=len, reverse=True)))
        behind = rf"\b(whose|value of|images with) ({names})(?!\w)"
        text = re.sub(behind, lambda found: f"{found[1]} {titles.attributes[found[2]]}", text)
    named = titles.groups | titles.values | titles.classes
    if not named:
        return text
    quoted = "|".join(map(re.escape, sorted(named, key=len, reverse=True)))
    return re.sub(rf"'({quoted})'", lambda found: f"'{named[found[1]]}'", text)
