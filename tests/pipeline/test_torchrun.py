"""Training in two processes that torchrun starts: one of them writes, and a stopped run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.artifacts.files import load_artifact
from pipeline.cli.main import main
from pipeline.records.training import TrainHistory
from tests import ROOT
from tests.fixtures.demo import write_params

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def start(folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [*TORCHRUN, "-m", "pipeline", "train", "photo_digits", "group_dro"]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def finish(folder: Path) -> str:
    """Run to the end; what was logged."""
    process = start(folder)
    _, logged = process.communicate(timeout=240)
    assert process.returncode == 0, logged
    return logged


@pytest.mark.slow
def test_two_processes_train_stop_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, n_train=800, train={"seeds": [0], "epochs": 4, "checkpoint_seconds": 0.1})
    assert main(["data", "photo_digits"]) == 0
    assert main(["groups", "photo_digits"]) == 0
    out, scratch = tmp_path / "models/photo_digits/group_dro", tmp_path / ".scratch/train"
    weights = out / "weights/seed_0.safetensors"

    process = start(tmp_path)
    deadline = time.monotonic() + 120
    while not any(scratch.rglob("seed_0.pt")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "never saved a checkpoint"
        time.sleep(0.02)
    process.terminate()  # torchrun ends its processes with it
    process.communicate(timeout=60)
    assert not weights.exists()
    logged = finish(tmp_path)
    assert "going on from epoch" in logged
    assert logged.count("selected, validation average") == 1, "one process reports"
    assert weights.exists()
    assert len(load_artifact(out / "history.json", TrainHistory).epochs) == 4
    assert not any(scratch.rglob("*.pt")), "checkpoints are deleted on success"
