"""A stage that is killed with SIGKILL goes on and ends where an uninterrupted one ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.pipeline.demo_fixture import ROOT, write_params


def run_and_kill(arguments: list[str], when: Callable[[], bool], folder: Path) -> None:
    """Start a stage in a process group of its own and kill the group as soon as `when` holds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 300
    while not when():
        assert process.poll() is None, f"ended too early: {process.communicate()[1].decode()}"
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(arguments: list[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], cwd=folder, env=environment, check=True)


@pytest.mark.slow
def test_train_and_attribute_survive_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, n_train=800, train={"seeds": [0], "epochs": 3, "checkpoint_seconds": 0.2})
    assert main(["data", "photo_digits"]) == 0
    weights = Path("models/photo_digits/group_dro/weights/seed_0.safetensors")
    train = ["train", "photo_digits", "group_dro"]
    run(train, tmp_path)
    expected = weights.read_bytes()
    weights.unlink()
    scratch = Path(".scratch/train")
    run_and_kill(train, lambda: any(scratch.rglob("seed_0.pt")), tmp_path)
    assert any(scratch.rglob("seed_0.pt")), "the checkpoint outlives the kill"
    assert not weights.exists()
    run(train, tmp_path)
    assert weights.read_bytes() == expected
    assert not any(scratch.rglob("*.pt")), "checkpoints are deleted on success"

    assert main(["color", "photo_digits"]) == 0
    run(["evaluate", "photo_digits", "group_dro"], tmp_path)
    run(["retrain", "photo_digits", "group_dro"], tmp_path)
    attribute = ["attribute", "photo_digits", "group_dro"]
    path = Path("attribution/photo_digits/group_dro/attribution.json")
    run(attribute, tmp_path)
    whole = json.loads(path.read_text()) | {"seconds": 0}
    path.unlink()
    store = Path(".scratch/attribute")
    run_and_kill(attribute, lambda: any(store.rglob("train_*.npy")), tmp_path)
    assert not path.exists()
    run(attribute, tmp_path)
    assert json.loads(path.read_text()) | {"seconds": 0} == whole
    assert not any(store.rglob("*.npy")), "the store is deleted on success"
