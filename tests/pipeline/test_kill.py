"""A stage that is killed with SIGKILL goes on, computes what was left and ends where an undisturbed one ends.

Training is deterministic: equal results alone would not tell a run that went on from one that began anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from pipeline.cli.main import main
from tests.fixtures.demo import run_and_kill, write_params


def numbers(pattern: str, log: str) -> list[int]:
    """The numbers in the one line of the log that says so."""
    (found,) = re.findall(pattern, log)
    return [int(number) for number in found]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    monkeypatch.chdir(tmp_path)
    train = {"seeds": [0], "epochs": 3, "checkpoint_seconds": 0.2}
    write_params(tmp_path, n_train=800, n_val=120, n_test=120, train=train)
    caplog.set_level("INFO")
    assert main(["data", "photo_digits"]) == 0
    assert main(["groups", "photo_digits"]) == 0
    return tmp_path


@pytest.mark.slow
def test_train_and_attribute_survive_sigkill(demo: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = Path("models/photo_digits/group_dro/weights/seed_0.safetensors")
    train = ["train", "photo_digits", "group_dro"]
    assert main(train) == 0
    expected = weights.read_bytes()
    weights.unlink()
    scratch = Path(".scratch/train")
    run_and_kill(train, lambda: any(scratch.rglob("seed_0.pt")), demo)
    assert not weights.exists()
    (checkpoint,) = scratch.rglob("seed_0.pt")  # it outlives the kill
    left = torch.load(checkpoint)
    caplog.clear()
    assert main(train) == 0
    assert weights.read_bytes() == expected
    assert not any(scratch.rglob("*.pt")), "checkpoints are deleted on success"
    epoch, step = numbers(r"going on from epoch (\d+), step (\d+)", caplog.text)
    computed, total = numbers(r"went on and computed (\d+) of (\d+) steps", caplog.text)
    assert (epoch, step) == (left["epoch"], left["step"])
    assert 0 < computed == total - epoch * total // 3 - step < total

    for stage in ("color", "cues", "evaluate", "retrain"):
        assert main([stage, "photo_digits", "group_dro"][: 2 if stage in ("color", "cues") else 3]) == 0
    attribute = ["attribute", "photo_digits", "group_dro"]
    path = Path("attribution/photo_digits/group_dro/attribution.json")
    assert main(attribute) == 0
    whole = json.loads(path.read_text()) | {"seconds": 0}
    path.unlink()
    store = Path(".scratch/attribute")
    run_and_kill(attribute, lambda: any(store.rglob("train_*.npy")), demo)
    n_kept = len([*store.rglob("train_*.npy"), *store.rglob("targets_*.npy")])
    assert not path.exists()
    caplog.clear()
    assert main(attribute) == 0
    assert json.loads(path.read_text()) | {"seconds": 0} == whole
    assert not any(store.rglob("*.npy")), "the store is deleted on success"
    found, total, made = numbers(r"gradients, .*: found (\d+) of (\d+) blocks, made (\d+)", caplog.text)
    assert 0 < found == n_kept
    assert made == total - found
