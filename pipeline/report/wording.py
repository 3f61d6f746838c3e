"""How numbers and names are written, once for sentences and for tables.

Accuracies are fractions in [0, 1] and print as percent; differences of accuracies print as points.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from pipeline.core.results import Estimate, GroupEstimate, SourceCounts

DASH = "–"
MINUS = "\u2212"
METHOD_LABELS = {
    "erm": "ERM",
    "group_dro": "Group DRO",
    "rwg": "RWG",
    "subg": "SUBG",
    "rwy": "RWY",
    "jtt": "JTT",
    "dfr": "DFR",
    "repair": "Attribution-guided removal",
}
METHOD_SUBTITLES = {
    "erm": "standard training: every image counts the same",
    "group_dro": "training that puts more weight on the groups with the highest loss",
    "rwg": "training that draws every group equally often",
    "subg": "training on as many images of every group as the smallest one has",
    "rwy": "training that draws every class equally often",
    "jtt": "training again with the images that a first model got wrong drawn more often",
    "dfr": "ERM whose last layer is fitted again on groups of equal size",
    "repair": "ERM without the training images that attribution finds most harmful to its worst group",
}
SELECTION_WORDS = {
    "average": "epoch with the highest validation accuracy",
    "worst_group": "epoch with the best worst group on validation images",
    "worst_group_lower_bound": "epoch whose worst group has the highest lower end on validation images",
    "one_standard_error": "first epoch within one standard error of the best worst group (validation)",
    "last": "last epoch",
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
TOO_FEW = "too few to decide"  # beside the accuracy of a group with fewer test images than count
ESTIMATOR_LABELS = {
    "trak": "TRAK",
    "last_layer": "TRAK on the last layer",
    "grad_cosine": "Gradient cosine",
    "ekfac": "EK-FAC influence",
}
PROJECTION_WORDS = {
    "block_sketch": "random-sign sketch of the gradient",
    "factorized": "projection layer by layer",
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
}
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"  # keep right-to-left names from reordering a sentence


def method_label(method: str) -> str:
    """The name of a method as people write it; an unknown method keeps its own name."""
    return METHOD_LABELS.get(method, method)


def intervention_label(name: str) -> str:
    """What an intervention does, as the subject of a sentence."""
    return INTERVENTION_LABELS.get(name, name.replace("_", " ").capitalize())


def family_label(name: str) -> str:
    """What a family of interventions takes away."""
    return FAMILY_LABELS.get(name, name.capitalize())


def ranking_label(name: str) -> str:
    """What training images were ranked by."""
    return RANKING_LABELS.get(name, name.replace("_", " "))


def list_name(name: str) -> str:
    """What a list of suspects goes by, within a sentence."""
    return LIST_NAMES.get(name, name.replace("_", " "))


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent: 0.6231 -> "62.3%"; missing or not finite -> a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{_fixed(100 * value, digits)}%"


def points(value: float | None, digits: int = 1) -> str:
    """A signed difference of fractions in percentage points: -0.0412 -> "−4.1"."""
    if value is None or not math.isfinite(value):
        return DASH
    text = _fixed(100 * value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number with a true minus sign; missing or not finite -> a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    return _fixed(value, digits)


def score(value: float | None) -> str:
    """An attribution score: three significant digits with its sign, whatever its scale."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:+.3g}" if value else "0"
    return text.replace("-", MINUS)


def significant(value: float | None) -> str:
    """A number of unknown scale: three significant digits."""
    return score(value).removeprefix("+")


def per_thousand(value: float | None) -> str:
    """A score per training image as the effect of 1,000 such images: -0.0000598 -> "−0.060"."""
    if value is None or not math.isfinite(value):
        return DASH
    effect = 1000 * value
    size = abs(effect)
    if size >= 100 or not effect:
        return signed(effect, 0)
    return signed(effect, 1 if size >= 10 else 2 if size >= 0.1 else 1 - math.floor(math.log10(size)))


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign: 0.962 -> "+0.96"; zero has none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:+,.{digits}f}".replace("-", MINUS)
    return text if text.strip("+\u22120.,") else text[1:]


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return DASH if value is None else f"{int(value):,}"


def has(n: int) -> str:
    """The verb after "1 of 4 groups"."""
    return "has" if n == 1 else "have"


def p_text(p: float | None) -> str:
    """A p-value: "p = 0.012", "p < 0.001"; a permutation p of 0.001 prints as it is."""
    if p is None or not math.isfinite(p):
        return DASH
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def p_clause(p: float | None) -> str:
    """ ", p = 0.012" within a sentence; empty where there is no p-value."""
    return "" if p is None or not math.isfinite(p) else f", {p_text(p)}"


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


def signed_interval(estimate: Estimate) -> str:
    """ "[+0.76, +1.16]"."""
    return f"[{signed(estimate.low)}, {signed(estimate.high)}]"


def number_interval(estimate: Estimate) -> str:
    """ "[0.25, 0.29]"."""
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


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


SAME_VERDICT = "the same on all {} rungs. A verdict is about its report's baseline, whatever is compared."
PART_WORDS = {
    "evaluate": "{} was not trained and evaluated",
    "attribute": "the training images behind {} were not looked for",
    "gradcam": "no GradCAM maps were made of {}",
    "hygiene": "the images were not checked for duplicates and odd ones",
}


def missing_phrase(stage: str, method: str | None) -> str:
    """ "no GradCAM maps were made of ERM"."""
    return PART_WORDS[stage].format(method_label(method) if method else "")


def chart_tip(estimate: Estimate, method: str, is_change: bool) -> str:
    """What a mark in a chart says: "ERM: 62.3% (95% interval 55.1 to 69.0%, n = 642)"."""
    phrase = points_phrase(estimate) if is_change else accuracy_phrase(estimate)
    return f"{method_label(method)}: {phrase}" if method else phrase


def quoted(name: str, limit: int = 60) -> str:
    """A user's name inside a sentence: in quotes, shortened, isolated where it runs right to left."""
    return f"“{isolated(name, limit)}”"


def isolated(name: str, limit: int = 60) -> str:
    """A user's name, shortened; one that runs right to left cannot reorder what stands beside it."""
    return isolate(shorten(name, limit))


def isolate(name: str) -> str:
    """`name` between marks that keep it from reordering its surroundings, where it runs right to left."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN", "RLE", "RLO", "RLI") for char in name):
        return f"{_ISOLATE}{name}{_END_ISOLATE}"
    return name


def shorten(text: str, limit: int) -> str:
    """`text` with its middle replaced by an ellipsis beyond `limit` characters, on one line."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    keep = (limit - 1) // 2
    return f"{text[: limit - 1 - keep]}…{text[-keep:]}"


def join_names(names: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    listed = list(names)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def duration(seconds: float) -> str:
    """ "4.2 s", "3 min 20 s", "2 h 05 min"."""
    if not math.isfinite(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if not text.strip("-0."):  # -0.0 is zero
        text = text.lstrip("-")
    return text.replace("-", MINUS)
