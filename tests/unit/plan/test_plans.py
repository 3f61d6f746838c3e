"""What the stage `plan` writes, what stages read of it, and when a stage by hand gets another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.datasets import load_packed
from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES
from pipeline.artifacts.paths import dataset_dir
from pipeline.artifacts.plans import StagePlan, plan_path, read_plan, save_plan
from pipeline.cli.main import main
from pipeline.core.errors import ArtifactError, InputError
from pipeline.indicators.others import load_other
from pipeline.plan.params import SECTIONS
from pipeline.plan.params_file import read_params
from pipeline.plan.resolve import DATASET_PLANS, METHOD_PLANS, resolve
from pipeline.plan.source_overlap import shares_source
from pipeline.plan.write import refresh
from pipeline.settings.audit import ColorSettings
from pipeline.settings.base import deciding, deciding_nothing
from pipeline.settings.plans.indicators import IndicatorsPlan
from pipeline.settings.plans.retrain import RetrainPlan
from pipeline.settings.plans.train import TrainPlan
from tests import ROOT
from tests.fixtures.data import noise_rows, pack_and_group, raw_dataset


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return tmp_path


def edit(**sections: dict[str, Any]) -> None:
    """Set keys of the demo."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    for section, values in sections.items():
        params["datasets"]["photo_digits"].setdefault(section, {}).update(values)
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(".plan").rglob("*") if path.is_file()}


def test_every_stage_has_a_resolver() -> None:
    assert set(DATASET_PLANS) == set(DATASET_STAGES)
    assert set(METHOD_PLANS) == set(METHOD_STAGES)


@pytest.mark.parametrize("stage", [*DATASET_STAGES, *METHOD_STAGES])
def test_a_stage_reads_what_was_resolved(project: Path, stage: str) -> None:
    for method in ("dfr", "jtt", "repair") if stage in METHOD_STAGES else (None,):
        names = ["photo_digits", *([method] if method else [])]
        told = resolve(read_params(), stage, *names)
        assert told is not None
        refresh(stage, *names)
        assert read_plan(type(told), stage, *names) == told


def test_what_decides_nothing_is_told_and_not_tracked(project: Path) -> None:
    edit(train={"workers": 3, "checkpoint_seconds": 7.5}, retrain={"workers": 2, "submitit": {"mem_gb": 4}})
    assert main(["plan"]) == 0
    first = contents()
    told = read_plan(TrainPlan, "train", "photo_digits", "dfr")
    assert (told.train.workers, told.train.checkpoint_seconds, told.is_baseline) == (3, 7.5, False)
    assert told.base is not None
    assert told.base.train.workers == 3
    assert read_plan(RetrainPlan, "retrain", "photo_digits", "erm").retrain.submitit == {"mem_gb": 4}
    edit(train={"workers": None, "checkpoint_seconds": 1}, retrain={"executor": "slurm", "submitit": {}})
    assert main(["plan"]) == 0
    second = contents()
    assert {name for name in first if first[name] != second[name]} == {
        f".plan/photo_digits/{stage}-{method}.untracked.json"
        for stage in ("train", "retrain", "indicators")  # these know what a method trained with
        for method in ("erm", "group_dro", "subg", "dfr", "jtt", "repair")
    } | {".plan/photo_digits/groups.untracked.json"}
    assert read_plan(TrainPlan, "train", "photo_digits", "erm").is_baseline


def test_a_models_own_layer_maps_it_alone(project: Path) -> None:
    """And it is no other network: nothing else of it runs again."""
    Path("net").mkdir()
    for name in ("config.json", "model.safetensors"):
        Path("net", name).write_text("{}")

    def plans(**entry: Any) -> dict[str, Any]:
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load(Path("params.yaml").read_text())
        params["models"] = {"mine": {"kind": "timm", "path": "net", **entry}}
        params["active_methods"] = params["explained_methods"] = ["erm", "mine"]
        with Path("params.yaml").open("w") as file:
            yaml.dump(params, file)
        found = read_params()
        asked = {"own": ("gradcam", "mine"), "other": ("gradcam", "erm"), "read": ("train", "mine")}
        return {
            name: resolve(found, stage, "photo_digits", method) for name, (stage, method) in asked.items()
        }

    plain, named = plans(), plans(layer="blocks.2")
    assert plain["own"].gradcam.layer == "auto"
    assert plain["own"].layer_of == "gradcam.layer (or models.mine.layer)"
    assert (named["own"].gradcam.layer, named["own"].layer_of) == ("blocks.2", "models.mine.layer")
    assert named["other"] == plain["other"]
    assert (named["other"].gradcam.layer, named["other"].layer_of) == ("auto", "gradcam.layer")
    assert named["read"] == plain["read"]


def test_titles_rerun_what_people_read_and_nothing_else(project: Path) -> None:
    assert main(["plan"]) == 0
    first = contents()
    edit(titles={"attribute": "scenery", "values": {"temple": "a temple"}, "classes": {"digits 0-4": "low"}})
    assert main(["plan"]) == 0
    second = contents()
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {
        f".plan/photo_digits/{name}.json" for name in ("verdict", "report", "groups.untracked")
    }, "a wrong name is an error of stage groups, which nothing tracks"


def test_entries_of_one_source_are_told_apart(project: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    entry = params["datasets"]["photo_digits"]
    folder = {"kind": "folder", "path": "images"}
    params["datasets"] |= {
        "again": entry,
        "a": {"source": folder},
        "b": {"source": {**folder, "path": "./images"}},
    }
    params["datasets"]["c"] = {"source": {**folder, "path": "others"}}
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)
    shared = {name: shares_source(read_params(), name) for name in params["datasets"]}
    assert {name for name, is_shared in shared.items() if is_shared} == {"photo_digits", "again", "a", "b"}


