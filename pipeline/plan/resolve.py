"""What each stage is told of a dataset and a method: `params.yaml` with everything filled in, and no more.

**A new stage adds one line to a table here.** Its function takes the dataset's settings and returns what the
stage's `read_plan` asks for; a setting that it does not return cannot make the stage run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import dataset_dir, own_loader
from pipeline.artifacts.plans import StagePlan
from pipeline.artifacts.provenance import file_digest
from pipeline.core.errors import ArtifactError
from pipeline.core.types import Device
from pipeline.methods.registry import BASE, BROUGHT, MODULES
from pipeline.methods.setup import plan_network, plan_training
from pipeline.models.brought.sources import check_files, source_files
from pipeline.plan.fingerprint import Code
from pipeline.plan.own_networks import own_name, with_files
from pipeline.plan.params import DatasetSettings, Params
from pipeline.plan.source_overlap import shares_source
from pipeline.records.data import PackedInfo
from pipeline.settings.base import Settings, deciding
from pipeline.settings.models import NetworkModel
from pipeline.settings.plans.attribute import AttributePlan
from pipeline.settings.plans.data import DataPlan
from pipeline.settings.plans.evaluate import EvaluatePlan
from pipeline.settings.plans.gradcam import GradcamPlan
from pipeline.settings.plans.groups import GroupsPlan
from pipeline.settings.plans.indicators import IndicatorsPlan
from pipeline.settings.plans.report import MethodPlan, ReportPlan
from pipeline.settings.plans.retrain import RetrainPlan
from pipeline.settings.plans.train import BroughtPlan, NetworkPlan, TrainPlan
from pipeline.settings.plans.verdict import VerdictPlan
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.sources import PythonSource
from pipeline.settings.train import TrainSettings

PLUGINS = "pipeline.data.plugins"


def resolve(params: Params, stage: str, *names: str) -> Settings | None:
    """The settings of `stage` for `names` (dataset, method); None where it has none.

    Raises:
        InputError: the dataset is not known, or its entry does not validate.
    """
    return tell(params, params.dataset(names[0]), stage, *names) if names else None


def tell(params: Params, settings: DatasetSettings, stage: str, *names: str) -> Settings:
    """`resolve` where the dataset's settings are at hand."""
    if len(names) == 1:
        return DATASET_PLANS[stage](settings, params, names[0])
    return METHOD_PLANS[stage](settings, params, names[1])


def make_plan(told: Settings | None, code: Code, stage: str, *names: str) -> StagePlan:
    """What `stage` is told for `names`, with the fingerprint of the code that makes something of it."""
    fingerprint = code.fingerprint(*roots(code, stage, told, *names), alone=_worded(code, told))
    own = _own_code(told)
    return StagePlan(
        settings={} if told is None else deciding(told),
        code=hashlib.sha256(fingerprint.encode() + own).hexdigest()[:16] if own else fingerprint,
    )


def roots(code: Code, stage: str, told: Settings | None, *names: str) -> list[str]:
    """The modules whose imports are the code of a stage: its own, its method's, its plugin's."""
    found = [f"pipeline.stages.{stage}"]
    if isinstance(told, NetworkPlan):
        methods = [names[1], BASE] if isinstance(told, TrainPlan) and told.base else [names[1]]
        known = [MODULES[method] for method in methods if method in MODULES]
        found += [module for module in known if code.has(module)]
    if isinstance(told, BroughtPlan):
        found.append(BROUGHT)
    if isinstance(told, GroupsPlan) and code.has(MODULES[BASE]):
        found.append(MODULES[BASE])
    if isinstance(told, DataPlan) and isinstance(told.source, PythonSource):
        plugin = f"{PLUGINS}.{told.source.cls.partition(':')[0]}"
        found += [plugin] if code.has(plugin) else []  # the stage says what is wrong with the name
    return found


def _own_code(told: Settings | None) -> bytes:
    """The project's own loader, where that is what reads the data. What it imports is not followed."""
    if not (isinstance(told, DataPlan) and isinstance(told.source, PythonSource)):
        return b""
    path = own_loader(told.source.cls.partition(":")[0])
    return path.read_bytes() if path.is_file() else b""


def _worded(code: Code, told: Settings | None) -> tuple[str, ...]:
    """The files of methods whose words a stage prints: how they train is nothing to it."""
    methods = told.active_methods if isinstance(told, ReportPlan | VerdictPlan) else []
    known = [MODULES[method] for method in methods if method in MODULES]
    return tuple(module for module in known if code.has(module))


def _data(settings: DatasetSettings, params: Params, name: str) -> Settings:
    datasets = list(dict.fromkeys([name, *params.datasets, *params.active]))
    return DataPlan(source=settings.source, data=settings.data, datasets=datasets)


def _train(settings: DatasetSettings, params: Params, method: str) -> Settings:
    if method in params.models:
        return _brought(params, method)
    setup = with_files(settings.setup(method))
    return plan_training(setup, is_baseline=method == params.active_methods[0])


def _brought(params: Params, name: str) -> Settings:
    model = params.models[name]
    check_files(model, f"models.{name}")
    read = model.model_copy(update={"layer": None}) if isinstance(model, NetworkModel) else model
    return BroughtPlan(
        brought=read,  # another map is no other network: nothing but `gradcam` runs again
        entry=name,
        files={str(path): file_digest(path) for path in source_files(model)},
        is_baseline=name == params.active_methods[0],
    )


