"""The ladder for readers in a hurry: a title, a line for each rung, one decision, how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.words import count, first_sentence, join_names, number, percent, points, quoted, spelled
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.recommendation import Recommendation
from pipeline.records.verdict import Brief, BriefRung, MethodVerdict, Rung, RungName, Status
from pipeline.verdict.cause.caused_by import aligned_opponents
from pipeline.verdict.cause.harmful_labels import wrong_labels_text
from pipeline.verdict.cue.available import (
    judge_available,
    modal_share,
    telling_association,
    train_associations,
)
from pipeline.verdict.cue.unnamed import unnamed_cues
from pipeline.verdict.cue.used import deciding_exchange, mistakes_agree
from pipeline.verdict.evidence.askable import is_worse_than_constant, why_not_asked
from pipeline.verdict.evidence.rules import misled_groups
from pipeline.verdict.evidence.small_groups import clearly_worse
from pipeline.verdict.fix.fixed_by import clear_gains
from pipeline.verdict.fix.needs import NEED_WORDS
from pipeline.verdict.harm.harmful import guided_group
from pipeline.verdict.ladder import Case, Ladder, name_cue, statuses
from pipeline.verdict.phrases import (
    NOT_RUN,
    cue_name,
    first_use,
    intervention_label,
    method_label,
    number_interval,
    percent_interval,
    points_interval,
)

TOO_LITTLE = "Too little evidence"
ANSWERS: dict[RungName, dict[Status, str]] = {
    "available": {"yes": "Found", "no": "Not found"},
    "used": {"yes": "Used", "no": "Not used"},
    "harmful": {"yes": "Harmful", "no": "No harm shown"},
    "caused_by": {"yes": "Traced", "no": "Not traced"},
    "fixed_by": {"yes": "Fixed", "partly": "Partly fixed", "no": "Not fixed"},
}
NO_HARM = {"caused_by": "Nothing to trace", "fixed_by": "Nothing to fix"}
NO_HARM_LINES = {"caused_by": "no group is shown to be harmed", "fixed_by": "there is no harm to undo"}


def write_brief(
    case: Case, rungs: Sequence[Rung], advised: Recommendation, methods: Mapping[str, MethodVerdict]
) -> Brief:
    """The ladder's answers in few words; it decides nothing that the rungs have not decided."""
    ladder = statuses(rungs)
    return Brief(
        title=_title(case, ladder),
        rungs=[_brief_rung(case, rung, ladder, methods) for rung in rungs],
        unnamed_cue=_first_unnamed(case),
        decision=_decision(case, ladder, advised),
        price=_price(advised),
        sureness=_sureness(case),
    )


# --- title -----------------------------------------------------------------------------------


def _title(case: Case, ladder: Ladder) -> str:
    if case.baseline is None:
        found = {"yes": "The data offer a shortcut", "no": "The data show no shortcut"}
        return (
            f"{found.get(ladder['available'], 'Whether the data offer a shortcut is open')}; no model was run"
        )
    if why_not_asked(case.baseline, case.limits) is not None:
        return _not_learned(case.baseline)
    return _of_harm(case, ladder) if ladder["harmful"] == "yes" else _of_use(case, ladder)


def _not_learned(baseline: EvaluationResult) -> str:
    if is_worse_than_constant(baseline):
        return "The model is right less often than by chance, so shortcuts cannot be judged"
    return "The model has not learned its task, so shortcuts cannot be judged"


def _of_harm(case: Case, ladder: Ladder) -> str:
    cue, payer = _cue(case), quoted(case.harmed.name) if case.harmed else "a group"
    n_more = len(_paying_too(case))
    more = f" and {'another group' if n_more == 1 else f'{count(n_more)} others'}" if n_more else ""
    if mistakes_agree(case.baseline, case.limits):
        return f"The model fails {payer}{more}, and its mistakes agree with {cue}"
    paying = f"{payer}{more} pay"
    return {
        "yes": f"The model relies on {cue}, and {paying if n_more else f'{payer} pays'} for it",
        "no": f"The model fails {payer}, but not because of {cue} as far as can be seen",
    }.get(ladder["used"], f"The model fails {payer}; whether because of {cue} is open")