def test_no_key_is_lost_between_the_two_files() -> None:
    settings = read_params(ROOT / "params.yaml").dataset("photo_digits")
    decides, others = deciding(settings), deciding_nothing(settings)
    assert others == {
        "train": {"workers": None, "checkpoint_seconds": 30.0},
        "retrain": {"executor": "local", "workers": None, "submitit": {}},
    }
    for section, values in settings.model_dump(mode="json", by_alias=True).items():
        assert decides[section] | others.get(section, {}) == values


def test_plans_of_what_is_gone_go_and_a_users_file_stays(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan"]) == 0
    old = plan_path("train", "was_here", "erm")
    save_plan(old, StagePlan(settings={}, code=""), {})
    assert main(["plan"]) == 0
    assert not old.parent.exists()
    notes = Path(".plan/notes.txt")
    notes.write_text("mine")
    before = contents()
    assert main(["plan"]) == 1
    assert ".plan/notes.txt was not written by this pipeline" in capsys.readouterr().err
    assert contents() == before


@pytest.mark.parametrize("place", ["datasets.photo_digits.train.epochs", "defaults.color.folds"])
def test_a_wrong_value_stops_before_anything_is_run(
    project: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    *parents, last = place.split(".")
    target = params
    for key in parents:
        target = target[key]
    target[last] = "many"
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)
    assert main(["plan"]) == 1
    assert f"{place} = 'many'" in capsys.readouterr().err
    assert not Path(".plan").exists()


def test_a_stage_by_hand_goes_by_params_as_they_are(project: Path) -> None:
    refresh("color", "photo_digits")
    path = plan_path("color", "photo_digits")
    written = path.stat().st_mtime_ns
    refresh("color", "photo_digits")
    os.utime("params.yaml")
    refresh("color", "photo_digits")
    assert path.stat().st_mtime_ns == written, "nothing to say that is new"
    edit(color={"permutations": 150})
    refresh("color", "photo_digits")
    assert read_plan(ColorSettings, "color", "photo_digits").permutations == 150
    refresh("train", "cifar100", "rwy")  # neither is active
    assert read_plan(TrainPlan, "train", "cifar100", "rwy").train.epochs == 18
    with pytest.raises(InputError, match=r"no dataset 'cifar10'; did you mean 'cifar100'"):
        refresh("color", "cifar10")


def test_under_dvc_the_plan_as_written_decides(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_STAGE", "color@photo_digits")
    assert main(["color", "photo_digits"]) == 1
    error = capsys.readouterr().err
    assert (
        ".plan/photo_digits/color.json does not exist: nothing says what color is to do. Run `shortcut"
        in error
    )
    assert not Path(".plan").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"settings": {}}', '{"settings": {"folds": 1}, "code": ""}', "\xff"]
)
def test_a_damaged_plan_names_the_remedy(project: Path, text: str) -> None:
    refresh("color", "photo_digits")
    path = plan_path("color", "photo_digits")
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ArtifactError, match=r"color\.json is not a plan .* Run `shortcut-audit plan`"):
        read_plan(ColorSettings, "color", "photo_digits")


def test_planning_does_not_wait_for_torch_or_pandas() -> None:
    late = "{'torch', 'pandas', 'matplotlib'}"
    script = f"import sys, pipeline.stages.plan; sys.exit(bool({late} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0


def test_other_datasets_are_planned_with_what_is_packed_of_them(project: Path) -> None:
    edit(indicators={"other_datasets": ["cifar100"]})
    params = read_params()
    told = resolve(params, "indicators", "photo_digits", "erm")
    assert isinstance(told, IndicatorsPlan)
    assert told.others == {"cifar100": None}, "not packed yet, and said in the results"
    pack_and_group(raw_dataset(noise_rows(40)), Path("data/cifar100"))
    packing = load_packed(dataset_dir("cifar100")).packing
    told = resolve(params, "indicators", "photo_digits", "erm")
    assert isinstance(told, IndicatorsPlan)
    assert told.others == {"cifar100": packing}
    other = load_other(dataset_dir("cifar100"), packing, 12, seed=0)
    assert other is not None
    assert other.test_images.shape == (len(other.test_labels), 12, 12, 3)
    assert len(other.train_labels) + len(other.test_labels) > 20
    assert load_other(dataset_dir("cifar100"), "of before", 12, seed=0) is None, "packed again in this run"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("cifar10", r"other_datasets names 'cifar10', which is no dataset; did you mean 'cifar100'"),
        (
            "photo_digits",
            r"other_datasets names 'photo_digits', which is the dataset itself\. Allowed: cifar100",
        ),
    ],
)
def test_other_datasets_are_others_that_are_known(project: Path, named: str, said: str) -> None:
    edit(indicators={"other_datasets": [named]})
    with pytest.raises(InputError, match=said):
        read_params().dataset("photo_digits")


@pytest.mark.parametrize("name", ["index", "studies"])
def test_a_dataset_may_not_take_another_pages_name(project: Path, name: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    params["datasets"][name] = params["datasets"].pop("photo_digits")
    params["active"] = [name]
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)
    with pytest.raises(InputError, match=rf"'{name}' is not allowed: reports/{name}.html is another page"):
        read_params().dataset(name)


def test_the_file_has_every_default() -> None:
    defaults = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["defaults"]
    for key, section in SECTIONS.items():
        fields = {field.alias or name for name, field in section.model_fields.items()}
        assert fields - set(defaults[key]) <= {"network"}, key  # which is filled in from `models`
