"""How numbers and names are written, once for sentences and for tables.

Accuracies are fractions in [0, 1] and print as percent; differences of accuracies print as points.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import DASH, count, join_names, number, percent, points, quoted
from pipeline.methods.registry import MODULES, find_method
from pipeline.records.attribution import LabelErrors
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.cues import CueFinding
from pipeline.records.data import SourceCounts
from pipeline.records.evaluation import CueUseFound, EvaluationResult
from pipeline.records.verdict import FoundCueUse, Rung

SELECTION_WORDS = {
    "average": "epoch with the highest validation accuracy",
    "worst_group": "epoch with the best worst group on validation images",
    "worst_group_lower_bound": "epoch whose worst group has the highest lower end on validation images",
    "one_standard_error": "first epoch within one standard error of the best worst group (validation)",
    "last": "last epoch",
    "brought": "trained elsewhere: nothing was selected here",
}
INFERENCE_WORDS = {
    "errors": "Groups were inferred from the errors of an ERM model",
    "clusters": "Groups were inferred from clusters of ERM's embeddings",
    "first_model_errors": "The first model's errors were repeated",
}
INTERVENTION_LABELS = {
    "greyscale": "Removing color",
    "hue_rotation": "Turning the hue",
    "saturation": "Halving the saturation",
    "patch_shuffle": "Shuffling patches",
    "background_fill": "Painting the background over",
    "background_blur": "Blurring the background",
    "background_swap": "Swapping the background",
    "foreground_removal": "Removing the object",
    "color_exchange": "Exchanging the color",
    "frame_exchange": "Exchanging the border's color",
    "rim_exchange": "Exchanging the object's rim",
    "texture_exchange": "Exchanging the texture",
    "look_exchange": "Exchanging color and texture",
}
EDIT_ORDERS = {
    "greyscale": "Remove all color",
    "hue_rotation": "Turn the hue",
    "saturation": "Halve the saturation",
    "patch_shuffle": "Shuffle patches",
    "background_fill": "Paint the background over",
    "background_blur": "Blur the background",
    "background_swap": "Swap the background",
    "foreground_removal": "Remove the object",
    "color_exchange": "Exchange the color",
    "frame_exchange": "Exchange the border's color",
    "rim_exchange": "Exchange the object's rim",
    "texture_exchange": "Exchange the texture",
    "look_exchange": "Exchange color and texture",
}
FAMILY_LABELS = {
    "color": "Color",
    "shape": "Shape and layout",
    "background": "Background",
    "object": "Object",
}
STATUS_WORDS = {
    "yes": "Yes",
    "partly": "Partly",
    "no": "No",
    "insufficient": "Insufficient evidence",
}
NOT_RUN = "Not run"  # instead of a status, where nothing that would answer it was run
GROUPS_NAMED = 3
TOO_FEW = "too few to decide"  # beside the accuracy of a group with fewer test images than count
TRAINED_ON = "validation images trained it"  # why they cannot judge a method
BROUGHT = "it was trained elsewhere, maybe on validation images"  # the same
NO_VAL = "there are no predictions of validation images"
ESTIMATOR_LABELS = {
    "trak": "TRAK",
    "last_layer": "TRAK on the last layer",
    "grad_cosine": "Gradient cosine",
    "traker": "TRAK by the library traker",
    "ekfac": "EK-FAC influence",
}
LDS_REMEDY = "not asked for: set retrain.subsets to 32 or more"
CHECK_REMEDY = "not asked for: name shares to keep in retrain.thin_keep, for example [0.0, 0.5]"
PROJECTION_WORDS = {
    "block_sketch": "random-sign sketch of the gradient",
    "factorized": "projection layer by layer",
    "dense": "dense random projection",
    "last_layer": "gradients of the last layer only",
    "none": "gradients not compressed",
}
RANKING_LABELS = {
    "aum": "Area under the margin (AUM)",
    "self_influence": "Self-influence",
    "attribution": "Attribution",
}
LIST_NAMES = {"aum": "margins"}  # a list of suspects, after "by"
LIST_PURPOSES = {
    "aum": "Images whose label this training did not learn. After plain training: good for wrong labels that "
    "fill a small group, blind to those that agree with a strong shortcut, because the model learns them. "
    "After training that balances groups mostly the other way round. Right labels of a group that was not "
    "learned stand here, too.",
    "attribution": "Images that work against test images which trained nothing, every group counting alike. "
    "Good for wrong labels that agree with a shortcut, also where a group is not learned yet; weak on wrong "
    "labels that fill a small group, because there they support each other.",
}
REMOVAL_LABELS = {
    "repair": "most harmful by attribution",
    "random": "random images",
    "balanced": "random images of the largest groups",
    "suspected": "suspected wrong labels only",
}


def why_not_by_validation(evaluation: EvaluationResult) -> str:
    """Why validation images cannot judge a method, as half a sentence; empty where they can."""
    if evaluation.val is None:
        return NO_VAL
    return TRAINED_ON if evaluation.trained_on_val else BROUGHT if evaluation.is_brought else ""


def method_label(method: str) -> str:
    """The name of a method as people write it; an unknown method keeps its own name."""
    return find_method(method).words.label if method in MODULES else method


def first_use(method: str) -> str:
    """The name of a method where a reader meets it first: "standard training (ERM)"."""
    return find_method(method).words.first if method in MODULES else method


def method_subtitle(method: str) -> str:
    """What a method is, in half a sentence; "" of an unknown one."""
    return find_method(method).words.subtitle if method in MODULES else ""


def intervention_label(name: str) -> str:
    """What an intervention does, as the subject of a sentence."""
    return INTERVENTION_LABELS.get(name, name.replace("_", " ").capitalize())


def edit_order(name: str) -> str:
    """An intervention as what a person does, the start of "... and 57 of 100 predictions move"."""
    return EDIT_ORDERS.get(name, f"Apply {name.replace('_', ' ')}")


def family_label(name: str) -> str:
    """What a family of interventions takes away."""
    return FAMILY_LABELS.get(name, name.capitalize())


def ranking_label(name: str) -> str:
    """What training images were ranked by."""
    return RANKING_LABELS.get(name, name.replace("_", " "))


def list_name(name: str) -> str:
    """What a list of suspects goes by, within a sentence."""
    return LIST_NAMES.get(name, name.replace("_", " "))


SAYS_NOTHING = 0.95  # of all that is possible: an interval of this width rules nothing out
DISAGREE = "seeds disagree, so that the interval rules nothing out"


def rules_nothing_out(estimate: Estimate, *, is_difference: bool) -> bool:
    """Whether the interval of a share, or of a difference of two, spans nearly all that is possible.

    Images alone do that only where there are none: the interval of a single one is shorter.
    """
    possible = 2.0 if is_difference else 1.0
    return estimate.n > 0 and estimate.high - estimate.low >= SAYS_NOTHING * possible


def percent_interval(estimate: Estimate) -> str:
    """ "[55.1, 69.0]", in percent."""
    if rules_nothing_out(estimate, is_difference=False):
        return "[seeds disagree]"
    return f"[{percent(estimate.low)[:-1] or DASH}, {percent(estimate.high)[:-1] or DASH}]"


def number_interval(estimate: Estimate) -> str:
    """ "[0.25, 0.29]"."""
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def cue_name(cue: CueFinding | CueUseFound | FoundCueUse) -> str:
    """A cue that was found, in quotes, with the place that tells most: "“a corner, top left”"."""
    return quoted(cue.title if cue.part is None else f"{cue.title}, {cue.part}")


def points_interval(estimate: Estimate) -> str:
    """ "[−12.3, −8.1]", in points."""
    if rules_nothing_out(estimate, is_difference=True):
        return "[seeds disagree]"
    return f"[{points(estimate.low)}, {points(estimate.high)}]"


def accuracy_phrase(estimate: Estimate) -> str:
    """ "62.3% (95% interval 55.1 to 69.0%, n = 642)"."""
    if rules_nothing_out(estimate, is_difference=False):
        return f"{percent(estimate.value)} ({DISAGREE}, n = {count(estimate.n)})"
    low, high = percent(estimate.low), percent(estimate.high)
    low = low.removesuffix("%")
    return f"{percent(estimate.value)} (95% interval {low} to {high}, n = {count(estimate.n)})"


def accuracy_brief(estimate: Estimate) -> str:
    """ "62.3% (55.1 to 69.0, n = 642)"; "n = 642 of 12 sources" where images share scenes or patients."""
    n_sources = estimate.n_sources if isinstance(estimate, GroupEstimate) else None
    n = f"n = {count(estimate.n)}"
    if n_sources is not None:
        n += f" of {count(n_sources)} source{'' if n_sources == 1 else 's'}"
    if rules_nothing_out(estimate, is_difference=False):
        why = "seeds disagree" if n_sources is None else "too few sources"
        return f"{percent(estimate.value)} ({why}, {n})"
    low, high = (percent(bound).removesuffix("%") for bound in (estimate.low, estimate.high))
    return f"{percent(estimate.value)} ({low} to {high}, {n})"


def shared_sources(sources: SourceCounts | None, n_test: int) -> str | None:
    """That the split cuts scenes or patients, as the start of a sentence; None where it does not."""
    if sources is None or not sources.n_leaking_test:
        return None
    share = percent(sources.n_leaking_test / n_test)
    return (
        f"{count(sources.n_leaking_test)} of {count(n_test)} test images ({share}) share their "
        f"{quoted(sources.name)} with an image of training or validation"
    )


def points_phrase(estimate: Estimate) -> str:
    """ "+4.1 points (95% interval +1.0 to +7.2, n = 642)"."""
    if rules_nothing_out(estimate, is_difference=True):
        return f"{points(estimate.value)} points ({DISAGREE}, n = {count(estimate.n)})"
    low, high = points(estimate.low), points(estimate.high)
    return f"{points(estimate.value)} points (95% interval {low} to {high}, n = {count(estimate.n)})"


PART_WORDS = {
    "evaluate": "{} was not trained and evaluated",
    "attribute": "the training images behind {} were not looked for",
    "gradcam": "no GradCAM maps were made of {}",
    "indicators": "how {} generalizes beyond accuracy was not measured",
    "hygiene": "the images were not checked for duplicates and odd ones",
    "cues": "no cue was tried alone",
}


def answer_words(rung: Rung) -> str:
    """The answer as a badge: a question whose stage was not run is not one that lacks evidence."""
    return STATUS_WORDS[rung.status] if rung.was_run else NOT_RUN


def missing_phrase(stage: str, method: str | None) -> str:
    """ "no GradCAM maps were made of ERM"."""
    return PART_WORDS[stage].format(method_label(method) if method else "")


def name_groups(groups: Sequence[GroupEstimate]) -> str:
    """ "“a” with 0.0% (0.0 to 15.5, n = 21), ... and 2 more"."""
    named = [f"{quoted(group.name)} with {accuracy_brief(group)}" for group in groups[:GROUPS_NAMED]]
    if len(groups) > GROUPS_NAMED:
        named.append(f"{count(len(groups) - GROUPS_NAMED)} more")
    return join_names(named)


def name_lists(errors: LabelErrors) -> str:
    """How many images each list suspects: "105 by margins, 300 by attribution"."""
    return ", ".join(f"{count(found.n_suspects)} by {list_name(found.ranking)}" for found in errors.lists)


def chart_tip(estimate: Estimate, method: str, is_change: bool) -> str:
    """What a mark in a chart says: "ERM: 62.3% (95% interval 55.1 to 69.0%, n = 642)"."""
    phrase = points_phrase(estimate) if is_change else accuracy_phrase(estimate)
    return f"{method_label(method)}: {phrase}" if method else phrase
