"""What is foretold before a run: group sizes, questions, methods, minutes and labels at risk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.datasets import load_info
from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.data.plan import make_plan
from pipeline.data.raw import RawDataset, RawRow
from pipeline.plan.params import DatasetSettings, Params
from pipeline.plan.params_file import read_params
from pipeline.preflight.labels import augmentation_risks
from pipeline.preflight.methods import reasons_against
from pipeline.preflight.minutes import Work, estimate_seconds
from pipeline.preflight.networks import MANY_SECONDS, propose_network
from pipeline.preflight.questions import Outlook, foresee_questions
from pipeline.preflight.report import look_ahead
from pipeline.preflight.sizes import Sizes, foresee_sizes
from pipeline.preflight.speed import Speed, measure_speed
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupInfo
from pipeline.settings.parsing import parse
from tests import ROOT
from tests.fixtures.data import pack_and_group

PARAMS = read_params(ROOT / "params.yaml")


def settings_with(**sections: dict[str, Any]) -> DatasetSettings:
    entry = dict(PARAMS.datasets["photo_digits"])
    for section, values in sections.items():
        entry[section] = {**entry.get(section, {}), **values}
    changed = PARAMS.model_dump() | {"datasets": {**PARAMS.datasets, "photo_digits": entry}}
    return parse(Params, changed).dataset("photo_digits")


def raw_images(n: int, *, is_annotated: bool, aligned: float = 0.95, size: int = 32) -> RawDataset:
    """Two classes; bright images belong to the second one in `aligned` of them."""
    rng = np.random.default_rng(0)
    label, agrees = np.arange(n) % 2, rng.random(n) < aligned
    bright = np.where(agrees, label, 1 - label)
    rows = [
        RawRow(
            name=f"{i}.png",
            image=(rng.integers(0, 100, (size, size, 3)) + 120 * bright[i]).astype(np.uint8),
            label=("gull", "owl")[label[i]],
            attributes={"light": ("night", "day")[bright[i]]} if is_annotated else {},
        )
        for i in range(n)
    ]
    return RawDataset(title="birds", source="here", licence="any", rows=rows)


def ahead(raw: RawDataset, **sections: dict[str, Any]) -> tuple[Sizes, dict[str, Outlook]]:
    settings = settings_with(**{"data": {"image_size": 32}, **sections})
    sizes = foresee_sizes(raw, make_plan(raw, settings.data), settings)
    found = foresee_questions(sizes, settings, ["erm", "group_dro"], has_masks=False, name="photo_digits")
    return sizes, {outlook.rung: outlook for outlook in found}


def made(raw: RawDataset, settings: DatasetSettings, folder: Path) -> DatasetInfo:
    return load_info(pack_and_group(raw, folder, data=settings.data, groups=settings.groups))


def test_annotated_groups_are_those_that_are_made(tmp_path: Path) -> None:
    raw, settings = raw_images(400, is_annotated=True), settings_with(data={"image_size": 32})
    sizes = foresee_sizes(raw, make_plan(raw, settings.data), settings)
    assert not sizes.is_open
    assert sizes.groups == made(raw, settings, tmp_path).groups


def test_groups_that_a_cue_may_form_are_classes_so_far(tmp_path: Path) -> None:
    raw, settings = raw_images(3000, is_annotated=False, size=16), settings_with(data={"image_size": 16})
    sizes = foresee_sizes(raw, make_plan(raw, settings.data), settings)
    assert sizes.is_open
    assert sizes.groups == made(raw, settings, tmp_path).groups
    _, found = ahead(raw, data={"image_size": 16})
    assert found["harmful"].can_be_answered
    assert "where a cue is found that a model uses" in found["harmful"].why
    _, few = ahead(raw_images(60, is_annotated=False, size=16), data={"image_size": 16})
    assert not few["harmful"].can_be_answered


def test_a_name_that_nothing_has_is_an_error_before_the_run() -> None:
    with pytest.raises(InputError, match=r"groups.from = 'lihgt' is the name of nothing here; did you mean"):
        ahead(raw_images(60, is_annotated=True, size=8), data={"image_size": 8}, groups={"from": "lihgt"})


def test_the_key_that_is_proposed_makes_the_question_answerable() -> None:
    """The misled groups have some 300 images each: two fifths of them are more than 100."""
    raw = raw_images(6000, is_annotated=True, aligned=0.9, size=8)
    _, found = ahead(raw, data={"image_size": 8, "test_fraction": 0.2})
    assert not found["harmful"].can_be_answered
    assert "fewer than 100 test images in" in found["harmful"].why
    assert found["harmful"].remedies == ("datasets.photo_digits.data: { test_fraction: 0.40 }",)
    assert not found["fixed_by"].can_be_answered
    assert not found["caused_by"].can_be_answered
    _, found = ahead(raw, data={"image_size": 8, "test_fraction": 0.4})
    assert found["harmful"].can_be_answered
    assert found["fixed_by"].can_be_answered


def test_one_training_cannot_tell_harm_from_chance() -> None:
    raw = raw_images(6000, is_annotated=True, aligned=0.9, size=8)
    one = {"image_size": 8, "test_fraction": 0.4}
    _, found = ahead(raw, data=one, train={"seeds": [4]})
    assert not found["harmful"].can_be_answered
    assert found["harmful"].remedies == ("datasets.photo_digits.train: { seeds: [0, 1, 2] }",)
    assert found["available"].can_be_answered


@pytest.mark.parametrize(
    ("sections", "is_annotated", "aligned", "rung", "can", "why"),
    [
        (
            {"groups": {"from": "never"}},
            False,
            0.9,
            "harmful",
            False,
            "no attribute forms groups",
        ),
        ({}, True, 0.5, "harmful", True, "points the wrong way in no group"),
        ({}, False, 0.9, "used", True, "no attribute is annotated"),
        ({"data": {"test_fraction": 0.02}}, True, 0.9, "available", False, "100 are needed"),
        ({"retrain": {"subsets": 0, "thin_keep": []}}, True, 0.5, "caused_by", True, "no retraining checks"),
    ],
)
def test_each_question_says_what_it_lacks(
    sections: dict[str, Any], is_annotated: bool, aligned: float, rung: str, can: bool, why: str
) -> None:
    raw = raw_images(3000, is_annotated=is_annotated, aligned=aligned, size=8)
    sections = {**sections, "data": {"image_size": 8, **sections.get("data", {})}}
    _, found = ahead(raw, **sections)
    assert found[rung].can_be_answered is can
    assert why in found[rung].why


def sizes_of(*n_train: int) -> Sizes:
    names = ["a / x", "a / y", "b / x", "b / y"][: len(n_train)]
    groups = [
        GroupInfo(name=name, label=name[0], attribute=name[-1], n_train=n, n_val=60, n_test=120)
        for name, n in zip(names, n_train, strict=True)
    ]
    info = AttributeInfo(name="place", values=["x", "y"], origin="annotated", description="")
    n = {"train": sum(n_train), "val": 60 * len(n_train), "test": 120 * len(n_train)}
    return Sizes([info], groups, None, {"val": False, "test": False}, n)  # type: ignore[arg-type]


def test_methods_are_ruled_out_with_the_reason() -> None:
    against = reasons_against(sizes_of(900, 0, 30, 400), settings_with())
    assert "group_dro" in against
    assert "a / y" in against["group_dro"]
    assert "erm" not in against


def test_seconds_are_images_times_their_cost() -> None:
    settings = settings_with(
        train={"seeds": [0, 1, 2], "epochs": 5},
        retrain={
            "subsets": 10,
            "repeats": 2,
            "share": 0.5,
            "thin_keep": [0.0],
            "thin_repeats": 3,
            "workers": 2,
        },
    )
    work = Work(settings, sizes_of(700, 100, 100, 700), ["erm", "dfr"], ["erm"])
    seconds = estimate_seconds(work, Speed(train=0.01, predict=0.001, workers=2))
    # 1,600 images and a third of 240 for validation, five epochs, three seeds; DFR takes ERM's networks
    assert seconds["train"] == pytest.approx(3 * 5 * (1600 + 80) * 0.01 / 2)
    # ten halves twice; four groups thinned and all images, three times each
    assert seconds["retrain"] == pytest.approx((10 + 15) * 1600 * 5 * 0.01 / 2)
    assert seconds["starting stages"] == 2.5 * (7 + 2 * 5), "a small project waits for imports above all"
    alone = Work(settings, work.sizes, ["dfr"], [])
    assert estimate_seconds(alone, Speed(0.01, 0.001, 2))["train"] == seconds["train"]


def test_a_smaller_network_is_proposed_where_it_would_take_hours() -> None:
    settings = settings_with(train={"model": "timm/resnet18", "width": 32, "epochs": 20})
    work = Work(settings, sizes_of(40_000, 400, 400, 40_000), ["erm"], ["erm"])
    assert propose_network(work, ["a", "b"], MANY_SECONDS - 1) is None
    found = propose_network(work, ["a", "b"], 1e6)
    assert found is not None
    assert found.train["model"] == "small_resnet"
    assert found.seconds < 5e5


def test_speed_is_of_the_network_asked_for() -> None:
    small = measure_speed(settings_with().train, ["a", "b"], 16)
    large = measure_speed(settings_with(train={"width": 32, "stem_stride": 1}).train, ["a", "b"], 16)
    assert 0 < small.predict < small.train < large.train


@pytest.mark.parametrize(
    ("train", "classes", "warned"),
    [
        ({"augment": "flip"}, ["digits 0-4", "digits 5-9"], "augment: none"),
        ({"augment": "flip_crop"}, ["left hand", "right hand"], "augment: crop"),
        ({"augment": "flip"}, [str(i) for i in range(10)], "augment: none"),
        ({"augment": "flip"}, ["0", "1"], None),  # codes of two classes
        ({"augment": "flip"}, ["landbird", "waterbird"], None),
        ({"augment": "crop"}, ["digit 3", "digit 8"], None),
        ({"augment": "none", "auto_augment": "rand"}, ["red apple", "green apple"], "auto_augment: none"),
        ({"augment": "none", "color_jitter": 0.4}, ["ripe", "unripe"], "color_jitter: 0.0"),
        ({"augment": "none", "color_jitter": 0.4}, ["cat", "dog"], None),
    ],
)
def test_augmentations_that_may_destroy_labels_are_named(
    train: dict[str, Any], classes: list[str], warned: str | None
) -> None:
    found = augmentation_risks(settings_with(train=train).train, classes)
    assert bool(found) is (warned is not None)
    assert warned is None or warned in found[0]


def test_lines_say_what_is_possible_and_what_is_not() -> None:
    raw = raw_images(240, is_annotated=True, size=8)
    settings = settings_with(data={"image_size": 8})
    plan = make_plan(raw, settings.data)
    found = look_ahead(
        "photo_digits", raw, plan, settings, methods=["erm", "dfr"], explained=["erm"], is_timed=False
    )
    text = "\n".join(found.lines)
    assert "  3 harmful: no (fewer than 100 test images in" in text
    assert "not possible, although active: dfr." in text
    assert list(found.against) == ["dfr"]
    assert "possible and not active: group_dro" in text
    assert "time on this machine" not in text


def test_the_command_times_a_few_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["preflight", "photo_digits"]) == 0
    said = capsys.readouterr().out
    assert "  5 fixed by: yes" in said
    assert "time on this machine" in said
    assert main(["preflight", "no_such"]) == 1


def test_a_network_that_cannot_take_the_images_is_a_warning() -> None:
    raw = raw_images(240, is_annotated=True, size=8)
    settings = settings_with(data={"image_size": 8}, train={"stem_stride": 4})
    found = look_ahead(
        "x", raw, make_plan(raw, settings.data), settings, methods=["erm"], explained=["erm"], is_timed=True
    )
    assert any("a training step of erm fails" in line for line in found.lines)


@pytest.mark.parametrize("n", [20, 60, 120])
def test_fewer_images_are_never_more_of_an_answer(n: int) -> None:
    """Of tiny data nothing can be said: neither that a group is harmed nor that none is."""
    raw = raw_images(n, is_annotated=True, aligned=0.9, size=8)
    _, found = ahead(raw, data={"image_size": 8})
    assert not any(outlook.can_be_answered for outlook in found.values())
    assert "fewer than 100 test images" in found["harmful"].why


def test_all_four_groups_are_needed_to_tell_harm_from_a_hard_value() -> None:
    sizes = sizes_of(900, 40, 40, 900)
    thin = sizes.groups[3].model_copy(update={"n_test": 40})
    found = foresee_questions(
        Sizes(sizes.attributes, [*sizes.groups[:3], thin], False, sizes.is_carved, sizes.n),
        settings_with(), ["erm", "subg"], has_masks=True, name="x",
    )  # fmt: skip
    harmful = next(outlook for outlook in found if outlook.rung == "harmful")
    assert not harmful.can_be_answered
    assert "b / y (40)" in harmful.why
    assert harmful.remedies == ("datasets.x.evaluate: { min_test: 40 } (its intervals will be wide)",)
