"""Model cards and the dataset card as Markdown, in the layout of the Hugging Face hub's templates.

Their optional headings are left out where the audit knows nothing; none is filled with a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import huggingface_hub

from pipeline.core import words
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.report import Report
from pipeline.report.cards.dataset_card import (
    describe_annotations,
    describe_dataset,
    describe_processing,
    list_advice,
    list_warnings,
    write_step,
)
from pipeline.report.cards.model_card import Fact, cite, model_card
from pipeline.report.export.front_matter import dataset_data, model_data
from pipeline.report.markdown import bullets, code, escape, whole_name, write_table
from pipeline.verdict import phrases

_TEMPLATES = Path(__file__).parent / "templates"


def write_model_card(s: Report, method: str) -> str:
    """`MODEL_CARD_<method>.md`."""
    card = model_card(s, method)
    seed = next(iter(s.methods[method].seeds), 0)
    filled = huggingface_hub.ModelCard.from_template(
        model_data(s, method),
        template_path=str(_TEMPLATES / "model_card.md.j2"),
        title=escape(card.title),
        summary=escape(card.summary),
        details=_facts(card.details),
        intended=bullets(card.intended),
        out_of_scope=bullets(card.out_of_scope),
        limits=bullets(card.limits),
        advice=_recommend(s, method),
        weights=f"models/{s.dataset.name}/{method}/weights/seed_{seed}.safetensors",
        generalization=_facts(card.generalization) if card.generalization else "Not measured.",
        data=_facts(card.data),
        procedure=_facts(card.procedure),
        settings=_facts(card.settings) if card.settings else "The settings were not recorded.",
        n_test=words.count(s.dataset.n.get("test")),
        factors=bullets(describe_annotations(s)),
        results=_results(s, method),
        citation=bullets(card.citation),
        origin=_origin(s, card.commands),
    )
    return str(filled).rstrip("\n") + "\n"


def write_dataset_card(s: Report) -> str:
    """`DATASET_CARD.md`."""
    d = s.dataset
    facts = [
        Fact(term="License", text=d.source_info.licence),
        Fact(term="Source", text=d.source_info.source),
        Fact(term="Classes", text=words.join_names(map(words.quoted, d.classes))),
    ]
    groups = write_table(
        ["Group", "Train", "Val", "Test"],
        ([whole_name(g.name), *map(words.count, (g.n_train, g.n_val, g.n_test))] for g in d.groups),
    )
    filled = huggingface_hub.DatasetCard.from_template(
        dataset_data(s),
        template_path=str(_TEMPLATES / "dataset_card.md.j2"),
        title=escape(d.title),
        summary=escape(describe_dataset(s)),
        facts=_facts(facts),
        groups=groups,
        processing=bullets(describe_processing(s)),
        annotations=bullets(describe_annotations(s)),
        warnings=bullets(list_warnings(s)),
        advice=bullets(list_advice(s)) or "The audit asks for nothing.",
        citation=bullets(cite(s)),
        origin=_origin(s, [s.provenance.command or f"dvc repro report@{d.name}"]),
    )
    return str(filled).rstrip("\n") + "\n"


def _recommend(s: Report, method: str) -> str:
    """The next steps are for who ships the baseline."""
    if method == s.verdict.baseline and s.verdict.next_steps:
        return bullets(map(write_step, s.verdict.next_steps))
    baseline = phrases.method_label(s.verdict.baseline or "")
    return f"Read the limitations above beside those of {escape(baseline)}, the model it is compared with."


def _results(s: Report, method: str) -> str:
    test = s.methods[method].test
    rows: list[tuple[str, Estimate]] = [
        ("Average", test.average),
        ("Average, groups weighted as in training", test.adjusted_average),
        ("Mean of groups", test.group_mean),
        (f"Worst group: {whole_name(test.worst_group.name)}", test.worst_group),
        *((f"Group {whole_name(g.name)}", g) for g in s.verdict.methods[method].groups),
    ]
    return write_table(
        ["Images", "Accuracy", "95% interval", "n"], ([label, *_cells(e)] for label, e in rows)
    )


def _cells(e: Estimate) -> Sequence[str]:
    if e.n == 0:
        return ["no images", "", "0"]
    low, high = words.percent(e.low), words.percent(e.high)
    thin = isinstance(e, GroupEstimate) and not e.sufficient
    note = f" ({phrases.TOO_FEW})" if thin else ""
    return [f"{words.percent(e.value)}{note}", f"{low} to {high}", words.count(e.n)]


def _facts(facts: Iterable[Fact]) -> str:
    return "\n".join(f"- **{escape(fact.term)}:** {escape(fact.text)}" for fact in facts)


def _origin(s: Report, commands: Sequence[str]) -> str:
    versions = ", ".join(f"{library} {version}" for library, version in s.provenance.versions.items())
    made = "\n".join(f"- {code(command)}" for command in commands)
    return f"Made again by:\n\n{made}\n\nVersions: {escape(versions) or 'not recorded'}."
