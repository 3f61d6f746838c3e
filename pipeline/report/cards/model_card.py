"""A model card for each method: what it is for, how it was made, how well it does and where it fails.

One content for the page and for Markdown; every sentence is read off the summary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from pipeline.core import words
from pipeline.records.base import Estimate, Record
from pipeline.records.indicators import Indicator
from pipeline.records.report import MethodSettings, Report
from pipeline.report.cards.limits import list_limits
from pipeline.settings.train import TrainSettings
from pipeline.verdict import phrases

CLASSES_NAMED = 10
# where and how fast it ran, or told elsewhere in the card
_NOT_SETTINGS = {"seeds", "model", "device", "workers", "checkpoint_seconds", "precision", "compile"}


class Fact(Record):
    """A term and what there is to say about it."""

    term: str
    text: str


class ModelCard(Record):
    """Sentences in plain words, numbers formatted; names of users are inside quotes."""

    method: str
    title: str
    summary: str
    details: list[Fact]
    intended: list[str]
    out_of_scope: list[str]
    limits: list[str]
    generalization: list[Fact]  # indicators beyond accuracy, one each; the worst group where there are groups
    data: list[Fact]
    procedure: list[Fact]
    settings: list[Fact]  # those that are on
    commands: list[str]  # that make the model again
    citation: list[str]


def model_card(s: Report, method: str) -> ModelCard:
    """The card of one method of the report."""
    label = phrases.method_label(method)
    return ModelCard(
        method=method,
        title=f"{label} on {words.quoted(s.dataset.title)}",
        summary=_summarize(s, method),
        details=list(_details(s, method)),
        intended=[
            f"Sorting images like those of {words.quoted(s.dataset.title)} into {_classes(s)}.",
            "Studying shortcuts: what a model relies on, whom that harms, and what repairs it.",
        ],
        out_of_scope=list(_out_of_scope(s, method)),
        limits=list_limits(s, method),
        generalization=list(_generalization(s, method)),
        data=list(_data(s, method)),
        procedure=list(_procedure(s, method)),
        settings=list(_settings(s.method_settings.get(method))),
        commands=[
            f"dvc repro train@{s.dataset.name}-{method}",
            s.provenance.command or f"dvc repro report@{s.dataset.name}",
        ],
        citation=cite(s),
    )


def cite(s: Report) -> list[str]:
    """How to name the data and this audit."""
    source = s.dataset.source_info
    lines = [f"Data: {(source.citation or source.source).rstrip('.')}."]
    day = s.provenance.created[:10]
    audit = f"Shortcut audit of {words.quoted(s.dataset.title)}"
    lines.append(f"Audit: {', '.join(filter(None, [audit, day, f'settings {s.provenance.params_hash}']))}.")
    return lines


# --- what it is and what for ------------------------------------------------------------------


def _summarize(s: Report, method: str) -> str:
    test, label = s.methods[method].test, phrases.method_label(method)
    text = f"{label} is right on {phrases.accuracy_phrase(test.average)} of the test images"
    worst = test.worst_group
    if not worst.sufficient:
        return (
            f"{text}. Whom it serves worst is open: the groups that may be have too few test images; as far "
            f"as is known it is {words.quoted(worst.name)}, {phrases.accuracy_phrase(worst)}."
        )
    return f"{text} and on {phrases.accuracy_phrase(worst)} of its worst group, {words.quoted(worst.name)}."


def _details(s: Report, method: str) -> Iterator[Fact]:
    found, training = s.methods[method], s.training.get(method)
    subtitle = phrases.method_subtitle(method)
    label = phrases.method_label(method)
    yield Fact(term="Method", text=f"{label}: {subtitle}" if subtitle else label)
    if training is not None and training.brought is not None:
        yield Fact(term="Trained elsewhere", text=f"{training.brought.kind}: {training.brought.path}")
    if training is not None and not training.is_table:
        yield Fact(term="Network", text=f"{training.model}, {words.count(training.n_parameters)} parameters")
    side = s.dataset.image_size
    yield Fact(term="Input", text=f"color images of {side} × {side} pixels, values from 0 to 1")
    yield Fact(term="Output", text=f"one of {_classes(s)}")
    seeds = "one model" if len(found.seeds) == 1 else f"{len(found.seeds)} models, one a seed"
    yield Fact(term="Models", text=f"{seeds} ({', '.join(map(str, found.seeds))})")
    yield Fact(term="License", text=f"not stated for the model; the data's: {s.dataset.source_info.licence}")


def _classes(s: Report) -> str:
    names = [words.quoted(name, 40) for name in s.dataset.classes]
    n = "1 class" if len(names) == 1 else f"{words.count(len(names))} classes"
    if len(names) > CLASSES_NAMED:
        return f"{n}, such as {words.join_names(names[:3])}"
    return f"{n}: {words.join_names(names)}"


def _out_of_scope(s: Report, method: str) -> Iterator[str]:
    found, judged = s.methods[method], s.verdict.methods[method]
    harmed = [judged.served_worse] if judged.served_worse is not None else []
    worse = list(dict.fromkeys([*harmed, *(g for g in judged.clearly_worse if g not in judged.uncounted)]))
    if worse:
        names = [words.quoted(found.test.groups[g].name) for g in worse[: phrases.GROUPS_NAMED]]
        if len(worse) > phrases.GROUPS_NAMED:
            names.append(f"{words.count(len(worse) - phrases.GROUPS_NAMED)} more")
        which = "this group is" if len(worse) == 1 else "these groups are"
        yield (
            f"Decisions about images like those of {words.join_names(names)}: {which} served clearly worse "
            "than the average."
        )
    thin = [group.name for group in found.test.groups if not group.sufficient]
    if thin:
        named = words.join_names([words.quoted(name, 40) for name in thin[:3]])
        more = f" and {words.count(len(thin) - 3)} more groups" if len(thin) > 3 else ""
        yield f"Images like those of {named}{more}: too few were tested to decide."
    yield "Images from other sources, cameras or times, and things that are none of the classes: not tested."
    yield "Use without a person who can correct it: the audit looks for shortcuts, not for every fault."


# --- beyond accuracy --------------------------------------------------------------------------


def _generalization(s: Report, method: str) -> Iterator[Fact]:
    result = s.indicators.get(method)
    for found in result.indicators if result else []:
        title = found.title[:1].upper() + found.title[1:]
        if found.overall is not None:
            yield Fact(term=title, text=_indicator_text(found, found.overall) + _worst_text(found))
        elif found.parts:
            part = found.parts[0]
            named = "" if len(found.parts) == 1 else f" ({part.title})"
            yield Fact(term=f"{title}{named}", text=_indicator_text(found, part.estimate))


def _indicator_text(found: Indicator, estimate: Estimate) -> str:
    if found.unit == "share":
        return phrases.accuracy_phrase(estimate)
    value, low, high = (words.number(v) for v in (estimate.value, estimate.low, estimate.high))
    if estimate.low == estimate.high and estimate.n == 1:
        return f"{value} (one network)"
    return f"{value} (95% interval {low} to {high}, n = {words.count(estimate.n)})"


def _worst_text(found: Indicator) -> str:
    """The group in which it is worst, as measured; nothing is claimed of how it differs."""
    known = [group for group in found.groups if group.sufficient]
    if len(known) < 2 or found.better == "neither":
        return ""
    worst = (max if found.better == "lower" else min)(known, key=lambda group: group.value)
    return f"; worst in {words.quoted(worst.name)}: {_indicator_text(found, worst)}"


# --- how it was made --------------------------------------------------------------------------


def _data(s: Report, method: str) -> Iterator[Fact]:
    labels, training = s.methods[method].labels_used, s.training.get(method)
    yield Fact(term="Data", text=s.dataset.title)
    counts = ", ".join(f"{split} {words.count(n)}" for split, n in s.dataset.n.items())
    yield Fact(term="Images", text=counts)
    yield Fact(term="Labels used", text="; ".join(labels) or "none stated")
    flips = s.dataset.n_label_flips
    if flips is not None:
        yield Fact(term="Known wrong labels", text=f"{words.count(flips)} in train")
    traced = s.attribution.get(method)
    if traced is not None:
        label = phrases.ESTIMATOR_LABELS[traced.estimator]
        yield Fact(term="Traced to images", text=f"{label}, computed by {traced.engine}")
    removal = training.removal if training else None
    if removal is not None:
        yield Fact(
            term="Left out",
            text=f"{words.count(removal.chosen)} of {words.count(removal.n_train)} training images",
        )


def _procedure(s: Report, method: str) -> Iterator[Fact]:
    found, training, curves = s.methods[method], s.training.get(method), s.verdict.methods[method].curves
    selection = phrases.SELECTION_WORDS.get(found.selection, found.selection)
    yield Fact(term="Selection", text=selection)
    if training is None:
        return
    for note in training.notes if training.brought is None else training.brought.notes:
        yield Fact(term="Note", text=note)
    if training.brought is not None:
        return
    kept = ", ".join(f"seed {seed}: {epoch + 1}" for seed, epoch in training.selected_epoch.items())
    yield Fact(term="Epochs", text=f"{words.count(curves.n_epochs if curves else 0)}; kept {kept or 'none'}")
    yield Fact(term="Precision, device", text=f"{training.precision}, {training.device}")
    yield Fact(term="Training time", text=f"{words.duration(training.seconds)} for all seeds")


def _settings(found: MethodSettings | None) -> Iterator[Fact]:
    if found is None:
        return
    for key, value in found.train.items():
        field = TrainSettings.model_fields.get(key)
        is_off = field is not None and not field.is_required() and value == field.default
        if key == "network" and isinstance(value, dict) and isinstance(entry := value.get("entry"), dict):
            yield Fact(term=key, text=f"{entry['kind']}: {entry['path']}")
        elif key not in _NOT_SETTINGS and not is_off:
            yield Fact(term=key, text=_setting(value))
    for key, value in _flat(found.method):
        if key != "selection":
            yield Fact(term=key, text=_setting(value))


def _flat(settings: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", v) for inner, v in _flat(value))
        else:
            yield key, value


def _setting(value: JsonValue) -> str:
    """As `params.yaml` writes it."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
