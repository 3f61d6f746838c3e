"""`params.yaml` as typed, validated settings.

`Params` is the file; `DatasetSettings` is what one dataset gets after its entry is laid over
`defaults`. Unknown keys, wrong types and values out of range are errors that name the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from pipeline.artifacts.paths import NAME_PATTERN, check_dataset_name
from pipeline.core.errors import InputError
from pipeline.methods.recipe import Setup
from pipeline.methods.registry import (
    BASE,
    MODULES,
    MethodName,
    check_name,
    find_method,
    method_names,
    methods_section,
)
from pipeline.plan.own_networks import check_model, refuse_written, with_network
from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.audit import ColorSettings
from pipeline.settings.base import Settings, deciding
from pipeline.settings.cues import CuesSettings
from pipeline.settings.data import DataSettings
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.settings.gate import GateSettings
from pipeline.settings.gradcam import GradcamSettings
from pipeline.settings.groups import GroupsSettings
from pipeline.settings.hygiene import HygieneSettings
from pipeline.settings.indicators import IndicatorsSettings
from pipeline.settings.models import Model
from pipeline.settings.parsing import _invalid, _shortened, deep_merge, did_you_mean, parse
from pipeline.settings.report import ReportSettings
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.sources import Source
from pipeline.settings.titles import TitlesSettings
from pipeline.settings.train import TrainSettings

if TYPE_CHECKING:
    MethodsSettings = Settings  # whose fields the registry knows
else:
    MethodsSettings = methods_section()


class KnownRetrainSettings(RetrainSettings):
    """`retrain`, with names that are methods."""

    methods: list[MethodName] = Field(description="methods that are retrained; others are not checked")


class KnownGateSettings(GateSettings):
    """`gate`, with a name that is a method."""

    method: str | None = Field(
        None,
        description="the method, or model of `models`, that must pass; null = the baseline, all = every one",
        examples=[*method_names(), "all", None],
    )


SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "color": ColorSettings,
    "hygiene": HygieneSettings,
    "cues": CuesSettings,
    "groups": GroupsSettings,
    "train": TrainSettings,
    "methods": MethodsSettings,
    "evaluate": EvaluateSettings,
    "retrain": KnownRetrainSettings,
    "attribute": AttributeSettings,
    "gradcam": GradcamSettings,
    "indicators": IndicatorsSettings,
    "report": ReportSettings,
}
OPTIONAL_SECTIONS: dict[str, type[Settings]] = {"titles": TitlesSettings, "gate": KnownGateSettings}


class DatasetSettings(Settings):
    """One dataset's complete settings: its entry laid over the defaults."""

    source: Source
    data: DataSettings
    color: ColorSettings
    hygiene: HygieneSettings
    cues: CuesSettings
    groups: GroupsSettings
    train: TrainSettings
    methods: MethodsSettings
    evaluate: EvaluateSettings
    retrain: KnownRetrainSettings
    attribute: AttributeSettings
    gradcam: GradcamSettings
    indicators: IndicatorsSettings
    report: ReportSettings
    titles: TitlesSettings = Field(default_factory=TitlesSettings)
    # of no hash: it makes no result
    gate: KnownGateSettings = Field(default_factory=KnownGateSettings, exclude=True)
    _models: Mapping[str, Model] = PrivateAttr(default_factory=dict)  # what `train.model` may name

    def method(self, name: str) -> Any:
        """A method's own settings."""
        return getattr(self.methods, name)

    def train_for(self, name: str, where: str = "") -> TrainSettings:
        """Training settings of one method: its `train` overrides laid over those of the dataset.

        A method without a network of its own has the base's.
        """
        owner = name if find_method(name).has_network else BASE
        return self._override(self.train, self.method(owner).train, where, f"methods.{owner}.train")

    def setup(self, name: str, where: str = "") -> Setup[Any]:
        """Everything that decides what a method trains.

        Raises:
            InputError: training settings do not validate with the method's overrides.
        """
        method, own = find_method(name), self.method(name)
        train = self.train_for(name, where)
        further = {
            part: self._override(train, overrides, where, f"methods.{name}.{part}")
            for part, overrides in method.further(own).items()
        }
        sections = {key: deciding(getattr(self, key)) for key in method.sections}
        base = self.setup(BASE, where) if method.needs_base(own) else None
        return Setup(method, own, train, further, sections, base)

    def _override(
        self, base: TrainSettings, over: Mapping[str, Any], where: str, place: str
    ) -> TrainSettings:
        place = ".".join(filter(None, [where, place]))
        refuse_written(over, place)
        merged = deep_merge(base.model_copy(update={"network": None}).model_dump(), over)
        return with_network(parse(TrainSettings, merged, place), self._models)


