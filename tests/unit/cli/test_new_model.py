"""`new-model` on data that are packed: what it shows, and what it refuses before anything is written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.datasets import load_samples
from pipeline.artifacts.paths import data_folders
from pipeline.cli.main import main
from tests.fixtures.brought import save_timm
from tests.fixtures.demo import write_params
from tests.fixtures.stages import run_stage

DATASET, CLASSES = "photo_digits", ["digits 0-4", "digits 5-9"]
NETS = """
import torch
from torch import nn

class Nan(nn.Sequential):
    def forward(self, x):
        return super().forward(x) * float("nan")

def fresh():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))

def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))

def nan():
    return Nan(*plain())

def sure():
    return nn.Sequential(*plain(), nn.Softmax(1))
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params(folder, n_train=100, n_val=40, n_test=40)
        run_stage("data", DATASET)
        (folder / "nets.py").write_text(NETS)
        yield folder


def models() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())["models"]
    return found


def test_a_table_and_networks_are_tried_on_the_data(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = load_samples(data_folders(DATASET).packed)
    names = [CLASSES[label] for label in samples["label"]]
    pd.DataFrame({"file": samples["file"], "predicted": names}).to_csv("table.csv", index=False)
    assert main(["new-model", "table", "table.csv"]) == 0
    said = capsys.readouterr().out
    assert "predictions of 1 seed" in said
    assert f"({CLASSES[0]}): {CLASSES[0]}" in said
    assert "is not packed yet" not in said
    save_timm(packed / "net", names=CLASSES)
    assert main(["new-model", "net", "net"]) == 0
    assert "%" in capsys.readouterr().out
    assert main(["new-model", "plain", "nets.py:plain", "--classes", *CLASSES]) == 0, "all of it is its head"
    assert list(models()) == ["table", "net", "plain"]


def test_further_keys_are_taken_as_params_yaml_has_them(packed: Path) -> None:
    samples = load_samples(data_folders(DATASET).packed)
    table = pd.DataFrame({"photo": samples["file"], "a": 0.2, "b": 0.8})
    table.to_csv("columns.csv", index=False)
    keys = ["columns.image=photo", "columns.scores=[a, b]", "scores=probabilities"]
    flags = [flag for key in keys for flag in ("--set", key)]
    assert main(["new-model", "columns", "columns.csv", "--classes", *CLASSES, *flags]) == 0
    columns = {"image": "photo", "scores": ["a", "b"]}
    kind, path = "predictions", "columns.csv"
    wanted = {"kind": kind, "path": path, "classes": CLASSES, "columns": columns, "scores": "probabilities"}
    assert models()["columns"] == wanted


def test_what_is_proposed_for_more_outputs_can_be_typed(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packed / "thousand.py").write_text(NETS.replace("* 32, 2)", "* 32, 1000)"))
    command = ["new-model", "thousand", "thousand.py:plain"]
    assert main([*command, "--classes", *CLASSES]) == 1
    said = capsys.readouterr().err
    assert "--classes" not in said.partition("Here write")[2]
    proposed = shlex.split(said.partition("Here write ")[2].partition(" with the place")[0])
    assert main([*command, *proposed]) == 0
    assert models()["thousand"]["classes"] == {"digits 0-4": 0, "digits 5-9": 1}


def test_what_methods_shall_train_needs_no_weights_and_no_names(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-model", "fresh", "nets.py:fresh", "--to-train"]) == 0
    said = capsys.readouterr().out
    assert "tried: a step of training on images of 32 px with 2 classes" in said
    assert "train it:  set `train: { model: models.fresh }` under datasets.photo_digits" in said
    assert models()["fresh"] == {"kind": "python", "path": "nets.py:fresh"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["short", "short.csv", "--set", "columns.imag=photo"], "did you mean 'image'"),
        (["short", "short.csv", "--set", "input_size=32"], "models.short.input_size is not a known key"),
        (["short", "short.csv", "--set", "scores"], "is not KEY=VALUE"),
        (["short", "short.csv", "--set", "classes=cat"], "models.short.classes = 'cat': must be a list"),
        (["nan", "nets.py:nan", "--set", "path=nets.py"], "write nets.py:FUNCTION, which returns"),
        (["short", "short.csv", "--set", "columns.=x"], "is not KEY=VALUE"),
        (["short", "short.csv", "--set", "scores=[a"], "is not KEY=VALUE"),
        (["short", "short.csv"], "test images"),
        (["nan", "nets.py:nan", "--classes", *CLASSES], "returns NaN"),
        (["sure", "nets.py:sure", "--classes", *CLASSES], "returns probabilities, and logits are needed"),
        (["other", "other", "--weights", "no.safetensors"], "no.safetensors does not exist"),
        (["other", "other"], "cat"),
        (["erm", "short.csv"], "erm"),
        (
            ["plain", "nets.py:plain", "--overwrite"],
            "Here write --classes 'digits 0-4' 'digits 5-9', or --set",
        ),
        (["fresh", "nets.py:fresh", "--classes", *CLASSES, "--overwrite"], "`new-model --to-train` writes"),
        (["table", "short.csv", "--to-train", "--overwrite"], "short.csv is a table of predictions"),
    ],
)
def test_what_does_not_fit_is_said_and_not_written(
    packed: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("short.csv").write_text("id,predicted\n0,digits 0-4\n")
    save_timm(packed / "other")
    before = Path("params.yaml").read_bytes()
    assert main(["new-model", *arguments]) == 1
    assert says in capsys.readouterr().err
    assert Path("params.yaml").read_bytes() == before
