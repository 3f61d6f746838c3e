"""A small planted training problem: the class is a left/right bar, a color is the shortcut."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from torch import Tensor

from pipeline.core.method_settings import (
    AnyMethodSettings,
    ErmSettings,
    GroupDroSettings,
    MethodName,
    MethodsSettings,
    NetworkSettings,
)
from pipeline.core.results import (
    AttributeInfo,
    DatasetInfo,
    GroupInfo,
    Provenance,
    SourceInfo,
    TrainHistory,
)
from pipeline.core.train_settings import TrainSettings
from pipeline.core.types import Int64Array, Split, SplitName
from pipeline.models.networks import build_model
from pipeline.models.predict import predict_logits
from pipeline.train.fitting import Attribution, ErmBase
from pipeline.train.loop import Job, Outcome
from pipeline.train.plans import Groups, make_plan
from pipeline.train.run import Recipe, train_method

GROUP_NAMES = ["left/red", "left/blue", "right/red", "right/blue"]


def make_settings(**changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": "small_resnet",
        "width": 4,
        "stem_stride": 1,
        "pretrained": False,
        "seeds": [0],
        "epochs": 3,
        "batch_size": 32,
        "optimizer": "sgd",
        "lr": 0.05,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "schedule": "one_cycle",
        "augment": "none",
        "label_smoothing": 0.0,
        "precision": "fp32",
        "device": "cpu",
        "checkpoint_seconds": 1000.0,
    }
    return TrainSettings(**(base | changes))


def make_erm(selection: str = "average") -> ErmSettings:
    return ErmSettings.model_validate({"selection": selection})


def make_dro(**changes: Any) -> GroupDroSettings:
    base = {
        "selection": "worst_group",
        "step_size": 0.01,
        "adjustment": 0.0,
        "allow_empty_groups": False,
        "groups": "given",
        "inference": "errors",
        "inference_epochs": 2,
        "clusters_per_class": 2,
    }
    return GroupDroSettings.model_validate(base | changes)


def make_job(method: NetworkSettings, train: Split, val: Split, *, seed: int = 0, **settings: Any) -> Job:
    """What one network's training needs to know."""
    checked = make_settings(**settings)
    groups = Groups(train.groups, val.groups, GROUP_NAMES)
    plan = make_plan(method, train, groups, batch_size=checked.batch_size)
    return Job(checked, plan, seed, len(GROUP_NAMES))


def make_split(
    n: int, *, name: SplitName = "train", strength: float = 0.9, seed: int = 0, bar: int = 40
) -> Split:
    """16 x 16 noise with a bar as bright as `bar` (class) on a tinted ground (attribute)."""
    rng = np.random.default_rng([seed, len(name)])
    labels = np.arange(n) % 2
    agrees = rng.random(n) < strength
    attributes = np.where(agrees, labels, 1 - labels)
    images = rng.integers(60, 120, size=(n, 16, 16, 3))
    images[attributes == 0, :, :, 0] += 80
    images[attributes == 1, :, :, 2] += 80
    images[labels == 0, 4:12, 2:5] += bar
    images[labels == 1, 4:12, 11:14] += bar
    return Split(
        name=name,
        images=images.astype(np.uint8),
        labels=labels.astype(np.int64),
        attributes=attributes.astype(np.int64),
        groups=(2 * labels + attributes).astype(np.int64),
        ids=np.arange(n),
        files=np.array([f"{name}_{i}.png" for i in range(n)]),
    )


class MemoryStore:
    """Checkpoints in memory, copied as a file would be; `fail_after` saves end the run like a kill."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.n_saves = 0
        self.fail_after = fail_after

    def save(self, name: str, state: dict[str, Any]) -> None:
        self.states[name] = copy.deepcopy(state)
        self.n_saves += 1
        if self.n_saves == self.fail_after:
            raise KilledError

    def load(self, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.states.get(name))


class KilledError(Exception):
    """Stands for a kill."""


DEFAULTS = YAML(typ="safe", pure=True).load((Path(__file__).parent.parent / "params.yaml").read_text())[
    "defaults"
]
METHODS = MethodsSettings.model_validate(DEFAULTS["methods"])


def make_method(name: MethodName, **changes: Any) -> AnyMethodSettings:
    """A method's shipped defaults with changes."""
    shipped: AnyMethodSettings = getattr(METHODS, name)
    return type(shipped).model_validate(shipped.model_dump() | changes)


def make_recipe(
    name: MethodName,
    *,
    settings: TrainSettings,
    first: Any = None,
    attribution: Attribution | None = None,
    **changes: Any,
) -> Recipe:
    """A method with its shipped defaults, without selection where it has one."""
    unselected = {} if name in ("dfr", "repair") else {"selection": "last"}
    erm = make_method("erm", selection="last")
    return Recipe(
        name=name,
        method=make_method(name, **(unselected | changes)),
        settings=settings,
        erm=ErmBase(settings, ErmSettings.model_validate(erm.model_dump())),
        first=settings.model_copy(update=first or {}) if name == "jtt" else None,
        attribution=attribution,
    )


def make_info(train: Split, val: Split) -> DatasetInfo:
    """The card of a dataset made of `make_split`."""
    n_train, n_val = (np.bincount(split.groups, minlength=4).tolist() for split in (train, val))
    return DatasetInfo(
        provenance=Provenance(),
        name="planted",
        title="planted",
        classes=["left", "right"],
        group_labels=["left", "right"],
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name="color", values=["red", "blue"], origin="annotated")],
        groups=[
            GroupInfo(
                name=name,
                label=name.split("/")[0],
                attribute=name.split("/")[1],
                n_train=a,
                n_val=b,
                n_test=0,
            )
            for name, a, b in zip(GROUP_NAMES, n_train, n_val, strict=True)
        ],
        n={"train": len(train), "val": len(val), "test": 0},
        image_size=16,
        has_masks=False,
        channel_mean=[0.4] * 3,
        channel_std=[0.2] * 3,
        source_info=SourceInfo(source="made here", licence="none"),
    )


@dataclass
class Result:
    """What `train_method` returned and the weights it handed over."""

    history: TrainHistory
    weights: dict[int, dict[str, Tensor]]
    outcomes: dict[int, Outcome]
    controls: dict[str, dict[int, dict[str, Tensor]]] = field(default_factory=dict)

    def predict(self, split: Split, seed: int = 0) -> Int64Array:
        """Predicted classes of this seed's model."""
        model = build_model(
            self.history.model, n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
        )
        model.load_state_dict(self.weights[seed])
        predicted: Int64Array = predict_logits(model, split.images).argmax(1)
        return predicted

    def worst_group(self, split: Split, seed: int = 0) -> float:
        """Lowest accuracy over the groups."""
        correct = self.predict(split, seed) == split.labels
        return min(float(correct[split.groups == g].mean()) for g in np.unique(split.groups))


def run_method(recipe: Recipe, train: Split, val: Split, store: Any = None) -> Result:
    """Train every seed of a method."""
    outcomes: dict[int, Outcome] = {}
    controls: dict[str, dict[int, dict[str, Tensor]]] = {}

    def save(seed: int, outcome: Outcome, spec: dict[str, Any], control: str = "") -> None:
        if control:
            controls.setdefault(control, {})[seed] = outcome.weights
        else:
            outcomes[seed] = outcome

    history = train_method(
        recipe,
        train=train,
        val=val,
        info=make_info(train, val),
        store=store or MemoryStore(),
        save_seed=save,
        provenance=Provenance(),
    )
    return Result(history, {seed: outcome.weights for seed, outcome in outcomes.items()}, outcomes, controls)
