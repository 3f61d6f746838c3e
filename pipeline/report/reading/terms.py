"""The words of the trade that a page uses, each with its meaning in one short sentence."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.methods.registry import MODULES, find_method


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    key: str
    shown: str  # as it stands in a sentence
    meaning: str  # one sentence without another term of the trade


_MEANINGS = {
    "attribute": ("attribute", "A property of an image beside its class, such as its background."),
    "attribution": (
        "attribution",
        "For each training image, an estimate of how much it helped or hurt given test images.",
    ),
    "aum": (
        "AUM",
        "Area under the margin: how far the given label led the best other class, averaged over training.",
    ),
    "auroc": (
        "AUROC",
        "How well a number tells two kinds of images apart: 0.5 is guessing, 1 is without error.",
    ),
    "average_precision": (
        "average precision",
        "How far up a list the searched images stand: 1 is all at the top; guessing gives their share.",
    ),
    "control": (
        "control",
        "The same done without what is tested, to see what the doing alone changes.",
    ),
    "cue": ("cue", "What a model can go by instead of the object: a background, a color, a texture."),
    "flip_rate": ("flip rate", "The share of images whose prediction changes when the cue alone is changed."),
    "gain": (
        "gain",
        "How much more is right than with the baseline, in points: one point is one image of a hundred.",
    ),
    "gradcam": (
        "GradCAM",
        "A map of where in an image the network's answer comes from: warm places speak for the class.",
    ),
    "group": ("group", "Images that share a class and an attribute's value, such as cows on sand."),
    "interval": (
        "95% interval",
        "The values that fit the images seen: a method that gives such intervals is right 19 times of 20.",
    ),
    "kappa": (
        "kappa",
        "How much better than guessing a class is told: 0 is guessing, 1 is without error.",
    ),
    "lds": (
        "LDS",
        "How well the scores foretell what retraining on part of the images does: 1 is perfectly.",
    ),
    "margin": (
        "margin",
        "How far the right class leads the best other one: below zero the prediction is wrong.",
    ),
    "noise_ceiling": (
        "noise ceiling",
        "The most that any score could reach, because retraining itself never comes out the same twice.",
    ),
    "omega_squared": ("ω²", "The share of a number's spread that the classes account for: 0.06 is moderate."),
    "p_value": (
        "p-value",
        "How often chance alone would show a difference as large; small values speak against chance.",
    ),
    "q_value": (
        "q-value",
        "A p-value that allows for how many things were looked at.",
    ),
    "seed": ("seed", "One of several trainings that differ in chance alone."),
    "self_influence": (
        "self-influence",
        "How much an image's own presence in training decides what is predicted for it.",
    ),
    "shortcut": (
        "shortcut",
        "A cue that goes with the class in training and not in life; a model may go by it and then fail.",
    ),
    "suspect": ("suspect", "A training image whose label looks wrong; not every one is."),
    "validation": (
        "validation images",
        "Images that trained nothing and by which settings are chosen; test images choose nothing.",
    ),
    "worst_group": ("worst group", "The group of which the least is right, among those with enough images."),
}


def find_terms() -> list[Term]:
    """All terms by what is shown, the training methods among them."""
    found = [Term(key, shown, meaning) for key, (shown, meaning) in _MEANINGS.items()]
    for name in MODULES:
        words = find_method(name).words
        found.append(Term(name, words.label, f"{words.subtitle[:1].upper()}{words.subtitle[1:]}."))
    return sorted(found, key=lambda term: term.shown.casefold())


def explain_term(key: str, shown: str = "") -> Markup:
    """A term as a link to its entry in the glossary, with its meaning as a tip for pointer and keyboard.

    Args:
        shown: other words for it in this sentence, such as a plural.

    Raises:
        KeyError: the glossary has no such term.
    """
    term = {term.key: term for term in find_terms()}[key]
    return Markup(
        '<a class="term" href="#word-{0}" data-tip="{1}" aria-describedby="word-{0}">{2}</a>'
    ).format(key, term.meaning, shown or term.shown)


EVERYWHERE = ("group",)  # words that nearly every sentence has


def explain_terms(sentence: Markup) -> Markup:
    """A sentence in HTML, each term of the trade in it explained where it first stands."""
    pattern, keys = _finder()
    found: set[str] = set()

    def explain(match: re.Match[str]) -> str:
        key = keys[match[0].casefold()]
        if key in found:
            return match[0]
        found.add(key)
        return str(explain_term(key, match[0]))

    # not in tags, nor in the quoted names of classes and attributes
    parts = re.split(r"(<[^>]*>|“[^”]*”)", str(sentence))
    return Markup("".join(part if part[:1] in ("<", "“") else pattern.sub(explain, part) for part in parts))


@functools.cache
def _finder() -> tuple[re.Pattern[str], dict[str, str]]:
    keys = {term.shown.casefold(): term.key for term in find_terms() if term.key not in EVERYWHERE}
    longest_first = sorted(keys, key=len, reverse=True)
    return re.compile(
        r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE
    ), keys
