"""`params.yaml` as typed, validated settings.

`Params` is the file; `DatasetSettings` is what one dataset gets after its entry is laid over
`defaults`. Unknown keys, wrong types and values out of range are errors that name the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from pipeline.artifacts.paths import NAME_PATTERN
from pipeline.core.errors import InputError
from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.audit import ColorSettings
from pipeline.settings.base import Settings
from pipeline.settings.data import DataSettings
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.settings.gate import GateSettings
from pipeline.settings.gradcam import GradcamSettings
from pipeline.settings.groups import GroupsSettings
from pipeline.settings.hygiene import HygieneSettings
from pipeline.settings.methods import MethodName, MethodsSettings
from pipeline.settings.parsing import _invalid, _shortened, deep_merge, did_you_mean, parse
from pipeline.settings.report import ReportSettings
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.sources import Source
from pipeline.settings.train import TrainSettings

SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "color": ColorSettings,
    "hygiene": HygieneSettings,
    "groups": GroupsSettings,
    "train": TrainSettings,
    "methods": MethodsSettings,
    "evaluate": EvaluateSettings,
    "retrain": RetrainSettings,
    "attribute": AttributeSettings,
    "gradcam": GradcamSettings,
    "report": ReportSettings,
}
OPTIONAL_SECTIONS: dict[str, type[Settings]] = {"gate": GateSettings}  # DVC tracks none of them


class DatasetSettings(Settings):
    """One dataset's complete settings: its entry laid over the defaults."""

    source: Source
    data: DataSettings
    color: ColorSettings
    hygiene: HygieneSettings
    groups: GroupsSettings
    train: TrainSettings
    methods: MethodsSettings
    evaluate: EvaluateSettings
    retrain: RetrainSettings
    attribute: AttributeSettings
    gradcam: GradcamSettings
    report: ReportSettings
    gate: GateSettings = Field(default_factory=GateSettings, exclude=True)  # of no hash: it makes no result

    def train_for(self, method: MethodName, where: str = "") -> TrainSettings:
        """Training settings of one method: its `train` overrides laid over the dataset's.

        `dfr` and `repair` train ERM's network, so they have ERM's.
        """
        section = "erm" if method in ("dfr", "repair") else method
        return self._override(
            self.train, getattr(self.methods, section).train, where, f"methods.{section}.train"
        )

    def identification_settings(self, where: str = "") -> TrainSettings:
        """Training settings of the model that tells `jtt` which images are hard."""
        jtt = self.methods.jtt
        # none of its weights are kept, and it may be too short for as many
        overrides = {**jtt.identification, "epochs": jtt.identification_epochs, "checkpoints": 0}
        return self._override(self.train_for("jtt"), overrides, where, "methods.jtt.identification")

    @staticmethod
    def _override(base: TrainSettings, over: Mapping[str, Any], where: str, place: str) -> TrainSettings:
        merged = deep_merge(base.model_dump(), over)
        return parse(TrainSettings, merged, ".".join(filter(None, [where, place])))


class Params(Settings):
    """The whole `params.yaml`."""

    active: list[str] = Field(min_length=1)
    active_methods: list[MethodName] = Field(min_length=1)
    explained_methods: list[MethodName] = Field(min_length=1)
    defaults: dict[str, Any]
    datasets: dict[str, dict[str, Any]]

    @model_validator(mode="after")
    def _explained_are_trained(self) -> Params:
        untrained = [method for method in self.explained_methods if method not in self.active_methods]
        if untrained:
            raise ValueError(
                f"explained_methods names {', '.join(untrained)}, which active_methods "
                f"({', '.join(self.active_methods)}) does not train: take it out, or train it"
            )
        if self.active_methods[0] not in self.explained_methods:
            raise ValueError(
                f"explained_methods must name {self.active_methods[0]}, the first of active_methods: it is "
                "the baseline, whose harm is traced to training images"
            )
        return self

    def dataset(self, name: str) -> DatasetSettings:
        """Settings of the dataset `name`, complete and validated.

        Raises:
            InputError: the name is unknown, or the entry does not validate.
        """
        if name not in self.datasets:
            raise InputError(
                f"params.yaml has no dataset {name!r}{did_you_mean(name, self.datasets) or '.'} "
                f"Known: {', '.join(self.datasets)}. Add one with "
                "`python -m pipeline new-dataset NAME PATH`."
            )
        entry = self.datasets[name]
        wrong = _no_sections(entry, f"datasets.{name}")
        if wrong:
            raise InputError(
                f"params.yaml: {'; '.join(wrong)}. Leave a section out where the defaults serve, or write "
                "its keys."
            )
        unset = [f"defaults lacks {key}" for key in SECTIONS if key not in self.defaults]
        unset += _no_sections(self.defaults, "defaults")
        if unset:
            raise InputError(
                f"params.yaml: {'; '.join(unset)}. Each section of the defaults must be there with its keys; "
                "restore it, for example with git."
            )
        self._check_defaults()
        known = {**SECTIONS, **OPTIONAL_SECTIONS}
        merged = {key: deep_merge(self.defaults.get(key, {}), entry.get(key, {})) for key in known}
        settings = parse(DatasetSettings, {**entry, **merged}, f"datasets.{name}")
        for method in self.active_methods:
            settings.train_for(method, f"datasets.{name}")
            if method == "jtt":
                settings.identification_settings(f"datasets.{name}")
        return settings

    def _check_defaults(self) -> None:
        """A wrong value in `defaults` is named there, not under the first dataset that inherits it.

        Keys may be missing: an entry can give them.
        """
        for key, model in {**SECTIONS, **OPTIONAL_SECTIONS}.items():
            try:
                model.model_validate(self.defaults.get(key, {}))
            except ValidationError as error:
                wrong = [problem for problem in error.errors() if problem["type"] != "missing"]
                if wrong:
                    raise _invalid(model, wrong, f"defaults.{key}") from None

    def check(self) -> None:
        """Validate every dataset entry and the names.

        Raises:
            InputError: with the first problem found.
        """
        for name in [*self.datasets, *self.active]:
            if not NAME_PATTERN.match(name):
                raise InputError(
                    f"dataset name {name!r} is not allowed: use a-z, 0-9 and _ only, because DVC "
                    "builds stage names from it."
                )
        known = {**SECTIONS, **OPTIONAL_SECTIONS}
        unknown = set(self.defaults) - set(known)
        if unknown:
            key = sorted(unknown)[0]
            raise InputError(f"params.yaml: defaults.{key} is not known{did_you_mean(key, known) or '.'}")
        for name in dict.fromkeys([*self.active, *self.datasets]):
            self.dataset(name)


def _no_sections(given: Mapping[str, Any], where: str) -> list[str]:
    """The sections that hold something else than keys. A missing one is no mistake."""
    return [
        f"{where}.{key} is empty"
        if given[key] is None
        else f"{where}.{key} = {_shortened(given[key])} is not a mapping of keys"
        for key in ("source", *SECTIONS, *OPTIONAL_SECTIONS)
        if key in given and not isinstance(given[key], Mapping)
    ]
