"""What to do next: short steps, each tied to the evidence that asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import count, join_names, number, percent, points, quoted
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import GroupEstimate
from pipeline.records.lists import list_key
from pipeline.records.recommendation import Recommendation
from pipeline.records.verdict import NextStep, Rung
from pipeline.verdict.advice.images import list_image_steps
from pipeline.verdict.cause.harmful_labels import wrong_labels_text
from pipeline.verdict.cause.trust import describe_lds, judge_lds
from pipeline.verdict.fix.fixed_by import clear_gains
from pipeline.verdict.ladder import Case, Ladder, statuses
from pipeline.verdict.phrases import (
    list_name,
    method_label,
    name_lists,
    points_interval,
)


def list_next_steps(case: Case, rungs: Sequence[Rung], advised: Recommendation) -> list[NextStep]:
    """What to do, most useful first; each step names the evidence behind it."""
    steps = [
        *_steps_for_harm(case, statuses(rungs), advised),
        *_steps_for_training_images(case, statuses(rungs)),
        *list_image_steps(case),
        *_steps_for_thin_evidence(case),
    ]
    if case.baseline is None:
        steps.append(
            NextStep(
                action="Train a model and run the audit again.",
                because="reliance, harm and their causes can only be read from a model.",
                section="verdict",
            )
        )
    if not steps:
        steps.append(
            NextStep(
                action="Keep the model and repeat this audit when the data or the training changes.",
                because="no rung of the ladder asks for a change.",
                section="verdict",
            )
        )
    return steps


def _steps_for_harm(case: Case, ladder: Ladder, advised: Recommendation) -> list[NextStep]:
    worst = case.harmed
    if worst is None or case.baseline is None or ladder["harmful"] != "yes":
        return []
    if advised.method is None or advised.gain is None:
        why = "no method here is shown to repair it"
        return [*_choose_otherwise(case, ladder, advised), *_warn_of_costs(case), _collect(case, worst, why)]
    repair = case.repairs.get(advised.method)
    costs = repair.costs if repair else ""
    name, instead = method_label(advised.method), method_label(case.baseline.method)
    gain = f"{points(advised.gain.value)} points {points_interval(advised.gain)}"
    use = NextStep(
        action=f"Use the {name} model instead of {instead}.",
        because=f"{_within(advised.reason)} On test images it changes {quoted(worst.name)} by {gain}"
        f"{f'; {costs}' if costs else ''}. {advised.price}",
        section="mitigation",
    )
    if ladder["fixed_by"] == "yes":
        return [use]
    return [use, _collect(case, worst, "other groups pay for its gain" if costs else "the gap is not closed")]


def _choose_otherwise(case: Case, ladder: Ladder, advised: Recommendation) -> list[NextStep]:
    """Where some method clearly repairs the group, and validation images cannot say which one to take."""
    baseline = case.baseline.method if case.baseline else None
    clear = clear_gains(case.comparisons, baseline, case.limits)
    if advised.chosen is not None or ladder["fixed_by"] not in ("yes", "partly") or len(clear) < 1:
        return []
    return [
        NextStep(
            action="Set validation images aside to choose a method by: at least "
            f"{count(case.limits.min_val)} a group, which train none.",
            because=f"{_within(advised.reason)} The group is clearly raised by "
            f"{join_names(map(method_label, clear))}.",
            section="mitigation",
        )
    ]


def _within(sentence: str) -> str:
    """A sentence that goes on after a colon: "Validation ..." -> "validation ..."."""
    return (
        sentence[0].lower() + sentence[1:] if sentence.startswith(("Validation", "On ", "No ")) else sentence
    )


def _warn_of_costs(case: Case) -> list[NextStep]:
    """Methods that clearly raise the group, at a price that makes them no repair."""
    baseline = case.baseline.method if case.baseline else None
    return [
        NextStep(
            action=f"Do not use the {method_label(c.method)} model instead of {method_label(c.baseline)}.",
            because=f"it raises {quoted(c.group)} by {points(c.gain.value).lstrip('+')} points "
            f"{points_interval(c.gain)}, but {case.repairs[c.method].costs}.",
            section="mitigation",
        )
        for c in case.comparisons
        if c.method in clear_gains(case.comparisons, baseline, case.limits)
        and c.method in case.repairs
        and case.repairs[c.method].status == "no"
    ]


def _collect(case: Case, worst: GroupEstimate, why: str) -> NextStep:
    n_train = f"{count(case.info.groups[worst.index].n_train)} of {count(case.info.n.get('train'))}"
    return NextStep(
        action=f"Collect more training images of {quoted(worst.name)}, or weight those you have more.",
        because=f"{n_train} training images belong to it and {why}.",
        section="groups",
    )


def _steps_for_training_images(case: Case, ladder: Ladder) -> list[NextStep]:
    found, steps = case.attribution, []
    if found is None:
        return []
    if ladder["caused_by"] == "yes" and found.most_harmful_to_worst:
        was_tried = any(other.removal_controls for other in case.others)
        then = (
            "what leaving such images out does is shown among the methods"
            if was_tried
            else "removing or re-weighting them is worth a test"
        )
        steps.append(
            NextStep(
                action=f"Look at the {count(len(found.most_harmful_to_worst))} training images that hurt the "
                "worst group most, from the top.",
                because=f"attribution traces the harm to them; {then}.{_wrong_labels(case)}",
                section="attribution",
                lists=[list_key("harmful", found.method)],
            )
        )
    return [*steps, *_steps_for_proof(found, ladder), *_steps_for_labels(found, case.limits.min_effect)]


def _wrong_labels(case: Case) -> str:
    """How many of the most harmful images have a wrong label, as a sentence; empty where nothing says so."""
    return f" {wrong_labels_text(case.harmful_labels)}" if case.harmful_labels else ""


def _steps_for_proof(found: AttributionResult, ladder: Ladder) -> list[NextStep]:
    """Have the scores checked before they are acted on; do not act on those that failed."""
    if found.lds is not None and judge_lds(found.lds) != "beyond":
        return [
            NextStep(
                action="Do not remove training images on these scores alone.",
                because=describe_lds(found.lds)[0].lower() + describe_lds(found.lds)[1:],
                section="attribution",
            )
        ]
    if found.lds is None and found.group_check is None and ladder["caused_by"] == "yes":
        return [
            NextStep(
                action="Check the attribution by retraining: set retrain.subsets to 32 or more.",
                because="no model was retrained on parts of the images, so how far to trust it is unknown.",
                section="attribution",
            )
        ]
    return []


def _steps_for_labels(found: AttributionResult, min_effect: float) -> list[NextStep]:
    errors = found.label_errors
    if errors is not None and any(listed.n_suspects for listed in errors.lists):
        precision = ", ".join(
            f"{list_name(r.name)} {number(r.average_precision)}"
            for r in errors.rankings
            if r.name in [listed.ranking for listed in errors.lists] and r.average_precision is not None
        )
        known = f"; average precision on known wrong labels: {precision}" if precision else ""
        other = ", and each list misses what the other finds" if len(errors.lists) > 1 else ""
        return [
            NextStep(
                action=f"Check the labels of the most suspect training images: {name_lists(errors)}.",
                because="what the models learned from the other images contradicts them; not all are wrong, "
                f"at most a tenth of the images is listed{other}{known}.",
                section="attribution",
                lists=[list_key("suspected", found.method, e.ranking) for e in errors.lists if e.n_suspects],
            )
        ]
    share, overall = found.flipped_share_in_harmful, found.flipped_share_overall
    if share is None or overall is None or share - overall < min_effect:
        return []
    return [
        NextStep(
            action="Check the labels of the most harmful training images first.",
            lists=[list_key("harmful", found.method)] if found.most_harmful_to_worst else [],
            because=f"of as many most harmful images as there are known wrong labels, "
            f"{percent(share)} carry one, against {percent(overall)} of all that were scored.",
            section="attribution",
        )
    ]


def _steps_for_thin_evidence(case: Case) -> list[NextStep]:
    steps, limits = [], case.limits
    origin = case.info.attributes[0].origin if case.info.attributes else "none"
    if origin in ("cue", "inferred"):
        made = "come from a cue that was found" if origin == "cue" else "were inferred from a model"
        steps.append(
            NextStep(
                action="Annotate a real attribute (for example the background) for at least the test images.",
                because=f"these groups {made} and only stand in for one.",
                section="dataset",
            )
        )
    thin = []
    if case.baseline is not None:
        thin = [g for g in case.baseline.test.groups if not g.sufficient]
    if thin:
        shown = join_names([quoted(group.name, 40) for group in thin[:3]])
        more = f" and {count(len(thin) - 3)} more" if len(thin) > 3 else ""
        steps.append(
            NextStep(
                action=f"Gather at least {count(limits.min_test)} test images per group.",
                because=f"{count(len(thin))} of {count(len(case.info.groups))} groups have too few: "
                f"{shown}{more}.",
                section="groups",
            )
        )
    if case.baseline is not None and len(case.baseline.seeds) < 3:
        n_seeds = len(case.baseline.seeds)
        plural = "" if n_seeds == 1 else "s"
        steps.append(
            NextStep(
                action="Bring the weights, or the predictions, of at least three trainings."
                if case.baseline.is_brought
                else "Train at least three seeds.",
                because=f"{n_seeds} seed{plural} cannot show how much luck is in the numbers.",
                section="groups",
            )
        )
    return steps
