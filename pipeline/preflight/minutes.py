"""How long the stages will take: the images that networks will see, times what one costs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.memory import available_cores
from pipeline.methods.method import Workload
from pipeline.methods.registry import BASE
from pipeline.plan.params import DatasetSettings
from pipeline.preflight.sizes import Sizes
from pipeline.preflight.speed import Speed

_GRADIENT = 2.0  # an image's gradient, projected and stored, in trained images
_CHANGES = 16  # images that a test image becomes while the cue is exchanged and pixels are changed
_START = 2.5  # seconds until a stage's process has what it imports, measured once
_STAGES = 7, 5  # of a dataset, and of each method
_CAM = 4.0  # an activation map with its checks, in predicted images
_PIXELS = {
    "data": 2e-4,
    "color": 1e-3,
    "hygiene": 1e-3,
    "cues": 4e-3,
}  # seconds an image of 32 px, measured once; no network


@dataclass(frozen=True)
class Work:
    """What is to be done, in images."""

    settings: DatasetSettings
    sizes: Sizes
    methods: Sequence[str]
    explained: Sequence[str]


def estimate_seconds(work: Work, speed: Speed) -> dict[str, float]:
    """Seconds of each stage, all methods together; the network's speed is the baseline's for all."""
    n_all = sum(work.sizes.n.values())
    pixels = (work.settings.data.image_size / 32) ** 2
    seconds = {stage: cost * n_all * max(1.0, pixels / 4) for stage, cost in _PIXELS.items()}
    seconds["starting stages"] = _START * (_STAGES[0] + _STAGES[1] * len(work.methods))
    trained = sum(_trained(work, method) for method in work.methods)
    seconds["train"] = trained * speed.train / speed.workers
    seconds["evaluate"] = sum(_predicted(work, method) for method in work.methods) * speed.predict
    workers = work.settings.retrain.workers or available_cores()
    share = workers if speed.workers > 1 else 1  # their cost was timed with all threads otherwise
    seconds["retrain"] = sum(_retrained(work, method) for method in work.explained) * speed.train / share
    seconds["attribute"] = sum(_attributed(work, method) for method in work.explained) * speed.train
    seconds["gradcam"] = sum(_mapped(work, method) for method in work.explained) * speed.predict
    return seconds


def _trained(work: Work, name: str) -> float:
    """Images that this method's trainings see."""
    setup = work.settings.setup(name)
    load = Workload(
        n_train_G=[group.n_train for group in work.sizes.groups],
        n_val=work.sizes.n["val"],
        seeds=len(setup.train.seeds),
        epochs=setup.train.epochs,
        has_base=BASE in work.methods,
        gradient=_GRADIENT,
    )
    return setup.method.images_seen(setup.settings, load)


def _predicted(work: Work, name: str) -> float:
    seeds = len(work.settings.train_for(name).seeds)
    most = work.settings.evaluate.max_images or work.sizes.n["test"]
    changed = _CHANGES * min(most, work.sizes.n["test"])
    return seeds * (changed + work.sizes.n["val"] + work.sizes.n["test"])


def _retrained(work: Work, name: str) -> float:
    retrain = work.settings.retrain
    if name not in retrain.methods:
        return 0.0
    halves = retrain.subsets * retrain.repeats * retrain.share
    groups = sum(group.n_train > 0 for group in work.sizes.groups)
    thinned = (groups * len(retrain.thin_keep) + 1) * retrain.thin_repeats if retrain.thin_keep else 0
    return (halves + thinned) * work.sizes.n["train"] * work.settings.train_for(name).epochs


def _attributed(work: Work, name: str) -> float:
    chosen, train = work.settings.attribute, work.settings.train_for(name)
    models = min(len(train.seeds), chosen.max_models or len(train.seeds)) * (1 + train.checkpoints)
    n = min(work.sizes.n["train"], chosen.max_train or work.sizes.n["train"])
    targets = min(work.sizes.n["test"], (chosen.targets_per_group or 10**9) * len(work.sizes.groups))
    return models * (n + targets) * _GRADIENT


def _mapped(work: Work, name: str) -> float:
    chosen, seeds = work.settings.gradcam, len(work.settings.train_for(name).seeds)
    models = min(seeds, chosen.max_models or seeds)
    maps = min(work.sizes.n["test"], chosen.images_per_group * len(work.sizes.groups))
    checks = chosen.faithfulness_images * chosen.faithfulness_steps * 2 * 3 + chosen.sanity_images * 10
    return models * (maps * _CAM + checks)
