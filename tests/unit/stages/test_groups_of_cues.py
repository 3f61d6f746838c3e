"""Groups where no attribute is annotated: of the cue that a model uses, or none, and always said why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.checkpoints import CheckpointStore
from pipeline.artifacts.cue_classes import save_cue_classes
from pipeline.artifacts.datasets import load_info, load_packed, load_packed_split, load_split
from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.paths import color_dir, data_folders, dataset_dir, groups_dir, scratch_dir
from pipeline.artifacts.plans import StagePlan, plan_path, save_plan
from pipeline.core.errors import ArtifactError, InputError
from pipeline.core.types import SPLIT_NAMES, Int64Array, UInt8Array
from pipeline.cues.look import look
from pipeline.data.pack import pack_dataset
from pipeline.data.raw import RawRow
from pipeline.data_audit.cues.classes import name_classes
from pipeline.records.base import Estimate, Provenance
from pipeline.records.cues import CueFinding
from pipeline.records.data import DatasetInfo
from pipeline.settings.base import deciding, deciding_nothing
from pipeline.settings.plans.groups import GroupsPlan
from pipeline.settings.plans.train import NetworkPlan
from pipeline.stages.groups import _form, run
from tests.fixtures.cues import SETTINGS, found_cue, found_cues, going_with, labels
from tests.fixtures.data import data_settings, raw_dataset
from tests.fixtures.train import make_settings

DATASET, SIDE, N = "birds", 16, 700
ENDS = (400, 600)  # of train and val
CORNER = found_cue("corners", "a corner", part="top right", kind="pixels")
LITTLE = Estimate(value=0.2, low=0.1, high=0.3, n=600)  # of .6 that others tell
MADE = Provenance(params_hash="h")


def draw(*, shape: float, kappa: float = 0.8) -> tuple[UInt8Array, Int64Array, Int64Array]:
    """Noise, a patch in the corner that goes with the class, and a square whose lightness is the class."""
    rng = np.random.default_rng(0)
    labels_N = labels(N, [0.5, 0.5], 1)
    cue_N = going_with(labels_N, kappa, 2)
    images = rng.normal(128, 20, (N, SIDE, SIDE, 3))
    images[:, 5:11, 5:11] += shape * (2 * labels_N - 1)[:, None, None, None]
    images[cue_N == 1, :4, -4:] = 20
    return np.clip(images, 0, 255).astype(np.uint8), labels_N, cue_N


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(
    images: UInt8Array,
    labels_N: Int64Array,
    found: Sequence[CueFinding],
    *,
    superclasses: dict[str, str] | None = None,
    **attributes: Sequence[str],
) -> None:
    """What stages `data` and `cues` leave of these images where they find these cues."""
    splits = [SPLIT_NAMES[int(np.searchsorted(ENDS, i, side="right"))] for i in range(N)]
    rows = [
        RawRow(f"{i:04d}", image, "ab"[label], split, {name: of[i] for name, of in attributes.items()})
        for i, (image, label, split) in enumerate(zip(images, labels_N, splits, strict=True))
    ]
    folder = dataset_dir(DATASET)
    raw = raw_dataset(rows, superclasses=superclasses)
    pack_dataset(raw, data_settings(image_size=SIDE), name=DATASET, folder=folder, provenance=MADE)
    packed = load_packed(folder)
    given = {name: load_packed_split(folder, name) for name in SPLIT_NAMES}
    cues = found_cues(*found)
    looked = {name: look(split, None, packed) for name, split in given.items()}
    named = name_classes(
        cues.model_copy(update={"cues": [c for c in found if c.is_visible]}), looked, SETTINGS
    )
    save_cue_classes(color_dir(DATASET) / "cue_classes.parquet", given, named, packed.packing)
    made = Provenance(data=packed.packing)
    save_artifact(color_dir(DATASET) / "cues.json", cues.model_copy(update={"provenance": made}))


def plan_of(**changes: Any) -> GroupsPlan:
    base = NetworkPlan(
        train=make_settings(seeds=[0], epochs=6, width=8, augment="none", batch_size=50, lr=0.1),
        method={"selection": "last"},
    )
    return GroupsPlan(
        **({"from": "auto", "inference": "clusters", "group_by": "auto", "base": base} | changes)
    )


def grouped(**changes: Any) -> DatasetInfo:
    plan = plan_of(**changes)
    told = StagePlan(settings=deciding(plan), code="")
    save_plan(plan_path("groups", DATASET), told, deciding_nothing(plan))
    run(DATASET)
    return load_info(data_folders(DATASET))


def agreement(planted_N: Int64Array) -> float:
    """Of the images' groups with those that were planted, over all splits."""
    values = np.concatenate([load_split(data_folders(DATASET), name).attributes for name in SPLIT_NAMES])
    return float((values == planted_N).mean())


def trained() -> bool:
    return scratch_dir("groups", DATASET).exists()