def _of_use(case: Case, ladder: Ladder) -> str:
    cue, used, worse = _cue(case), ladder["used"], _worse(case)
    fails = f"; it fails {quoted(worse[0].name)}" if worse else ""
    if used == "yes":
        pays = (
            "but no group clearly pays" if ladder["harmful"] == "no" else "and whether a group pays is open"
        )
        return f"The model relies on {cue}, {pays}{fails}{', not shown to be because of it' if worse else ''}"
    if mistakes_agree(case.baseline, case.limits):
        return f"The model's mistakes agree with {cue}; whether a group pays is open{fails}"
    if "insufficient" in (used, ladder["harmful"]):
        others = unnamed_cues(case.cues)
        if others and not _is_named_found(case):
            cue = cue_name(others[0])
        if _is_table(case) and ladder["harmful"] == "no":
            return f"No group clearly pays; whether {cue} misleads the model only its network can show{fails}"
        return f"Too little evidence to say whether {cue} misleads the model{fails}"
    if ladder["available"] == "yes":
        return f"The data offer a shortcut, and the model does not rely on it{fails}"
    return f"No shortcut found: the model does not rely on {cue}{fails}"


def _is_named_found(case: Case) -> bool:
    """Whether an annotated attribute or color gives the class away."""
    return judge_available(case.info, case.color, case.limits).status == "yes"


def _first_unnamed(case: Case) -> str | None:
    """The cue that the first rung speaks of, where nobody annotated it and color is not it."""
    others = unnamed_cues(case.cues)
    return others[0].name if others and not _is_named_found(case) else None


def _worse(case: Case) -> list[GroupEstimate]:
    return clearly_worse(case.baseline.test, case.limits) if case.baseline else []


def _paying_too(case: Case) -> list[GroupEstimate]:
    """The other groups that the cue misleads and that are clearly worse."""
    misled, first = misled_groups(case.info), case.harmed.index if case.harmed else -1
    return [group for group in _worse(case) if group.index in misled and group.index != first]


# --- rungs -----------------------------------------------------------------------------------


def _brief_rung(case: Case, rung: Rung, ladder: Ladder, methods: Mapping[str, MethodVerdict]) -> BriefRung:
    answer = ANSWERS[rung.rung].get(rung.status, TOO_LITTLE if rung.was_run else NOT_RUN)
    if rung.status == "no" and ladder["harmful"] == "no":
        answer = NO_HARM.get(rung.rung, answer)
    line, sentences = {
        "available": _available,
        "used": _used,
        "harmful": _harmful,
        "caused_by": _caused_by,
        "fixed_by": _fixed_by,
    }[rung.rung](case, rung)
    if rung.rung == "fixed_by":
        sentences += _left_open(case, methods)
    if answer in NO_HARM.values():
        line = NO_HARM_LINES[rung.rung]
    return BriefRung(rung=rung.rung, status=rung.status, answer=answer, line=line, sentences=sentences)


Words = tuple[str, list[str]]


