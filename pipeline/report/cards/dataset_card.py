"""What a dataset card says in words; every sentence is read off the report."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core import words
from pipeline.records.report import Report
from pipeline.records.verdict import NextStep
from pipeline.verdict import phrases

FINDINGS_TOLD = 3


def describe_dataset(s: Report) -> str:
    """What it is, in one sentence."""
    d = s.dataset
    counts = words.join_names([f"{words.count(n)} for {split}" for split, n in d.n.items()])
    n = "1 class" if len(d.classes) == 1 else f"{words.count(len(d.classes))} classes"
    return (
        f"Images of {d.image_size} × {d.image_size} pixels in {n}: {counts}. "
        f"{'Masks of the objects are included.' if d.has_masks else 'There are no masks of the objects.'}"
    )


def list_warnings(s: Report) -> list[str]:
    """Shortcuts, wrong labels, leaks and uneven images; never empty."""
    found = [*_cues(s), *_labels(s), *_images(s)]
    return found or ["The audit found none; what it did not look for may still be there."]


def list_advice(s: Report) -> list[str]:
    """The report's next steps that concern the data."""
    about_data = ("attribution", "hygiene", "dataset", "groups")
    return [write_step(step) for step in s.verdict.next_steps if step.section in about_data]


def write_step(step: NextStep) -> str:
    """A next step and its reason in one sentence."""
    return f"{step.action.rstrip('.')}, because {step.because}"


def describe_processing(s: Report) -> list[str]:
    """How the images were prepared for the audit."""
    side, skipped = s.dataset.image_size, len(s.dataset.skipped)
    lines = [f"Images were packed as squares of {side} × {side} pixels.", *s.dataset.notes]
    if skipped:
        lines.append(f"{words.count(skipped)} unreadable files were left out.")
    return lines


def describe_annotations(s: Report) -> list[str]:
    """Where attributes come from: people, a cue, a model or nowhere."""
    origins = {
        "annotated": "annotated",
        "cue": "found by the audit of cues, not annotated",
        "inferred": "inferred from a model, not annotated",
        "none": "none; groups are classes",
    }
    return [
        f"{words.quoted(a.name)}{_in_brackets(a.description)}: {origins[a.origin]}. "
        f"Values: {words.join_names([words.quoted(v, 40) for v in a.values[:20]])}"
        f"{' and others' if len(a.values) > 20 else ''}."
        for a in s.dataset.attributes
    ] or ["No attribute; groups are classes."]


def _in_brackets(description: str) -> str:
    return f" ({description.rstrip('.')})" if description else ""


def _cues(s: Report) -> Iterator[str]:
    for rung in s.verdict.rungs:
        if rung.rung == "available" and rung.status != "no":
            yield rung.evidence
    confirmed = [found.sentence for found in s.color.findings if found.confirmed]
    yield from confirmed[:FINDINGS_TOLD]
    if len(confirmed) > FINDINGS_TOLD:
        yield f"{words.count(len(confirmed) - FINDINGS_TOLD)} more color features differ between classes."


def _labels(s: Report) -> Iterator[str]:
    flips = s.dataset.n_label_flips
    if flips is None:
        yield "How many labels are wrong is not known."
    elif flips:
        yield f"{words.count(flips)} training labels are known to be wrong."
    traced = s.attribution.get(s.verdict.baseline or "")
    errors = traced.label_errors if traced else None
    if errors is not None and any(found.n_suspects for found in errors.lists):
        yield (
            f"Training images suspected to carry a wrong label: {phrases.name_lists(errors)} "
            "(at most a tenth is listed by each; not all of them are wrong)."
        )


def _images(s: Report) -> Iterator[str]:
    cut = phrases.shared_sources(s.dataset.sources, s.dataset.n.get("test", 0))
    if cut:
        yield f"{cut}."
    if s.hygiene is None:
        yield "Images were not checked for duplicates, odd ones and balance."
        return
    for d in s.hygiene.duplicates:
        if d.n_leaking:
            yield (
                f"{words.count(d.n_leaking)} test images, {phrases.accuracy_brief(d.leaking)}, have a twin "
                f"in train or validation ({d.kind} duplicates)."
            )
        if d.n_conflicting:
            yield f"Sets of {d.kind} duplicates whose labels differ: {words.count(d.n_conflicting)}."
    for issue in s.hygiene.issues:
        most = issue.most_affected
        if most is not None and issue.q_value is not None and issue.q_value < s.verdict.thresholds.alpha:
            yield (
                f"{issue.name.replace('_', ' ').capitalize()} images are spread unevenly: "
                f"{phrases.accuracy_brief(most)} in {words.quoted(most.name)}, "
                f"{words.percent(issue.share.value)} of all."
            )