def test_the_planted_cue_that_a_model_uses_forms_the_groups_and_trains_once(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images, labels_N, cue_N = draw(shape=4)
    prepare(images, labels_N, [CORNER, found_cue("color", "color", kind="pixels", may_be_content=True)])
    info = grouped()
    assert [g.name for g in info.groups] == [f"{c} / {v}" for c in "ab" for v in ("aligned", "conflicting")]
    assert (info.formed_by, info.attributes[0].origin) == ("corners", "cue")
    found = agreement((cue_N != labels_N).astype(np.int64))
    print(f"agreement of the groups with the planted ones: {found:.3f}")
    assert found > 0.97
    (asked,) = info.asked
    assert asked.used is not None
    assert asked.used.low > 0.2
    assert any("forms the groups: on validation images" in note for note in info.notes)
    before = (groups_dir(DATASET) / "groups.json").read_bytes()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        grouped()
    assert (groups_dir(DATASET) / "groups.json").read_bytes() == before
    assert "is trained" not in caplog.text, "what it predicted is kept"


def test_a_killed_run_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images, labels_N, _ = draw(shape=4)
    prepare(images, labels_N, [CORNER])
    save, calls = CheckpointStore.save, list[str]()

    def killed(self: CheckpointStore, name: str, state: dict[str, Any]) -> None:
        save(self, name, state)
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        grouped()
    monkeypatch.undo()
    monkeypatch.chdir(project)
    with caplog.at_level(logging.INFO):
        grouped()
    assert "going on from epoch 3" in caplog.text
    assert [path.suffix for path in scratch_dir("groups", DATASET).iterdir()] == [".npz"], (
        "checkpoints are gone"
    )


def test_a_cue_that_no_model_needs_forms_no_groups(project: Path) -> None:
    """The class shows clearly in the middle: the corner is in the data and not used."""
    images, labels_N, _ = draw(shape=90)
    prepare(images, labels_N, [CORNER])
    info = grouped()
    assert [group.name for group in info.groups] == ["a", "b"]
    assert info.formed_by == ""
    assert any(
        "no groups are needed beyond classes: “a corner” gives the class away" in n for n in info.notes
    )
    (asked,) = info.asked
    assert asked.used is not None
    assert asked.used.low <= 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "no cue was found that gives the class away"),
        ([found_cue("corners", found=False)], "no cue was found that gives the class away"),
        ([found_cue("order", "order", is_visible=False)], "“order” left no trace in the pixels"),
        (
            [found_cue("texture", "texture", kind="pixels", may_be_content=True)],
            "“texture” may be what a class truly looks like",
        ),
        (
            [
                found_cue("order", "order", is_visible=False),
                found_cue("texture", "texture", kind="pixels", may_be_content=True),
                found_cue("noise", "noise", kind="pixels", under="texture"),  # noise is wherever objects are
            ],
            "“texture” may be what a class truly looks like",
        ),
        (
            [
                found_cue("texture", "texture", kind="pixels", may_be_content=True),
                CORNER.model_copy(update={"under": "texture", "kappa": LITTLE}),  # an object may reach there
            ],
            "“texture” may be what a class truly looks like",
        ),
    ],
)
def test_where_no_cue_could_be_used_nothing_is_trained(
    project: Path, found: list[CueFinding], said: str
) -> None:
    images, labels_N, _ = draw(shape=4)
    prepare(images, labels_N, found)
    info = grouped()
    assert [group.name for group in info.groups] == ["a", "b"]
    assert any("groups" in note and said in note for note in info.notes), info.notes
    assert not trained()


def test_what_a_class_may_look_like_forms_groups_where_a_corner_tells_a_part_of_it(project: Path) -> None:
    images, labels_N, cue_N = draw(shape=4)
    images[cue_N == 1, :8] = 20
    images[cue_N == 1, :, :8] = 20  # so much that any network learns it
    color = found_cue("color", "color", kind="pixels", may_be_content=True)
    prepare(images, labels_N, [color, CORNER.model_copy(update={"under": "color"})])
    info = grouped()
    assert (info.formed_by, [asked.name for asked in info.asked]) == ("color", ["color"])
    assert agreement((cue_N != labels_N).astype(np.int64)) > 0.97
    assert any(
        "a class may truly look so, but “a corner” tells half of it or more" in note for note in info.notes
    )


def test_a_cue_is_formed_by_its_name_where_it_gives_the_class_away(project: Path) -> None:
    images, labels_N, cue_N = draw(shape=4)
    prepare(images, labels_N, [CORNER, found_cue("noise", "noise", found=False, kind="pixels")])
    named = grouped(**{"from": "corners"})
    assert named.formed_by == "corners"
    assert agreement((cue_N != labels_N).astype(np.int64)) > 0.97
    for asked, said in (("noise", "is not shown to give the class away"), ("camera", "nothing that the cue")):
        info = grouped(**{"from": asked})
        assert [group.name for group in info.groups] == ["a", "b"]
        assert any(said in note for note in info.notes)
    with pytest.raises(InputError, match="did you mean 'corners'"):
        grouped(**{"from": "corner"})
    assert not trained(), "whoever names a cue need not ask a model"