def device_of(settings: DatasetSettings, params: Params, method: str) -> Device:
    """Where a method, or a model that was trained elsewhere, is computed."""
    return (settings.train if method in params.models else settings.train_for(method)).device


def _retrain(settings: DatasetSettings, params: Params, method: str) -> Settings:
    if method in params.models:  # how it was trained is not known
        none = settings.retrain.model_dump() | {"methods": []}
        one = settings.train.model_copy(update={"seeds": [0]})
        return RetrainPlan(
            retrain=RetrainSettings.model_validate(none), train=one, method={}, is_brought=True
        )
    asked = [name for name in settings.retrain.methods if name == method]
    network = plan_network(with_files(settings.setup(method)))
    return RetrainPlan(
        retrain=RetrainSettings.model_validate(settings.retrain.model_dump() | {"methods": asked}),
        train=network.train.model_copy(update={"seeds": [0]}),
        method=network.method,
    )


def _gradcam(settings: DatasetSettings, params: Params, method: str) -> Settings:
    """A network of the user's has modules of its own names, so that its entry may say which is mapped."""
    named = method if method in params.models else own_name(settings.train_for(method).model)
    chosen, model, where = settings.gradcam, params.models.get(named), "gradcam.layer"
    if isinstance(model, NetworkModel):
        own = f"models.{named}.layer"
        where = f"{where} (or {own})" if model.layer is None else own
        chosen = chosen if model.layer is None else chosen.model_copy(update={"layer": model.layer})
    return GradcamPlan(gradcam=chosen, device=device_of(settings, params, method), layer_of=where)


def _indicators(settings: DatasetSettings, params: Params, method: str) -> Settings:
    is_brought = method in params.models
    return IndicatorsPlan(
        indicators=settings.indicators,
        device=device_of(settings, params, method),
        min_test=settings.evaluate.min_test,
        train=None if is_brought else with_files(settings.setup(method)).train,
        others={other: _packing_of(other) for other in settings.indicators.other_datasets},
    )


def _packing_of(dataset: str) -> str | None:
    """What is packed of another dataset now, by which DVC sees that it changed. None: nothing readable."""
    try:  # not by `load_packed`, whose module loads pandas, for which planning does not wait
        return load_artifact(dataset_dir(dataset) / "dataset.json", PackedInfo).packing
    except ArtifactError:
        return None


def _groups(settings: DatasetSettings, *_: Any) -> Settings:
    """With the network of one seed that is asked which cue it uses, where no attribute forms the groups."""
    base = plan_network(with_files(settings.setup(BASE)))
    one = base.train.model_copy(update={"seeds": base.train.seeds[:1]})
    return GroupsPlan(
        **settings.groups.model_dump(by_alias=True),
        base=base.model_copy(update={"train": one}),
        titles=settings.titles,
    )


def _verdict(settings: DatasetSettings, params: Params, name: str) -> Settings:
    return VerdictPlan(
        active_methods=params.active_methods,
        explained_methods=params.explained_methods,
        color=settings.color,
        hygiene=settings.hygiene,
        cues=settings.cues,
        min_effect=settings.report.min_effect,
        min_test=settings.evaluate.min_test,
        min_val=settings.evaluate.min_val,
        titles=settings.titles,
        shares_source=shares_source(params, name),
    )


def _report(settings: DatasetSettings, params: Params, _: str) -> Settings:
    """Everything that decided the results it shows, without the methods that do not run."""
    sections = deciding(settings)
    sections["methods"] = {method: sections["methods"][method] for method in params.trained_methods}
    sections["train"] = _shown(settings.train)
    return ReportPlan(
        report=sections.pop("report"),
        active_methods=params.active_methods,
        explained_methods=params.explained_methods,
        methods={
            method: MethodPlan(train={}, method=deciding(params.models[method]))
            if method in params.models
            else MethodPlan(
                train=_shown(settings.train_for(method)),
                method=_without(settings.method(method), "train"),
            )
            for method in params.active_methods
        },
        sections=sections,
        min_worst_group=settings.gate.min_worst_group,
    )


def _shown(train: TrainSettings) -> dict[str, Any]:
    """Without the place of a network of the user's where there is none: nobody can write that key."""
    return _without(train, *([] if train.network else ["network"]))


def _without(settings: Settings, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in deciding(settings).items() if key not in keys}


DATASET_PLANS: dict[str, Callable[[DatasetSettings, Params, str], Settings]] = {
    "data": _data,
    "color": lambda settings, *_: settings.color,
    "hygiene": lambda settings, *_: settings.hygiene,
    "cues": lambda settings, *_: settings.cues,
    "groups": _groups,
    "verdict": _verdict,
    "report": _report,
}
METHOD_PLANS: dict[str, Callable[[DatasetSettings, Params, str], Settings]] = {
    "train": _train,
    "evaluate": lambda settings, params, method: EvaluatePlan(
        evaluate=settings.evaluate,
        device=device_of(settings, params, method),
        is_baseline=method == params.active_methods[0],
    ),
    "retrain": _retrain,
    "attribute": lambda settings, params, method: AttributePlan(
        attribute=settings.attribute, device=device_of(settings, params, method)
    ),
    "gradcam": _gradcam,
    "indicators": _indicators,
}
