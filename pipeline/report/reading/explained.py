"""Which methods and statistics a report uses, and what they are in plain words.

A line is added here with every new statistic; `tests/unit/report/test_reading.py` asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.core import words
from pipeline.methods.registry import find_method, method_names
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.report import Explained, Report
from pipeline.report.guesses import list_guesses
from pipeline.report.reading.references import REFERENCES
from pipeline.report.reading.texts import TEXTS

METHODS = "methods"  # here come the report's methods, in the words of their files


@dataclass(frozen=True)
class Entry:
    """When a text is shown, and whose work it describes."""

    used: Callable[[Report], bool]
    sources: tuple[str, ...] = ()


def explain(report: Report) -> list[Explained]:
    """The terms that this report uses, in the order of the ladder."""
    values = {
        "effect": words.percent(report.verdict.thresholds.min_effect, 0),
        "kappa": words.number(report.verdict.thresholds.min_kappa),
        "cramers_v": words.number(report.verdict.thresholds.min_cramers_v),
    }
    found = []
    for key, entry in ENTRIES.items():
        if key == METHODS:
            found += [_explained_method(name) for name in method_names() if name in report.methods]
        elif entry.used(report):
            found.append(_explained(key, entry, values))
    return found


def _explained_method(name: str) -> Explained:
    own = find_method(name).words
    return Explained(key=name, term=own.label, text=own.text, references=list(own.sources))


def _explained(key: str, entry: Entry, values: Mapping[str, str]) -> Explained:
    return Explained(
        key=key,
        term=TEXTS[key].term,
        text=TEXTS[key].text.format_map(values),
        references=[REFERENCES[source] for source in entry.sources],
    )


def _always(_: Report) -> bool:
    return True


def _models(s: Report) -> bool:
    return bool(s.methods)


def _seeds(s: Report) -> bool:
    return any(len(method.seeds) > 1 for method in s.methods.values())


def _groups(s: Report) -> bool:
    return bool(s.methods) and len(s.dataset.groups) > 1


def _compared(s: Report) -> bool:
    return bool(s.verdict.comparisons)


def _any_method(has: Callable[[EvaluationResult], bool]) -> Callable[[Report], bool]:
    return lambda s: any(has(method) for method in s.methods.values())


def _inferred(kind: str) -> Callable[[Report], bool]:
    return lambda s: any(found.kind == kind for t in s.training.values() for found in t.group_inference)


def _changed(name: str) -> Callable[[Report], bool]:
    return _any_method(lambda method: any(change.name == name for change in method.interventions))


def _estimator(name: str) -> Callable[[Report], bool]:
    return lambda s: any(found.estimator == name for found in s.attribution.values())


def _ranking(name: str) -> Callable[[Report], bool]:
    return lambda s: any(
        ranking.name == name
        for found in s.attribution.values()
        if found.label_errors
        for ranking in found.label_errors.rankings
    )


def _asked(classifier: str) -> Callable[[Report], bool]:
    return lambda s: any(guess.found.classifier == classifier for guess in list_guesses(s.color))


ENTRIES: dict[str, Entry] = {
    "ladder": Entry(_always),
    "intervals": Entry(_always, ("wilson",)),
    "seeds": Entry(_seeds, ("graybill",)),
    # what the data give away
    "cramers_v": Entry(lambda s: bool(s.color.associations), ("bergsma",)),
    "color_only": Entry(_asked("linear"), ("cohen", "nadeau")),
    "boosted": Entry(_asked("boosted")),
    "v_information": Entry(_asked("linear"), ("xu",)),
    "findings": Entry(_always, ("delong",)),
    "false_discovery": Entry(_always, ("benjamini",)),
    "misled": Entry(lambda s: bool(s.dataset.attributes), ("haberman",)),
    # groups
    "worst_group": Entry(_groups, ("sidak", "sagawa")),
    "worst_corrected": Entry(
        _any_method(lambda method: method.test.worst_group_corrected is not None), ("efron",)
    ),
    "averages": Entry(_groups, ("sagawa",)),
    "shrunk": Entry(_any_method(lambda method: bool(method.test.shrunk)), ("skellam", "christiansen")),
    "confidence": Entry(
        lambda s: any(found.find("calibration") for found in s.indicators.values()), ("guo",)
    ),
    "optimism": Entry(_any_method(lambda method: method.optimism is not None), ("newcombe",)),
    # training
    METHODS: Entry(_models),
    "errors": Entry(_inferred("errors"), ("liu",)),
    "clusters": Entry(_inferred("clusters"), ("sohoni",)),
    "paired": Entry(_compared, ("efron",)),
    "gain_p": Entry(_compared, ("graybill", "stoline")),
    "multiplicity": Entry(_compared, ("stoline",)),
    # what the model uses
    "interventions": Entry(_any_method(lambda method: bool(method.interventions)), ("efron",)),
    "background_swap": Entry(_changed("background_swap"), ("xiao",)),
    "cue_exchange": Entry(_any_method(lambda method: method.cue_use is not None), ("xiao",)),
    "foreground_sensitivity": Entry(
        _any_method(lambda method: method.foreground_sensitivity is not None), ("moayeri",)
    ),
    "color_agreement": Entry(_any_method(lambda method: method.color_agreement is not None)),
    "gradcam": Entry(lambda s: bool(s.gradcam), ("selvaraju",)),
    "energy": Entry(lambda s: any(g.energy_in_mask for g in s.gradcam.values()), ("wang",)),
    "pointing": Entry(lambda s: any(g.pointing for g in s.gradcam.values()), ("zhang",)),
    "faithfulness": Entry(lambda s: any(g.faithfulness for g in s.gradcam.values()), ("petsiuk",)),
    "sanity": Entry(lambda s: any(g.sanity for g in s.gradcam.values()), ("adebayo",)),
    "cam_agreement": Entry(lambda s: bool(s.verdict.cam_agreement)),
    # which images caused it
    "margin": Entry(lambda s: bool(s.attribution), ("park",)),
    "trak": Entry(_estimator("trak"), ("park",)),
    "traker": Entry(_estimator("traker"), ("park",)),
    "last_layer": Entry(_estimator("last_layer"), ("park",)),
    "grad_cosine": Entry(_estimator("grad_cosine"), ("charpiat",)),
    "ekfac": Entry(_estimator("ekfac"), ("grosse", "george")),
    "lds": Entry(lambda s: any(a.lds for a in s.attribution.values()), ("ilyas", "park", "owen")),
    "ceiling": Entry(
        lambda s: any(a.lds and a.lds.ceiling is not None for a in s.attribution.values()), ("spearman",)
    ),
    "group_check": Entry(lambda s: any(a.group_check for a in s.attribution.values()), ("fisher_z",)),
    "shares": Entry(lambda s: any(a.shares for a in s.attribution.values()), ("clopper",)),
    "aum": Entry(_ranking("aum"), ("pleiss",)),
    "self_influence": Entry(_ranking("self_influence"), ("koh", "feldman")),
    "attribution": Entry(_ranking("attribution")),
    # the images
    "duplicates": Entry(lambda s: s.hygiene is not None),
    "odd_images": Entry(lambda s: s.hygiene is not None and bool(s.hygiene.issues), ("pech_pacheco",)),
}