def test_an_annotated_attribute_needs_no_cue(project: Path) -> None:
    images, labels_N, cue_N = draw(shape=4)
    prepare(images, labels_N, [CORNER], patch=np.array(["no", "yes"])[cue_N].tolist())
    for file in ("cues.json", "cue_classes.parquet"):
        (color_dir(DATASET) / file).unlink()
    records = []
    for changes in ({}, {"base": None}, {"group_by": "all"}):
        info = grouped(**_trained_otherwise(changes))
        assert info.attributes[0].origin == "annotated"
        records.append((groups_dir(DATASET) / "groups.json").read_bytes())
    assert records[0] == records[1] != records[2], "other training settings train nothing again"
    assert not trained()


def _trained_otherwise(changes: dict[str, Any]) -> dict[str, Any]:
    other = NetworkPlan(train=make_settings(epochs=9), method={"selection": "average"})
    return changes | {"base": other} if "base" in changes else changes


def test_without_the_audit_of_cues_it_is_said_how_to_go_on(project: Path) -> None:
    images, labels_N, _ = draw(shape=4)
    prepare(images, labels_N, [])
    (color_dir(DATASET) / "cues.json").unlink()
    assert grouped(**{"from": "never"}).attributes[0].origin == "none"
    with pytest.raises(ArtifactError, match=r"shortcut-audit cues birds.*groups: { from: never }"):
        grouped()


def test_without_validation_images_no_model_is_asked(project: Path) -> None:
    images, labels_N, _ = draw(shape=4)
    prepare(images, labels_N, [CORNER])
    train, val, test = (load_packed_split(dataset_dir(DATASET), name) for name in SPLIT_NAMES)
    splits = [train, val.take(np.zeros(0, np.int64)), test]
    formed, asked = _form(load_packed(dataset_dir(DATASET)), splits, plan_of())
    assert (formed.info.origin, asked) == ("none", [])
    assert "no validation images" in formed.notes[0]
    assert not trained()


def test_inferred_groups_are_clusters_of_an_early_network_and_find_the_patch(project: Path) -> None:
    images, labels_N, cue_N = draw(shape=4)
    images[cue_N == 1, :, :8] = 20  # a large one: what a network sees first
    prepare(images, labels_N, [])
    info = grouped(**{"from": "inferred"})
    first = info.attributes[0]
    assert (first.name, first.values, first.origin) == ("cluster", ["cluster 1", "cluster 2"], "inferred")
    found = agreement((cue_N != labels_N).astype(np.int64))
    print(f"agreement of the clusters with the planted groups: {found:.3f}")
    assert found > 0.9, "the smaller cluster of each class is the conflicting one"
    before = (groups_dir(DATASET) / "groups.parquet").read_bytes()
    grouped(**{"from": "inferred"})
    assert (groups_dir(DATASET) / "groups.parquet").read_bytes() == before
    labels = np.concatenate([load_split(data_folders(DATASET), name).labels for name in SPLIT_NAMES])
    of_image = 2 * labels + (cue_N != labels_N)
    for group, ids in enumerate(info.central):
        assert len(ids) == 6
        assert max(ids) < ENDS[0], "training images alone"
        assert (of_image[ids] == group).all(), "the most central images show what the group is"


def test_groups_inferred_inside_classes_are_not_joined_by_superclass(project: Path) -> None:
    images, labels_N, _ = draw(shape=4)
    prepare(images, labels_N, [], superclasses={"a": "both", "b": "both"})
    joined = {asked: grouped(**{"from": "inferred", "group_by": asked}) for asked in ("auto", "superclass")}
    assert {group.label for group in joined["auto"].groups} == {"a", "b"}
    assert {group.label for group in joined["superclass"].groups} == {"both"}


def test_inferred_groups_may_be_what_an_early_network_gets_wrong(project: Path) -> None:
    images, labels_N, cue_N = draw(shape=4)
    images[cue_N == 1, :, :8] = 20  # what it goes by: where the patch misleads, it errs
    prepare(images, labels_N, [])
    info = grouped(**{"from": "inferred", "inference": "errors"})
    first = info.attributes[0]
    assert (first.name, first.values, first.origin) == (
        "early model",
        ["early right", "early wrong"],
        "inferred",
    )
    found = agreement((cue_N != labels_N).astype(np.int64))
    print(f"agreement of the mistakes with the planted groups: {found:.3f}")
    assert found > 0.9
    assert all(ids and max(ids) < ENDS[0] for ids in info.central)


def test_a_network_without_mistakes_leaves_the_classes(project: Path) -> None:
    images, labels_N, _ = draw(shape=90)  # nothing to get wrong
    prepare(images, labels_N, [])
    info = grouped(**{"from": "inferred", "inference": "errors"})
    assert [group.name for group in info.groups] == ["a", "b"]
    assert any("makes no mistakes" in note and "groups.inference: clusters" in note for note in info.notes)
    assert info.central == []
