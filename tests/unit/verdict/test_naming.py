"""Groups that nobody named are described by what they are, and by nothing where nothing describes them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.drawn_mistakes import Images, planted_traits
from pipeline.core.types import Float64Array
from pipeline.records.data import GroupInfo
from pipeline.verdict.harm.conditions import Described
from pipeline.verdict.harm.naming import Grouped, name_groups


def dark_dogs(images: Images) -> Float64Array:
    return np.where((images.labels == 1) & (images.property("lightness") < 0.2), 0.85, 0.05)


def any_image(images: Images) -> Float64Array:
    return np.full(len(images.labels), 0.25)


def test_a_group_is_described_by_what_most_of_it_is_and_the_rest_of_its_class_is_not() -> None:
    found = planted_traits(dark_dogs)
    assert [trait.status for trait in found] == ["none", "none", "described", "described", "none", "none"]
    dark = found[3]
    assert (dark.name, dark.words, dark.columns) == (
        "dog / cluster 2",
        "images among the darkest fifth",
        ["lightness"],
    )
    assert dark.share is not None
    assert dark.rest is not None
    assert dark.share.low < 0.81 < dark.share.high  # .17 of .21
    assert dark.rest.low < 0.04 < dark.rest.high
    assert dark.sentence.startswith("mostly images among the darkest fifth: ")
    assert "not among the darkest fifth" in found[2].words
    assert all("see its pictures" in trait.sentence for trait in found if trait.status == "none")


def test_a_part_of_a_group_is_not_most_of_it() -> None:
    trait = planted_traits(lambda im: np.where(im.property("lightness") < 0.2, 0.95, 0.35))[3]
    assert trait.status == "described"
    assert trait.share is not None
    assert trait.share.low < 0.4 < trait.share.high  # .19 of .47
    assert trait.sentence.startswith("more often images among the darkest fifth: ")


def test_a_rare_group_is_described_and_counted_whole() -> None:
    """Few of the dark images are of it, and most of it is dark."""
    found = planted_traits(
        lambda im: np.where(im.property("lightness") < 0.3, 0.03, 0.001), n_train=20_000, n_test=20_000
    )
    assert found[3].status == "described"
    assert found[3].columns == ["lightness"]
    assert found[2].n_train + found[3].n_train > 5_000


@pytest.mark.parametrize("scene_size", [1, 20])
def test_groups_by_chance_are_described_by_nothing(scene_size: int) -> None:
    found = [
        trait
        for seed in range(12)
        for trait in planted_traits(any_image, seed=seed, n_train=900, n_test=600, scene_size=scene_size)
    ]
    assert sum(trait.status == "described" for trait in found) == 0


def test_with_too_few_images_it_is_said_that_nothing_can_be_said() -> None:
    few_train = planted_traits(dark_dogs, n_train=60)
    assert {trait.status for trait in few_train} == {"insufficient"}
    assert "too few training images" in few_train[3].sentence
    few_test = planted_traits(dark_dogs, n_test=60)[3]
    assert few_test.status == "insufficient"
    assert "too few test images" in few_test.sentence
    assert planted_traits(dark_dogs, n_test=0)[3].status == "insufficient"


def test_test_images_of_training_scenes_do_not_count() -> None:
    labels, groups = np.array(["a"] * 400, object), np.repeat([0, 1], 200)
    known = Described(labels, properties={"lightness": np.linspace(0, 1, 400, dtype=np.float32)})
    infos = [
        GroupInfo(name=f"a / {v}", label="a", attribute=v, n_train=0, n_val=0, n_test=0) for v in ("x", "y")
    ]
    sources = np.arange(400) // 4
    apart, shared = (
        name_groups(infos, Grouped(known, groups, sources), Grouped(known, groups, sources + shift))
        for shift in (100, 0)
    )
    assert [trait.status for trait in apart] == ["described", "described"]
    assert [(trait.status, trait.n_test) for trait in shared] == [("insufficient", 0)] * 2


def test_a_class_with_one_group_needs_no_description() -> None:
    labels, groups = np.array(["a"] * 60, object), np.zeros(60, np.int64)
    alone = GroupInfo(name="a", label="a", attribute="", n_train=60, n_val=0, n_test=60)
    known = Grouped(Described(labels), groups)
    assert name_groups([alone], known, known) == []


@pytest.mark.parametrize(("classes", "rest"), [(["a"], "its class"), (["a", "b"], "its classes")])
def test_a_group_of_a_superclass_is_beside_the_rest_of_its_classes(classes: list[str], rest: str) -> None:
    lightness = np.random.default_rng(0).random(400, dtype=np.float32)
    groups = (lightness < 0.5).astype(np.int64)
    infos = [
        GroupInfo(name=f"s / {v}", label="s", attribute=v, n_train=0, n_val=0, n_test=0) for v in ("x", "y")
    ]
    known = Described(np.resize(np.array(classes, object), 400), properties={"lightness": lightness})
    found = name_groups(infos, Grouped(known, groups), Grouped(known, groups))
    assert {trait.status for trait in found} == {"described"}
    assert all(f"of the rest of {rest} (n = " in trait.sentence for trait in found)
    few = name_groups(infos, Grouped(known, groups), Grouped(known, groups).take(np.arange(400) < 8))
    assert all(f"of the rest of {rest}, of which 10 each" in trait.sentence for trait in few)
