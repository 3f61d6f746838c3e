"""What a model card says against the model: shortcuts, groups that lose, doubtful data."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core import words
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.report import Report
from pipeline.verdict import phrases

MEASURES_NAMED = 3


def list_limits(s: Report, method: str) -> list[str]:
    """Sentences, the gravest first; never empty."""
    found = s.methods[method]
    judged = _from_the_ladder(s) if method == s.verdict.baseline else _beside_the_baseline(s, method)
    unnamed = s.verdict.methods[method].never_predicted
    limits = [
        *judged,
        *filter(None, [unnamed]),
        *_of_groups(s, method),
        *_of_data(s, method),
        *_of_training(s, found),
    ]
    return limits or ["The audit found none; what it did not look for may still be there."]


def _from_the_ladder(s: Report) -> Iterator[str]:
    """The verdict is the baseline's: each rung on cue and harm that is not a clear no."""
    for rung in s.verdict.rungs:
        if rung.rung in ("available", "used", "harmful") and rung.status != "no":
            yield f"{rung.question} {phrases.answer_words(rung)}. {rung.evidence}"


def _beside_the_baseline(s: Report, method: str) -> Iterator[str]:
    """The ladder does not judge other methods: what was measured against the baseline."""
    reason = s.verdict.methods[method].not_asked
    if reason is not None:
        yield reason
        return
    for rung in s.verdict.rungs:
        if rung.rung == "available" and rung.status == "yes":
            yield f"{rung.question} {phrases.answer_words(rung)}. {rung.evidence}"
    baseline = phrases.method_label(s.verdict.baseline or "")
    compared = next((c for c in s.verdict.comparisons if c.method == method), None)
    if compared is None:
        yield f"It was not compared with {baseline} on the same images."
    else:
        yield _gain_sentence(compared)
    measures = [d for d in s.verdict.reliance if d.method == method]
    if not measures:
        yield "Whether it relies on the cue less was not measured."
        return
    for verdict, how in (("more", "more"), ("less", "less"), ("not shown", "not clearly less")):
        named = [d.what for d in measures if d.verdict == verdict]
        if named:
            shown = "; ".join(named[:MEASURES_NAMED])
            rest = f"; and {len(named) - MEASURES_NAMED} more" if len(named) > MEASURES_NAMED else ""
            yield (
                f"By {len(named)} of {len(measures)} measures it relies on cues {how} than {baseline} "
                f"({shown}{rest})."
            )


def _gain_sentence(compared: MethodComparison) -> str:
    baseline = phrases.method_label(compared.baseline)
    return (
        f"In {words.quoted(compared.group)} its accuracy differs from {baseline}'s by "
        f"{phrases.points_phrase(compared.gain)}, on the same test images"
        f"{words.p_clause(compared.p_value)}, corrected for the number of methods tried."
    )


def _of_groups(s: Report, method: str) -> Iterator[str]:
    groups, least = s.verdict.methods[method].groups, words.count(s.verdict.thresholds.min_test)
    thin = sum(not group.sufficient for group in groups)
    if thin:
        yield (
            f"{words.count(thin)} of {words.count(len(groups))} groups {words.has(thin)} fewer than {least} "
            "test images: too few to decide anything about them."
        )
    bad = [groups[i] for i in s.verdict.methods[method].clearly_bad_uncounted]
    if bad:
        yield f"Clearly worse than the average, although too small to count: {phrases.name_groups(bad)}."
    origin = s.dataset.attributes[0].origin if s.dataset.attributes else "none"
    if origin == "cue":
        yield (
            "Groups are of a found cue, not annotated: an image that it misnames may be odd in other ways."
        )
    elif origin == "inferred":
        yield "Groups were inferred from a model and only stand in for a real attribute."
    elif origin == "none":
        yield "No attribute was annotated, so groups are classes and a group inside a class can hide."


def _of_data(s: Report, method: str) -> Iterator[str]:
    traced = s.attribution.get(method) or s.attribution.get(s.verdict.baseline or "")
    errors = traced.label_errors if traced else None
    if errors is not None and any(found.n_suspects for found in errors.lists):
        yield (
            f"Training images suspected to carry a wrong label: {phrases.name_lists(errors)} "
            "(at most a tenth is listed by each; not all of them are wrong)."
        )
    elif traced is None:
        yield "Its predictions were not traced to training images, and labels were not checked."
    cut = phrases.shared_sources(s.dataset.sources, s.dataset.n.get("test", 0))
    if cut:
        yield f"{cut}, so accuracy looks better than it is."
    for found in s.hygiene.duplicates if s.hygiene else []:
        if found.n_leaking:
            twin = "an exact" if found.kind == "exact" else "a near"
            yield (
                f"{words.count(found.n_leaking)} test images, {phrases.accuracy_brief(found.leaking)}, "
                f"have {twin} duplicate in train or validation, so accuracy looks better than it is."
            )
    if s.hygiene is None:
        yield "Images were not checked for duplicates across splits."


def _of_training(s: Report, found: EvaluationResult) -> Iterator[str]:
    n = len(found.seeds)
    if n < s.verdict.thresholds.min_seeds:
        yield f"{n} seed{'' if n == 1 else 's'} cannot show how much luck is in the numbers."
    if found.is_brought:
        yield (
            "It was trained elsewhere: which of these images it has seen is not known, so that its "
            "accuracy may be flattered."
        )
    if found.trained_on_val:
        yield "Validation images trained it, so its validation accuracy promises nothing."
    if any("group label" in label for label in found.labels_used):
        yield "It needs to know the groups of images: " + "; ".join(found.labels_used) + "."
