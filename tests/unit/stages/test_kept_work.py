"""What a stage keeps between runs is gone on from by the same code alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts.checkpoints import CheckpointStore
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import data_folders
from pipeline.artifacts.plans import load_plan, plan_path, read_plan, save_plan
from pipeline.methods.on_disk import DiskRun
from pipeline.methods.setup import read_setup
from pipeline.plan.write import refresh
from pipeline.settings.plans.retrain import RetrainPlan
from pipeline.settings.plans.train import TrainPlan
from pipeline.stages import attribute, retrain
from pipeline.train.networks import network_of
from tests.fixtures.demo import write_params
from tests.fixtures.stages import run_stage

DATASET = "photo_digits"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params(folder, train={"width": 4}, n_train=120, n_val=40, n_test=40)
        run_stage("data", DATASET)
        run_stage("groups", DATASET)
        for stage, method in (("train", "dfr"), ("train", "erm"), ("retrain", "erm"), ("attribute", "erm")):
            refresh(stage, DATASET, method)
    return folder


def _disk_run(method: str) -> DiskRun:
    return DiskRun.of(DATASET, read_setup(method, read_plan(TrainPlan, "train", DATASET, method)))


def _note(folder: Path) -> bool:
    """Whether a file of an earlier call lies there; it does from now on."""
    was_there = (folder / "work").exists()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work").touch()
    return was_there


def checkpoints() -> bool:
    store = CheckpointStore(_disk_run("erm").checkpoints)
    found = store.load("seed_0") is not None
    store.save("seed_0", {"step": 1})
    return found


def embeddings() -> bool:
    base = _disk_run("dfr").recipe().base
    assert base is not None
    data = data_folders(DATASET)
    network = network_of(base.settings, load_info(data), 0)
    before = set(Path(".scratch/embeddings").rglob("*.npy"))
    base.embed(network, load_split(data, "val"))
    return set(Path(".scratch/embeddings").rglob("*.npy")) == before


def retrainings() -> bool:
    plan = read_plan(RetrainPlan, "retrain", DATASET, "erm")
    return _note(retrain._work_dir(DATASET, read_setup("erm", plan), plan.retrain))


def attributions() -> bool:
    attribute._drop_work_of_other_code(DATASET, "erm")
    return _note(attribute._work_dir(DATASET, "erm"))


def _set_code(stage: str, code: str) -> None:
    path = plan_path(stage, DATASET, "erm")
    found = load_plan(path)
    assert found is not None
    save_plan(path, found[0].model_copy(update={"code": code}), found[1])


@pytest.mark.parametrize(
    ("stage", "finds_kept"),
    [
        ("train", checkpoints),
        ("train", embeddings),  # of the network that the code of `erm` makes
        ("retrain", retrainings),
        ("attribute", attributions),
    ],
)
def test_work_of_other_code_is_not_gone_on_from(
    project: Path, monkeypatch: pytest.MonkeyPatch, stage: str, finds_kept: Callable[[], bool]
) -> None:
    monkeypatch.chdir(project)
    _set_code(stage, "a" * 16)
    assert not finds_kept()
    assert finds_kept(), "the same code goes on"
    _set_code(stage, "b" * 16)
    assert not finds_kept()
