"""A method that cannot be trained leaves every file that DVC asks for, with the reason where people look."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.not_trained import pass_on, why_not_trained, write_not_trained
from pipeline.artifacts.outputs import check_outputs, stage_outputs
from pipeline.core.errors import ArtifactError, CannotTrainError
from pipeline.methods.run import reason_against
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
from pipeline.records.data import GroupInfo
from pipeline.records.training import NotTrained, TrainHistory
from tests import ROOT


def test_the_reason_goes_from_stage_to_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = Path("models/birds/jtt/weights/seed_0.safetensors")  # of an earlier run, which could be trained
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"x")
    assert not pass_on("train", "evaluate", "birds", "jtt")
    found = NotTrained(provenance=Provenance(), method="jtt", not_trained="no mistakes")
    write_not_trained(found, "train", "birds", "jtt")
    assert not weights.exists()
    for earlier, stage in (
        ("train", "evaluate"),
        ("evaluate", "attribute"),
        ("evaluate", "gradcam"),
        ("evaluate", "indicators"),
    ):
        assert pass_on(earlier, stage, "birds", "jtt")
    for stage in ("train", "evaluate", "attribute", "gradcam", "indicators"):
        assert why_not_trained(stage, "birds", "jtt") == "no mistakes"
        check_outputs(stage, "birds", "jtt")
        assert all(output.path.exists() for output in stage_outputs(stage, "birds", "jtt"))
    with pytest.raises(ArtifactError, match=r"history.json: jtt was not trained: no mistakes"):
        load_artifact(Path("models/birds/jtt/history.json"), TrainHistory)


@pytest.mark.parametrize(
    ("method", "sizes"),
    [
        ("group_dro", [(50, 9), (0, 9)]),  # a group without training images
        ("rwg", [(50, 9), (0, 9)]),
        ("subg", [(50, 9), (3, 9)]),  # a subset smaller than a batch
        ("dfr", [(50, 30), (50, 1)]),  # too few images to fit on
        ("repair", [(50, 9), (50, 0)]),  # a group whose accuracy cannot be known
    ],
)
def test_what_the_data_lack_is_told_from_mistakes_in_the_settings(
    method: str, sizes: list[tuple[int, int]]
) -> None:
    setup = read_params(ROOT / "params.yaml").dataset("photo_digits").setup(method)
    groups = [
        GroupInfo(name=f"g{i}", label="a", attribute="b", n_train=train, n_val=val, n_test=9)
        for i, (train, val) in enumerate(sizes)
    ]
    assert isinstance(reason_against(setup, groups), CannotTrainError)
