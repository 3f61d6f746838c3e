"""`train.device: cpu` keeps every stage off a GPU that is there, and methods may differ in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from pipeline.parallel.task import prepare_process
from tests.fixtures.demo import write_params
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow


@pytest.fixture
def gpu_that_nobody_may_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a GPU; whatever would use it fails."""

    def touched(*_: Any) -> None:
        raise AssertionError("a CUDA call although train.device is cpu")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("set_device", "synchronize", "is_bf16_supported", "manual_seed", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, name, touched)


def _settings(folder: Path, device: str) -> None:
    """The dataset asks for a GPU; ERM, the method that is run, for `device`."""
    write_params(
        folder,
        train={"epochs": 1, "width": 4, "device": "cuda", "workers": 1},
        n_train=400,
        n_val=100,
        n_test=40,
    )
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    entry = params["datasets"]["photo_digits"]
    entry["methods"]["erm"] = {"train": {"device": device}}
    entry["attribute"] |= {"proj_dim": 101, "max_train": 150, "targets_per_group": 2}
    entry["gradcam"] = {"images_per_group": 2, "overlays": 1, "sanity_images": 1}
    entry["retrain"] = {"subsets": 0, "thin_keep": []}
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def test_every_stage_of_a_method_computes_on_its_own_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu_that_nobody_may_touch: None
) -> None:
    monkeypatch.chdir(tmp_path)
    _settings(tmp_path, "cpu")
    for audit in ("data", "hygiene", "color", "cues", "groups"):
        run_stage(audit, "photo_digits")
    for stage in ("train", "evaluate", "retrain", "attribute", "gradcam"):
        run_stage(stage, "photo_digits", "erm")
    assert Path("gradcam/photo_digits/erm/gradcam.json").exists()
    _settings(tmp_path, "cuda")
    for stage in ("evaluate", "attribute", "gradcam"):  # the trap is set for each of them
        with pytest.raises(AssertionError, match="CUDA"):
            run_stage(stage, "photo_digits", "erm")


def test_workers_leave_the_gpu_alone_where_their_tasks_do(gpu_that_nobody_may_touch: None) -> None:
    threads = torch.get_num_threads()
    try:
        prepare_process(0, uses_gpu=False)
        with pytest.raises(AssertionError, match="CUDA"):
            prepare_process(0, uses_gpu=True)
    finally:
        torch.set_num_threads(threads)
