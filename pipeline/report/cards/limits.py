"""What a model card says against the model: shortcuts, groups that lose, doubtful data."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core import words
from pipeline.records.evaluation import MethodComparison
from pipeline.report.gate.rungs import as_evaluation
from pipeline.report.records import MethodSummary, ReportSummary
from pipeline.verdict import phrases
from pipeline.verdict.askable import never_predicted_text, why_not_asked
from pipeline.verdict.evidence import MIN_SEEDS, answer_words
from pipeline.verdict.small_groups import clearly_bad_uncounted, name_groups
from pipeline.verdict.trust import name_lists

MEASURES_NAMED = 3


def list_limits(s: ReportSummary, method: str) -> list[str]:
    """Sentences, the gravest first; never empty."""
    found = s.methods[method]
    judged = _from_the_ladder(s) if method == s.baseline else _beside_the_baseline(s, method)
    unnamed = never_predicted_text(as_evaluation(s, method))
    limits = [
        *judged,
        *filter(None, [unnamed]),
        *_of_groups(s, found),
        *_of_data(s, method),
        *_of_training(found),
    ]
    return limits or ["The audit found none; what it did not look for may still be there."]


def _from_the_ladder(s: ReportSummary) -> Iterator[str]:
    """The verdict is the baseline's: each rung on cue and harm that is not a clear no."""
    for rung in s.verdict:
        if rung.rung in ("available", "used", "harmful") and rung.status != "no":
            yield f"{rung.question} {answer_words(rung)}. {rung.evidence}"


def _beside_the_baseline(s: ReportSummary, method: str) -> Iterator[str]:
    """The ladder does not judge other methods: what was measured against the baseline."""
    reason = why_not_asked(as_evaluation(s, method), s.thresholds)
    if reason is not None:
        yield reason
        return
    for rung in s.verdict:
        if rung.rung == "available" and rung.status == "yes":
            yield f"{rung.question} {answer_words(rung)}. {rung.evidence}"
    baseline = phrases.method_label(s.baseline or "")
    compared = next((c for c in s.comparisons if c.method == method), None)
    if compared is None:
        yield f"It was not compared with {baseline} on the same images."
    else:
        yield _gain_sentence(compared)
    measures = [d for d in s.reliance if d.method == method]
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


def _of_groups(s: ReportSummary, found: MethodSummary) -> Iterator[str]:
    thin = sum(not group.sufficient for group in found.test.groups)
    if thin:
        yield (
            f"{words.count(thin)} of {words.count(len(found.test.groups))} groups "
            f"{words.has(thin)} fewer than {words.count(s.thresholds.min_test)} test images: too few to "
            "decide anything about them."
        )
    bad = clearly_bad_uncounted(found.test, s.thresholds)
    if bad:
        yield f"Clearly worse than the average, although too small to count: {name_groups(bad)}."
    origin = s.dataset.attributes[0].origin if s.dataset.attributes else "none"
    if origin == "derived":
        yield "Groups are derived from image colors and only stand in for a real attribute."
    elif origin == "none":
        yield "No attribute was annotated, so groups are classes and a group inside a class can hide."


def _of_data(s: ReportSummary, method: str) -> Iterator[str]:
    traced = s.attribution.get(method) or s.attribution.get(s.baseline or "")
    errors = traced.label_errors if traced else None
    if errors is not None and any(found.n_suspects for found in errors.lists):
        yield (
            f"Training images suspected to carry a wrong label: {name_lists(errors)} "
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


def _of_training(found: MethodSummary) -> Iterator[str]:
    n = len(found.seeds)
    if n < MIN_SEEDS:
        yield f"{n} seed{'' if n == 1 else 's'} cannot show how much luck is in the numbers."
    if found.trained_on_val:
        yield "Validation images trained it, so its validation accuracy promises nothing."
    if any("group label" in label for label in found.labels_used):
        yield "It needs to know the groups of images: " + "; ".join(found.labels_used) + "."
