"""`params.yaml` as typed, validated settings.

`Params` is the file; `DatasetSettings` is what one dataset gets after its entry is laid over
`defaults`. Unknown keys, wrong types and values out of range are errors that name the remedy.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from pipeline.core.attribution_settings import AttributeSettings, RetrainSettings
from pipeline.core.errors import InputError
from pipeline.core.gate_settings import GateSettings
from pipeline.core.method_settings import MethodName, MethodsSettings
from pipeline.core.settings_base import Seed, Settings
from pipeline.core.train_settings import TrainSettings

NAME_PATTERN = re.compile(r"^[a-z0-9_]+$")

T = TypeVar("T", bound=Settings)


def _cell_text(value: Any) -> Any:
    return str(value) if isinstance(value, bool | int | float) else value


CellText = Annotated[str, BeforeValidator(_cell_text)]  # YAML reads 0 as a number; a table's cells are text
# joined: names that differ in case, spaces or Unicode form alone are one
Names = Literal["joined", "exact"]


# --- where images come from ------------------------------------------------------------------


class PhotoDigitsSource(Settings):
    """The embedded demo: digits on photographs, built from what scikit-learn ships."""

    kind: Literal["photo_digits"]
    strength: float = Field(0.95, ge=0.5, le=1, description="share of train images on 'their' photo")
    n_train: int = Field(3000, ge=100)
    n_val: int = Field(600, ge=40)
    n_test: int = Field(1200, ge=40)
    contrast: float = Field(0.6, gt=0, le=1, description="opacity of the digit's strokes")
    label_noise: float = Field(0.03, ge=0, lt=0.5, description="share of train labels flipped")
    seed: Seed = 0


class DownloadableSource(Settings):
    """A published dataset: downloaded, or read from `path` (archive or extracted folder)."""

    path: str | None = Field(None, description="local official archive, its folder, or extracted")
    mirrors: list[str] | None = Field(None, description="URLs tried in order instead of the built-in")
    md5: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{32}$", description="expected md5 of the archive; null = the official one"
    )
    verify: Literal["full", "structure"] = Field(
        "full", description="structure: accept an archive that is not byte-identical to the official"
    )


class Cifar100Source(DownloadableSource):
    kind: Literal["cifar100"]


class TinyImagenetSource(DownloadableSource):
    kind: Literal["tiny_imagenet"]


class WaterbirdsSource(DownloadableSource):
    kind: Literal["waterbirds"]
    allow_missing_images: bool = Field(False, description="use the rows whose image exists")


class SplitValues(Settings):
    """Which names of the source (folders, or a column's values) are which split."""

    train: list[CellText] = Field(min_length=1)
    val: list[CellText] = Field(default_factory=list)
    test: list[CellText] = Field(default_factory=list)
    leave_out: list[CellText] = Field(default_factory=list, description="images that are not used")


class FolderSource(Settings):
    """A folder of class folders, optionally below train/ val/ test/."""

    kind: Literal["folder"]
    path: str
    splits: SplitValues | None = Field(None, description="folder names of each split; null: where plain")
    split_level: int | None = Field(
        None, ge=0, description="which folders are splits, 1 = those in `path`; 0: none; null: where plain"
    )
    label_level: int | None = Field(
        None, ge=1, description="which folders (below the splits) are classes; null = 1, if that is plain"
    )
    attribute_level: int | None = Field(None, ge=1, description="which folders form the groups")
    names: Names = "joined"
    version: int = Field(1, description="raise it when the files behind path changed")
    title: str | None = None
    licence: str = "not stated"


class TableColumns(Settings):
    file: str
    label: str
    split: str | None = None
    attributes: list[str] = Field(default_factory=list, description="the first forms the groups")
    mask: str | None = Field(None, description="column with mask file names, relative to `masks`")
    group_column: str | None = Field(
        None, description="scene, patient, camera or video of each image: never cut across splits or folds"
    )


class TableSource(Settings):
    """A folder with a CSV or Parquet table; `columns` maps our names to the table's."""

    kind: Literal["table"]
    path: str
    table: str = "metadata.csv"
    version: int = Field(1, description="raise it when the files behind path changed")
    columns: TableColumns
    label_names: dict[str, str] | None = Field(None, description="value in the table -> shown name")
    attribute_names: dict[str, str] | None = Field(None, description="the same for the attribute")
    splits: SplitValues | None = Field(
        None, description="values of the split column; null: where they are plain (train, validation, ...)"
    )
    names: Names = "joined"
    images: str = Field(".", description="folder that file names are relative to")
    masks: str | None = Field(None, description="folder of masks named like the images")
    title: str | None = None
    licence: str = "not stated"


class PythonSource(Settings):
    """A class in `pipeline/data/plugins/<module>.py`, given as `module:ClassName`."""

    kind: Literal["python"]
    cls: str = Field(alias="class", pattern=r"^[a-z0-9_]+:[A-Za-z_][A-Za-z0-9_]*$")
    options: dict[str, Any] = Field(default_factory=dict)


Source = Annotated[
    PhotoDigitsSource
    | Cifar100Source
    | TinyImagenetSource
    | WaterbirdsSource
    | FolderSource
    | TableSource
    | PythonSource,
    Field(discriminator="kind"),
]


_N_PROBLEMS = 10  # that one message lists
_N_SHOWN = 80  # characters of a wrong value


# --- what the stages do ----------------------------------------------------------------------


class DataSettings(Settings):
    image_size: int = Field(ge=8, le=512, description="side of the packed square images, pixels")
    fit: Literal["crop", "squash", "pad"] = Field(description="how other shapes become square")
    val_fraction: float = Field(gt=0, lt=0.5, description="carved from train where val is missing")
    test_fraction: float = Field(gt=0, lt=0.5, description="carved where test is missing")
    split_seed: Seed
    max_per_class: int | None = Field(None, ge=2, description="subsample train; null = all")
    skip_unreadable: bool = Field(description="leave unreadable images out instead of stopping")
    value_range: Literal["auto"] | tuple[float, float] = Field(
        "auto", description="black and white of images beyond 8 bits; auto: the narrowest usual range of all"
    )
    derive_attribute: Literal["auto", "ring_lightness", "ring_hue", "never"] = Field(
        description="auto: ring lightness where no attribute is annotated"
    )
    levels: int = Field(ge=2, le=5, description="levels of a derived attribute")
    group_by: Literal["auto", "class", "superclass", "all"] = Field(
        description="what groups cross with the attribute; auto: superclass where there is one"
    )

    @field_validator("value_range", mode="before")
    @classmethod
    def _is_range(cls, given: Any) -> Any:
        is_pair = isinstance(given, list | tuple) and len(given) == 2
        if given != "auto" and not (
            is_pair and all(isinstance(v, int | float) for v in given) and given[0] < given[1]
        ):
            raise ValueError("should be auto, or [black, white] as in [0, 4095]")
        return given


class ColorSettings(Settings):
    permutations: int = Field(ge=99, le=100_000)
    min_omega_squared: float = Field(ge=0, lt=1, description="least effect size of a finding")
    min_kappa: float = Field(ge=0, lt=1, description="least color-only kappa of a finding")
    alpha: float = Field(gt=0, lt=0.5, description="false discovery rate")
    folds: int = Field(ge=2, le=20)
    boosted_max_train: int = Field(
        ge=0, description="stratified training images for the boosted trees; 0 = no boosted trees"
    )
    examples_per_class: int = Field(ge=0, le=24, description="most and least typical images kept")
    seed: Seed


class HygieneSettings(Settings):
    near_duplicates: bool = Field(description="also look for images that are alike, not identical")
    min_similarity: float = Field(gt=0.5, le=1, description="least similarity of near duplicates")
    examples: int = Field(ge=0, le=100, description="sets of duplicates and odd images kept as examples")
    seed: Seed


class EvaluateSettings(Settings):
    min_test: int = Field(ge=1, description="fewer test images in a group: too few to decide anything")
    min_val: int = Field(
        ge=0, description="the same for what is measured on validation; test accuracy does not depend on it"
    )
    max_images: int | None = Field(
        ge=100, description="group-stratified test images for the interventions; null = all"
    )
    seed: Seed = Field(description="of donors and bootstraps of the interventions")


class GradcamSettings(Settings):
    layer: str = Field(description="auto, or the module's name")
    min_cells: int = Field(ge=1, description="least side of the map before upsampling")
    images_per_group: int = Field(ge=1)
    faithfulness_images: int = Field(ge=0, description="images for insertion and deletion; 0 = not measured")
    faithfulness_steps: int = Field(ge=3, le=200, description="points of the insertion and deletion curves")
    sanity_images: int = Field(ge=0, description="images for the randomization check; 0 = not measured")
    overlays: int = Field(ge=1, le=50, description="pictures of failures, and of successes")
    thumbnail: int = Field(ge=32, le=512, description="side of the pictures, pixels")
    max_models: int | None = Field(ge=1, description="seeds used; null = all")
    batch_size: int = Field(ge=1)
    seed: Seed


class ReportSettings(Settings):
    examples_per_group: int = Field(ge=1, le=24)
    targets_shown: int = Field(ge=1, le=100, description="audited test images shown one by one")
    thumbnail: int = Field(ge=32, le=256, description="side of the pictures, pixels")
    min_effect: float = Field(gt=0, lt=1, description="accuracy or flip-rate change that matters")


SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "color": ColorSettings,
    "hygiene": HygieneSettings,
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
        missing = [key for key in ("source", *SECTIONS) if key not in entry]
        if isinstance(entry.get("methods"), Mapping):
            # erm, too: methods that start from its model track its settings
            needed = dict.fromkeys(["erm", *self.active_methods])
            missing += [f"methods.{m}" for m in needed if m not in entry["methods"]]
        wrong = _not_sections(entry, missing, f"datasets.{name}")
        if wrong:
            raise InputError(
                f"params.yaml: {'; '.join(wrong)}. DVC tracks each section, so each must be there; write "
                "`{}` where the defaults serve."
            )
        unset = _not_sections(
            self.defaults, [key for key in SECTIONS if key not in self.defaults], "defaults"
        )
        if unset:
            raise InputError(
                f"params.yaml: {'; '.join(unset)}. Each section must be there with its keys; "
                "restore it, for example with git."
            )
        self._check_defaults()
        merged = {key: deep_merge(self.defaults[key], entry[key]) for key in SECTIONS if key in entry}
        extra = {key: value for key, value in entry.items() if key not in SECTIONS}
        for key in OPTIONAL_SECTIONS:
            given = entry.get(key, {})
            if isinstance(given, Mapping):
                extra[key] = deep_merge(self.defaults.get(key, {}), given)
        settings = parse(DatasetSettings, {**extra, **merged}, f"datasets.{name}")
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


def _not_sections(given: Mapping[str, Any], missing: Sequence[str], where: str) -> list[str]:
    """What is wrong with the sections of an entry: missing, maybe misspelt, empty, or no mapping."""
    known = ("source", *SECTIONS, *OPTIONAL_SECTIONS)
    near = [f"{key} is not a known key{hint}" for key in given if (hint := _misspelt(key, missing, known))]
    why = f" ({', '.join(near)})" if near else ""
    wrong = [f"{where} lacks {', '.join(missing)}{why}"] if missing else []
    for key in ("source", *SECTIONS):
        value = given.get(key)
        if key in given and not isinstance(value, Mapping):
            wrong.append(
                f"{where}.{key} is empty: write `{key}: {{}}`"
                if value is None and key != "source"
                else f"{where}.{key} = {_shortened(value)} is not a mapping of keys"
            )
    return wrong


def _misspelt(key: str, missing: Sequence[str], known: Sequence[str]) -> str:
    return did_you_mean(key, missing) if key not in known else ""


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` laid over it, nested mappings merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def did_you_mean(word: str, known: Any) -> str:
    """`"; did you mean 'x'?"` for a near match among `known`, else an empty string."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def parse(model: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Validate `values` as `model`.

    Raises:
        InputError: every problem on a line of its own, with its place in params.yaml.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(model, error.errors(), where) from None


def _invalid(model: type[Settings], problems: Sequence[Any], where: str) -> InputError:
    lines = [_explain(model, problem, where) for problem in problems[:_N_PROBLEMS]]
    if len(problems) > _N_PROBLEMS:
        lines.append(f"and {len(problems) - _N_PROBLEMS} more")
    return InputError("params.yaml is not valid:\n  " + "\n  ".join(lines))


def _explain(model: type[Settings], problem: Any, where: str) -> str:
    loc, _ = _follow(model, problem["loc"])
    place = ".".join([where, *loc]) if where else ".".join(loc)
    if problem["type"] == "extra_forbidden":
        known = _keys(_follow(model, problem["loc"][:-1])[1])
        hint = did_you_mean(loc[-1], known)
        allowed = f" Allowed here: {', '.join(known)}." if known else ""
        return f"{place} is not a known key{hint}{'' if hint else '.'}{allowed}"
    if problem["type"] in ("missing", "union_tag_not_found"):
        tag = problem.get("ctx", {}).get("discriminator", "").strip("'")
        return f"{place}{'.' if tag else ''}{tag} is missing."
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        found, known = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
        return f"{place}.{problem['ctx']['discriminator'].strip(chr(39))} = {found!r}: known are {known}."
    given = problem["input"]
    if given is None:
        place, message = f"{place} is empty", f"{message[:1].lower()}{message[1:]}"
    elif not isinstance(given, Mapping):  # else a rule over several keys, whose message has their values
        place = f"{place} = {_shortened(given)}"
    return f"{place}: {message}." if place else f"{message}."


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _N_SHOWN else f"{shown[:_N_SHOWN]}..."


def _follow(model: Any, loc: Sequence[int | str]) -> tuple[list[str], Any]:
    """The keys of a problem's place as people write them, and the model there (None: none).

    Where several models share a key, pydantic puts the name of the one that was tried behind it.
    """
    keys, parts = [], iter(str(part) for part in loc)
    for part in parts:
        keys.append(part)
        fields = getattr(model, "model_fields", {}).items()
        info = next((info for name, info in fields if part in (name, info.alias)), None)
        annotation = getattr(info, "annotation", None)
        models = [each for each in (annotation, *get_args(annotation)) if hasattr(each, "model_fields")]
        if discriminator := getattr(info, "discriminator", None):
            tag = next(parts, None)
            models = [m for m in models if tag in get_args(m.model_fields[discriminator].annotation)]
        model = next(iter(models), None)
    return keys, model


def _keys(model: Any) -> list[str]:
    return [info.alias or name for name, info in getattr(model, "model_fields", {}).items()]