def _available(case: Case, rung: Rung) -> Words:
    only = case.color.color_only
    associations = train_associations(case.info, case.color)
    _, shown = telling_association(associations, case.limits)
    kappa = Estimate(value=only.kappa, low=only.low, high=only.high, n=only.n)
    color = (
        f"Color alone guesses the class {percent(only.kappa, 0)} of the way from chance to certainty "
        f"{percent_interval(kappa)}."
        if only.low > 0
        else f"Color alone is not shown to guess the class better than chance (kappa {number(only.kappa)} "
        f"{number_interval(kappa)}{'; below 0, it is worse than chance' if only.high < 0 else ''})."
    )
    if shown is not None:
        text = (
            f"{percent(modal_share(shown), 0)} of the training images show the {quoted(shown.attribute)} "
            "that is usual for their class."
        )
        return f"{quoted(shown.attribute)} gives the class away", [text, color]
    others = unnamed_cues(case.cues)
    if others and not _is_named_found(case):
        return f"{cue_name(others[0])} gives the class away", [others[0].sentence, color]
    names = [quoted(a.attribute) for a in associations]
    line = {
        "yes": "color alone gives the class away",
        "no": f"neither {names[0]} nor color gives the class away"
        if names
        else "color does not give the class away",
    }.get(rung.status, "whether a cue gives the class away is not sure")
    return line, [color]


def _used(case: Case, rung: Rung) -> Words:
    if case.used_shortcut is not None and rung.status == "yes":
        return f"exchanging {cue_name(case.used_shortcut)} moves predictions", [case.used_shortcut.sentence]
    found = case.baseline.cue_use if case.baseline else None
    exchange = deciding_exchange(found)
    if found is None or exchange is None or rung.estimate is None:
        untested = "predictions alone do not tell" if _is_table(case) else "no edit could test it"
        if mistakes_agree(case.baseline, case.limits):
            untested = "its mistakes agree with it; only a network can show use"
        line = "it tells nothing to use" if rung.status == "no" else untested
        return line, [rung.evidence if _is_table(case) else first_sentence(rung.evidence)]
    edit = intervention_label(exchange.name)
    towards = "away from" if exchange.size.value < 0 and rung.status == "yes" else "towards"
    text = (
        f"{edit} for that of another {quoted(found.cue)} moves predictions {towards} the class that goes "
        f"with it by {points(rung.estimate.value)} points {points_interval(rung.estimate)}, beyond the same "
        f"edit within one {quoted(found.cue)}; moves the other way are taken off."
    )
    line = {
        "yes": f"{_lower(edit)} moves predictions",
        "no": f"{_lower(edit)} hardly moves predictions",
    }.get(rung.status, f"{_lower(edit)} does not settle it")
    return line, [text]


def _is_table(case: Case) -> bool:
    """Whether there is no network behind the predictions."""
    return case.baseline is not None and case.baseline.only_predictions


def _harmful(case: Case, rung: Rung) -> Words:
    baseline, group = case.baseline, case.harmed
    if baseline is None or group is None or rung.estimate is None:
        asked = baseline is None or why_not_asked(baseline, case.limits) is None
        line = "too few test images per group to tell" if asked else "it cannot be asked of this model"
        return line, [first_sentence(rung.evidence)]
    same = guided_group(case.info, baseline, group, case.limits)
    beside = (
        f"{percent(same.value)} {percent_interval(same)} where the cue is right, {quoted(same.name)}"
        if same
        else f"{percent(baseline.test.average.value)} {percent_interval(baseline.test.average)} on average"
    )
    text = (
        f"{_upper(first_use(baseline.method))} is right on {percent(group.value)} {percent_interval(group)} "
        f"of {quoted(group.name)}, and on {beside}."
    )
    worse = _paying_too(case)
    if rung.status == "yes":
        others = f" and {quoted(worse[0].name)}" if len(worse) == 1 else f" and {count(len(worse))} others"
        return f"{quoted(group.name)}{others if worse else ''} {'pay' if worse else 'pays'} for it", [text]
    if rung.status == "no":
        worse = _worse(case)
        line = f"{quoted(worse[0].name)} is clearly worse, not shown to be because of it" if worse else ""
        return line or "no group clearly pays for it", [text]
    lowest = next(iter(_worse(case)), group)
    if lowest.index != group.index:
        return f"{quoted(lowest.name)} is clearly worse; why is open", [text]
    return f"whether {quoted(group.name)} pays is not established", [text]


