"""What `check` finds before hours are spent: valid settings that cannot run here, or that do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.paths import data_folders, dataset_dir, groups_dir
from pipeline.artifacts.titles import resolve_titles
from pipeline.core.errors import ArtifactError, InputError
from pipeline.models.brought.sources import check_files
from pipeline.plan.own_networks import with_files
from pipeline.plan.params import DatasetSettings, Params
from pipeline.plan.resolve import device_of
from pipeline.plan.source_overlap import source_paths


def missing_sources(name: str, params: Params) -> list[str]:
    """Paths of a dataset's source that do not exist. A plugin's options are its own business."""
    source = params.datasets[name]["source"]
    if source.get("kind") == "python":
        return []
    return [
        f"datasets.{name}.{key} = {str(path)!r} does not exist. Correct the path, or put the files there."
        for key, path in source_paths(source)
        if not path.exists()
    ][:1]  # what lies below a missing path is missing, too


def find_obstacles(name: str, params: Params) -> list[str]:
    """Why an active dataset cannot run here: a stage's own errors, hours earlier."""
    settings = params.dataset(name)
    is_packed = (dataset_dir(name) / "dataset.json").exists()  # then `check` says what became of its files
    found = [] if is_packed else missing_sources(name, params)
    for check in _checks(name, settings, params):
        try:
            check()
        except InputError as error:
            found.append(f"datasets.{name}: {error}")
    return list(dict.fromkeys(found))


def find_doubts(name: str, params: Params) -> list[str]:
    """Settings of an active dataset that do nothing."""
    retrain = params.dataset(name).retrain
    idle = [method for method in retrain.methods if method not in params.active_methods]
    if not idle or not (retrain.subsets or retrain.thin_keep):
        return []
    return [
        f"{name}: retrain.methods names {', '.join(idle)}, not among active_methods "
        f"({', '.join(params.active_methods)}): its scores are not checked by retraining"
    ]


def _checks(name: str, settings: DatasetSettings, params: Params) -> Iterator[Callable[[], object]]:
    """Large packages are loaded only where a setting asks for them: `check` answers at once."""
    if (groups_dir(name) / "groups.json").exists():
        yield lambda: _check_titles(name, settings)
    for entry in (method for method in params.active_methods if method in params.models):
        yield partial(check_files, params.models[entry], f"models.{entry}")
    for method in params.trained_methods:
        yield partial(with_files, settings.setup(method))
    devices = {device_of(settings, params, method) for method in params.active_methods}
    if "cuda" in devices:
        from pipeline.models.hardware import choose_device

        yield lambda: choose_device("cuda")
    if settings.attribute.estimator == "traker":
        from pipeline.attribution.estimators.traker_interface import require_traker

        yield require_traker
    if settings.attribute.estimator == "ekfac":
        from pipeline.attribution.estimators.ekfac import require_kronfluence

        yield require_kronfluence


def _check_titles(name: str, settings: DatasetSettings) -> None:
    """Names that the data lack, where these are packed: a run says the same in its stage `groups`."""
    try:
        info = load_info(data_folders(name))
    except ArtifactError:
        return  # packed anew before anything is called by its title
    resolve_titles(settings.titles, info, info)