class Params(Settings):
    """The whole `params.yaml`."""

    active: list[str] = Field(min_length=1)
    active_methods: list[str] = Field(min_length=1, description="training methods, and names of `models`")
    explained_methods: list[str] = Field(min_length=1)
    models: dict[str, Model] = Field(
        default_factory=dict, description="trained elsewhere, used like methods; `new-model` writes an entry"
    )
    defaults: dict[str, Any]
    datasets: dict[str, dict[str, Any]]

    @field_validator("active", "active_methods", "explained_methods")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ValueError(f"names {', '.join(twice)} more than once: write each once")
        return names

    @field_validator("models", mode="before")
    @classmethod
    def _no_models(cls, given: Any) -> Any:
        return {} if given is None else given

    @field_validator("models")
    @classmethod
    def _models_have_names(cls, models: dict[str, Any]) -> dict[str, Any]:
        for name in models:
            if name in (*MODULES, "all"):
                raise ValueError(f"{name!r} is the name of a training method: call the model something else")
            if not NAME_PATTERN.match(name):
                raise ValueError(f"the name {name!r} is not allowed: use a-z, 0-9 and _ only")
        return models

    @model_validator(mode="after")
    def _methods_are_known(self) -> Params:
        for key in ("active_methods", "explained_methods"):
            for name in getattr(self, key):
                if name not in self.models:
                    try:
                        check_name(name, *self.models)
                    except ValueError as error:
                        raise ValueError(f"{key} names {name!r}: {error}") from None
        return self

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

    @property
    def trained_methods(self) -> list[str]:
        """Those of the active methods that train; the others are models that were trained elsewhere."""
        return [method for method in self.active_methods if method not in self.models]

    def dataset(self, name: str) -> DatasetSettings:
        """Settings of the dataset `name`, complete and validated.

        Raises:
            InputError: the name is unknown, or the entry does not validate.
        """
        return self._dataset(name, is_used=True)

    def _dataset(self, name: str, *, is_used: bool) -> DatasetSettings:
        if name not in self.datasets:
            raise InputError(
                f"params.yaml has no dataset {name!r}{did_you_mean(name, self.datasets) or '.'} "
                f"Known: {', '.join(self.datasets)}. Add one with "
                "`shortcut-audit new-dataset NAME PATH`."
            )
        check_dataset_name(name)
        entry = self.datasets[name]
        wrong = _no_sections(entry, f"datasets.{name}")
        if wrong:
            raise InputError(
                f"params.yaml: {'; '.join(wrong)}. Leave a section out where the defaults serve, or write "
                "its keys."
            )
        self._check_defaults()
        unset = [f"defaults lacks {key}" for key in SECTIONS if key not in self.defaults]
        unset += _no_sections(self.defaults, "defaults")
        if unset:
            raise InputError(
                f"params.yaml: {'; '.join(unset)}. Each section of the defaults must be there with its keys; "
                "restore it, for example with git."
            )
        known = {**SECTIONS, **OPTIONAL_SECTIONS}
        merged = {key: deep_merge(self.defaults.get(key, {}), entry.get(key, {})) for key in known}
        for key, section in (("defaults", self.defaults), (f"datasets.{name}", entry)):
            refuse_written(section.get("train", {}), f"{key}.train")
        settings = parse(DatasetSettings, {**entry, **merged}, f"datasets.{name}")
        settings._models = self.models
        for method in self.trained_methods:
            setup = settings.setup(method, f"datasets.{name}")
            for train in setup.networks:
                try:
                    check_model(train, self.models, name if is_used else None)
                except InputError as error:
                    raise InputError(f"params.yaml: datasets.{name}, method {method}: {error}") from None
        self._check_gate(settings, f"datasets.{name}")
        self._check_others(settings, name)
        return settings

    def _check_others(self, settings: DatasetSettings, name: str) -> None:
        others = settings.indicators.other_datasets
        allowed = [other for other in self.datasets if other != name]
        wrong = next((other for other in others if other not in allowed), None)
        if wrong is not None:
            what = "is the dataset itself" if wrong == name else "is no dataset"
            raise InputError(
                f"params.yaml: datasets.{name}.indicators.other_datasets names {wrong!r}, which {what}"
                f"{did_you_mean(wrong, allowed) or '.'} Allowed: {', '.join(allowed) or 'none yet'}."
            )

    def _check_gate(self, settings: DatasetSettings, where: str) -> None:
        if settings.gate.method is None:
            return
        try:
            check_name(settings.gate.method, "all", *self.models)
        except ValueError as error:
            raise InputError(
                f"params.yaml: {where}.gate.method = {settings.gate.method!r}: {error}"
            ) from None

    def _check_defaults(self) -> None:
        """A wrong key or value in `defaults` is named there, not under the first dataset that inherits it.

        Keys may be missing: an entry can give them.
        """
        known = {**SECTIONS, **OPTIONAL_SECTIONS}
        unknown = sorted(set(self.defaults) - set(known))
        if unknown:
            raise InputError(
                f"params.yaml: defaults.{unknown[0]} is not known{did_you_mean(unknown[0], known) or '.'} "
                f"Allowed here: {', '.join(known)}."
            )
        for key, model in known.items():
            given = self.defaults.get(key)
            if not isinstance(given, Mapping):
                continue
            try:
                model.model_validate(given)
            except ValidationError as error:
                _raise_wrong(model, error, f"defaults.{key}")
        train, methods = (self.defaults.get(key) for key in ("train", "methods"))
        if not (isinstance(train, Mapping) and isinstance(methods, Mapping)):
            return
        for method, own in methods.items():
            try:
                TrainSettings.model_validate(deep_merge(train, own.get("train") or {}))
            except ValidationError as error:
                _raise_wrong(TrainSettings, error, f"defaults.methods.{method}.train")

    def check(self) -> None:
        """Validate every dataset entry and the names.

        Raises:
            InputError: with the first problem found.
        """
        for name in dict.fromkeys([*self.active, *self.datasets]):
            self._dataset(name, is_used=name in self.active)


def _raise_wrong(model: type[Settings], error: ValidationError, where: str) -> None:
    """Raise what is wrong in a section of the defaults; keys that it lacks an entry may give."""
    wrong = [problem for problem in error.errors() if problem["type"] != "missing"]
    if wrong:
        raise _invalid(model, wrong, where) from None


def _no_sections(given: Mapping[str, Any], where: str) -> list[str]:
    """The sections that hold something else than keys. A missing one is no mistake."""
    return [
        f"{where}.{key} is empty"
        if given[key] is None
        else f"{where}.{key} = {_shortened(given[key])} is not a mapping of keys"
        for key in ("source", *SECTIONS, *OPTIONAL_SECTIONS)
        if key in given and not isinstance(given[key], Mapping)
    ]