def _caused_by(case: Case, rung: Rung) -> Words:
    gain = case.explained
    if gain is not None and (case.harmed is None or gain.group_index != case.harmed.index):
        gain = None  # it is about another group
    labels = wrong_labels_text(case.harmful_labels) if case.harmful_labels else ""
    sentences = [gain.text] if gain else [first_sentence(rung.evidence.replace(labels, "").strip())]
    if labels and gain is None:
        sentences.append(labels)
    if rung.status != "yes":
        line = {"no": "no training images are shown to hurt it"}.get(
            rung.status, "which images is not settled"
        )
        untraced = "predictions alone do not tell" if _is_table(case) else "attribution was not run"
        return (line if rung.was_run else untraced), sentences
    # no group of images alone is to blame where wrong labels are
    looking = "to images whose label looks wrong"
    blamed = {"labels": looking, "both": f"{looking}, and to the shortcut"}
    if gain is not None and gain.cause in blamed:
        return blamed[gain.cause], sentences
    shared = ", perhaps to wrong labels" if gain is not None and gain.cause == "unclear" else ""
    return f"to images of {_opponents(case)}{shared}", sentences


def _opponents(case: Case) -> str:
    """The training group that teaches the shortcut, as rung four finds it."""
    cells = case.attribution.groups if case.attribution else []
    worst = case.harmed.index if case.harmed else -1
    suspects = aligned_opponents(case.info, worst) if case.harmed else []
    own = [c for c in cells if c.test_index == worst and c.train_index in suspects]
    found = min(own, key=lambda c: c.high, default=None)
    return quoted(found.train_group) if found else "groups that teach the cue"


def _fixed_by(case: Case, rung: Rung) -> Words:
    best = case.best
    if best is None:
        return "no other method was trained" if not case.others else "no other method learned the task", []
    name, n_left_out = method_label(best.method), case.left_out.get(best.method, 0)
    doing = f", training without {count(n_left_out)} harmful images," if n_left_out else ""
    text = (
        f"{name}{doing} changes accuracy in {quoted(best.group)} by {points(best.gain.value)} points "
        f"{points_interval(best.gain)}, on the same test images."
    )
    repair = case.repairs.get(best.method)
    but = "at a price" if repair and repair.costs else "but not fully"
    who = f"leaving out {count(n_left_out)} harmful images" if n_left_out else name
    whom, others = _raised(case, best), _others_that_raise(case)
    line = {
        "yes": f"{who} raises {whom}",
        "partly": f"{who} raises {whom}, {but}",
        "no": f"{name} is not shown to raise it" if others else "no method is shown to raise it",
    }.get(rung.status, f"whether {name} raises it is open")
    if others and rung.status not in ("yes", "partly"):
        line += f"; {join_names(others)} {'does' if len(others) == 1 else 'do'}"
    return line, [text]


def _left_open(case: Case, methods: Mapping[str, MethodVerdict]) -> list[str]:
    """What the best method's own answers add to its gain: that it relies on the cue, or that a group pays."""
    found = methods.get(case.best.method) if case.best else None
    if case.best is None or found is None:
        return []
    name = method_label(case.best.method)
    answers = {
        f"still relies on {_cue(case)}": found.used.status,
        "still fails a group for it": found.harmful.status,
    }
    known, unknown = (
        [words for words, status in answers.items() if status == wanted] for wanted in ("yes", "insufficient")
    )
    told = f"{name} {' and '.join(known)}" if known else ""
    asked = f"whether {'it' if known else name} {' or '.join(unknown)} is open" if unknown else ""
    text = "; ".join(filter(None, [told, asked]))
    return [f"{_upper(text)}."] if text else []


def _others_that_raise(case: Case) -> list[str]:
    """Labels of methods that clearly raise the group and that validation images did not choose."""
    if case.best is None:
        return []
    clear = clear_gains(case.comparisons, case.best.baseline, case.limits)
    return [method_label(method) for method in clear if method != case.best.method]


