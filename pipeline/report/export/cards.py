"""Model cards and the dataset card as Markdown, in the layout of the Hugging Face hub's templates.

Their optional headings are left out where the audit knows nothing; none is filled with a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
from pipeline.report.cards.model_card import Fact, ModelCard, cite, model_card
from pipeline.report.export.front_matter import dataset_head, model_head
from pipeline.report.markdown import bullets, code, escape, whole_name, write_table
from pipeline.verdict import phrases

NOT_KNOWN = "The audit does not know."


def write_model_card(s: Report, method: str) -> str:
    """`MODEL_CARD_<method>.md`."""
    card = model_card(s, method)
    parts = [
        f"# Model Card for {escape(card.title)}",
        escape(card.summary),
        "## Model Details\n\n### Model Description",
        _facts(card.details),
        "## Uses\n\n### Direct Use",
        bullets(card.intended),
        "### Out-of-Scope Use",
        bullets(card.out_of_scope),
        "## Bias, Risks, and Limitations",
        bullets(card.limits),
        "### Recommendations",
        _recommend(s, method),
        "## How to Get Started with the Model",
        _get_started(s, method),
        *_training(card),
        *_evaluation(s, method),
        "## Citation",
        bullets(card.citation),
        "## More Information",
        _origin(s, card.commands),
    ]
    return "\n".join([model_head(s, method), *(f"{part}\n" for part in parts)])


def write_dataset_card(s: Report) -> str:
    """`DATASET_CARD.md`."""
    d = s.dataset
    facts = [
        Fact(term="License", text=d.source_info.licence),
        Fact(term="Source", text=d.source_info.source),
        Fact(term="Classes", text=words.join_names(map(words.quoted, d.classes))),
    ]
    counts = write_table(
        ["Group", "Train", "Val", "Test"],
        ([whole_name(g.name), *map(words.count, (g.n_train, g.n_val, g.n_test))] for g in d.groups),
    )
    parts = [
        f"# Dataset Card for {escape(d.title)}",
        escape(describe_dataset(s)),
        "## Dataset Details\n\n### Dataset Description",
        _facts(facts),
        "## Uses\n\n### Direct Use",
        "Sorting images into its classes, and studying shortcuts.",
        "### Out-of-Scope Use",
        "Training a model without looking at the groups below, where the limitations name a shortcut.",
        "## Dataset Structure",
        counts,
        "## Dataset Creation\n\n### Source Data\n\n#### Data Collection and Processing",
        bullets(describe_processing(s)),
        "### Annotations",
        bullets(describe_annotations(s)),
        "#### Personal and Sensitive Information",
        NOT_KNOWN,
        "## Bias, Risks, and Limitations",
        bullets(list_warnings(s)),
        "### Recommendations",
        bullets(list_advice(s)) or "The audit asks for nothing.",
        "## Citation",
        bullets(cite(s)),
        "## More Information",
        _origin(s, [s.provenance.command or f"dvc repro report@{d.name}"]),
    ]
    return "\n".join([dataset_head(s), *(f"{part}\n" for part in parts)])


def _recommend(s: Report, method: str) -> str:
    """The next steps are for who ships the baseline."""
    if method == s.verdict.baseline and s.verdict.next_steps:
        return bullets(map(write_step, s.verdict.next_steps))
    baseline = phrases.method_label(s.verdict.baseline or "")
    return f"Read the limitations above beside those of {escape(baseline)}, the model it is compared with."


def _get_started(s: Report, method: str) -> str:
    seed = next(iter(s.methods[method].seeds), 0)
    weights = f"models/{s.dataset.name}/{method}/weights/seed_{seed}.safetensors"
    return (
        "In the folder of the pipeline; `images` is a float tensor N × 3 × height × width with values from "
        "0 to 1.\n\n"
        "```python\n"
        "from pathlib import Path\n\n"
        "from pipeline.artifacts.checkpoints import load_weights\n\n"
        f'model = load_weights(Path("{weights}"))\n'
        "predicted = model(images).argmax(dim=1)\n"
        "```"
    )


def _training(card: ModelCard) -> list[str]:
    settings = _facts(card.settings) if card.settings else "The settings were not recorded."
    return [
        "## Training Details\n\n### Training Data",
        f"The card of the data is [DATASET_CARD.md](DATASET_CARD.md).\n\n{_facts(card.data)}",
        "### Training Procedure",
        _facts(card.procedure),
        "#### Training Hyperparameters",
        settings,
    ]


def _evaluation(s: Report, method: str) -> list[str]:
    test = s.methods[method].test
    rows: list[tuple[str, Estimate]] = [
        ("Average", test.average),
        ("Average, groups weighted as in training", test.adjusted_average),
        ("Mean of groups", test.group_mean),
        (f"Worst group: {whole_name(test.worst_group.name)}", test.worst_group),
        *((f"Group {whole_name(g.name)}", g) for g in test.groups),
    ]
    return [
        "## Evaluation\n\n### Testing Data, Factors & Metrics\n\n#### Testing Data",
        f"{words.count(s.dataset.n.get('test'))} test images that took no part in training or selection.",
        "#### Factors",
        bullets(describe_annotations(s)),
        "#### Metrics",
        "Accuracy with 95% intervals; the worst group's holds for all groups at once. Of groups with too few "
        "images the interval says how little is known.",
        "### Results",
        write_table(["Images", "Accuracy", "95% interval", "n"], ([label, *_cells(e)] for label, e in rows)),
    ]


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
