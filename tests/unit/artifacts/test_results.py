"""What the verdict is made of, and that a report is made of the very same."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.results import gather, gather_judged
from pipeline.core.errors import ArtifactError, InputError
from pipeline.records.base import Artifact
from pipeline.records.data import GroupsInfo, PackedInfo
from pipeline.records.training import NotTrained
from pipeline.records.verdict import Verdict
from pipeline.verdict.judge import judge
from tests.fixtures.report import PROVENANCE, photo_birds

R = TypeVar("R", bound=Artifact)
OURS = PROVENANCE.model_copy(update={"data": "grouped"})


def place(path: str, record: Artifact, made_from: str = "grouped") -> None:
    """`made_from`: digest of the groups, or of the packed data where groups are not asked."""
    traced = {"provenance": PROVENANCE.model_copy(update={"data": made_from})}
    save_artifact(Path(path), record.model_copy(update=traced))


def part(kind: type[R], **more: str) -> R:
    """The packed data's record, or that of the groups, of which `photo_birds().info` is made."""
    return kind.model_validate({k: v for k, v in photo_birds().info if k in kind.model_fields} | more)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = photo_birds().info.name
    place(f"data/{name}/packed/dataset.json", part(PackedInfo, packing="packed"))
    place(f"groups/{name}/groups.json", part(GroupsInfo, digest="grouped"), "packed")
    place(f"audit/{name}/color.json", photo_birds().color, "packed")
    place(f"verdict/{name}/color.json", photo_birds().color)  # told by group
    for method in ("erm", "group_dro"):
        place(f"models/{name}/{method}/history.json", photo_birds().histories[method])
        place(f"evaluation/{name}/{method}/evaluation.json", photo_birds().evaluations[method])
    place(f"attribution/{name}/erm/attribution.json", photo_birds().attributions["erm"])


def verdict() -> Verdict:
    found = gather(photo_birds().info.name, ["erm", "group_dro"], ["erm"])
    return judge(found, photo_birds().limits, OURS)


def test_a_report_reads_what_its_verdict_read_and_nothing_newer() -> None:
    before = verdict()
    assert [part.stage for part in before.missing] == [
        "gradcam", "indicators", "indicators", "hygiene", "cues",
    ]  # fmt: skip
    place(f"audit/{photo_birds().info.name}/hygiene.json", photo_birds().hygiene, "packed")  # type: ignore[arg-type]
    found = gather_judged(photo_birds().info.name, before)
    assert list(found.evaluations) == ["erm", "group_dro"]
    assert list(found.attributions) == ["erm"]
    assert found.hygiene is None
    assert found.missing == before.missing
    assert [part.stage for part in verdict().missing] == ["gradcam", "indicators", "indicators", "cues"]


def test_a_result_made_again_after_the_verdict_is_refused_with_what_to_do() -> None:
    before = verdict()
    path = f"evaluation/{photo_birds().info.name}/erm/evaluation.json"
    place(path, photo_birds().evaluations["group_dro"])
    with pytest.raises(ArtifactError, match=rf"{path} was made again .* `dvc repro verdict@photo_birds`"):
        gather_judged(photo_birds().info.name, before)


def test_a_baseline_that_cannot_be_trained_is_an_error_and_another_method_a_note() -> None:
    place(
        f"models/{photo_birds().info.name}/group_dro/history.json",
        NotTrained(provenance=OURS, method="group_dro", not_trained="Too few images."),
    )
    assert verdict().not_trained == {"group_dro": "Too few images."}
    with pytest.raises(InputError, match="the baseline, was not trained: Too few images"):
        gather(photo_birds().info.name, ["group_dro", "erm"], [])