def _raised(case: Case, best: MethodComparison) -> str:
    """The groups that pay, where the method is shown to raise all of them."""
    paying = {group.index for group in _paying_too(case)}
    raised = {group.index for group in best.groups if group.gain.low > 0}
    if not paying or not paying <= raised:
        return "that group"
    return "both groups" if len(paying) == 1 else "these groups"


def _cue(case: Case) -> str:
    """The cue in a title: "the “photo”" for "the attribute “photo”"."""
    return name_cue(case).replace("the attribute “", "the “")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- decision --------------------------------------------------------------------------------


def _decision(case: Case, ladder: Ladder, advised: Recommendation) -> str:
    if case.baseline is None:
        return "Train a model and run the audit again."
    if advised.method is not None:
        tie = [method_label(method) for method in advised.tied if method != advised.method]
        equal = f" Tied: {', '.join(tie)}." if tie else ""
        use = f"Use {method_label(advised.method)}, not {first_use(case.baseline.method)}"
        return f"{use}.{equal}"
    if why_not_asked(case.baseline, case.limits) is not None:
        return _without_skill(case.baseline)
    return _without_method(case, ladder, advised)


def _without_method(case: Case, ladder: Ladder, advised: Recommendation) -> str:
    warned = f"Do not rely on this model for {'those groups' if _paying_too(case) else 'that group'}"
    if ladder["harmful"] == "yes" and ladder["fixed_by"] in ("yes", "partly"):
        return f"{warned}. {advised.reason}"
    if ladder["harmful"] == "yes":
        others = _others_that_raise(case)
        if others:
            raised = quoted(case.harmed.name) if case.harmed and _paying_too(case) else "it"
            return (
                f"{warned} yet. {join_names(others)} raised {raised} on test images, which may not choose a "
                "method; more trainings can."
            )
        why = "nothing tried is shown to repair it" if case.others else "no repair was tried"
        return f"{warned} yet: {why}."
    return _without_harm(case, ladder)


def _without_harm(case: Case, ladder: Ladder) -> str:
    if _is_table(case) and ladder["harmful"] == "no":
        return "Do not conclude yet: bring the network, which alone can show whether it uses the cue."
    if "insufficient" in (ladder["used"], ladder["harmful"]):
        return "Do not conclude yet: collect what is missing and audit again."
    worse = _worse(case)
    if worse:
        return f"Find out why {quoted(worse[0].name)} is clearly worse before you rely on the model for it."
    return "Keep the model."


def _without_skill(baseline: EvaluationResult) -> str:
    """More images answer nothing here, and that no shortcut shows is no all-clear."""
    if is_worse_than_constant(baseline):
        return "Do not rely on this model: see first whether its classes are the dataset's, in their order."
    return "Do not rely on this model, which is at chance: that no shortcut shows clears it of none."


def _price(advised: Recommendation) -> str:
    """Whose groups must be known, and the group that loses most."""
    if advised.method is None or advised.needs is None:
        return ""
    needs = f"Price: {NEED_WORDS[advised.needs]}"
    if not advised.falls:
        return f"{needs}; no other group is seen to lose."
    most, n = advised.falls[0], len(advised.falls)
    lost = f"{points(-most.value, 0).lstrip('+')} points"
    return f"{needs}, {lost} in {quoted(most.name)}." if n == 1 else f"{needs}, up to {lost} elsewhere."


def _sureness(case: Case) -> str:
    test = case.baseline.test if case.baseline else None
    if test is None:
        return f"{count(case.info.n.get('train', 0))} training images; no model."
    n_seeds = len(case.baseline.seeds) if case.baseline else 0
    what = "table of predictions" if _is_table(case) and n_seeds == 1 else "training"
    trainings = _upper(f"{spelled(n_seeds)} {what}{'' if n_seeds == 1 else 's'}")
    return f"{trainings}, {count(test.average.n)} test images; lines: 95% intervals."
