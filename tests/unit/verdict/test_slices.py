"""Parts of the images with more mistakes are found where they are planted, named right, and not made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.drawn_mistakes import LIMITS, PROPERTIES, Images, err, planted_slices
from pipeline.core.types import Float64Array
from pipeline.records.slices import MethodSlices
from pipeline.verdict.harm.condition_words import RANKS
from pipeline.verdict.harm.conditions import Described, make_conditions
from pipeline.verdict.harm.slices import Scored, find_slices, why_no_slices
from tests.fixtures.report import HOSTILE_CLASS, HOSTILE_NAMES, photo_birds

BASE = 0.12


def camera_in_the_dark(images: Images) -> Float64Array:
    return np.where((images.camera == 1) & (images.property("lightness") < 1 / 3), 0.6, BASE)


def one_width(images: Images) -> Float64Array:
    return np.where(images.width == 64, 0.35, BASE)


def small_files(images: Images) -> Float64Array:
    return np.where(images.numbers[:, -1] < 0.2, 0.4, BASE)


def blurred_cats_of_the_west(images: Images) -> Float64Array:
    is_planted = (images.labels == 0) & (images.ward == 1) & (images.property("sharpness") < 0.5)
    return np.where(is_planted, 0.7, BASE)


def nowhere(images: Images) -> Float64Array:
    return np.full(len(images.labels), 0.25)


def first(found: MethodSlices) -> str:
    assert found.status == "found", found.finding
    return found.slices[0].words


def test_dark_images_of_one_camera_are_named() -> None:
    found = planted_slices(camera_in_the_dark)
    assert first(found.slices) == "Images from camera “Acme One” and among the darkest third"
    one = found.slices.slices[0]
    assert one.error.low < 0.6 < one.error.high
    assert one.beyond.low > 0.3
    assert one.error.n > 100
    assert one.n_val > 60
    assert one.sentence.startswith(f"{one.words}: ")
    assert found.slices.finding == "ERM errs clearly more in one part of the images"


def test_a_width_and_a_size_of_files_are_named_with_their_units() -> None:
    assert first(planted_slices(one_width).slices) == "Images 64 px wide"
    assert first(planted_slices(small_files).slices) == "Images in files under 13 kB"


def test_class_and_attribute_are_named_where_they_belong_to_it() -> None:
    words = first(planted_slices(blurred_cats_of_the_west, n_val=4000, n_test=4000).slices)
    assert words == "Images of “cat”, whose “ward” is “west” and among the blurriest half"


@pytest.mark.parametrize("scene_size", [1, 20])
def test_nothing_is_named_where_mistakes_are_scattered(scene_size: int) -> None:
    named = [
        seed
        for seed in range(20)
        if planted_slices(nowhere, seed=seed, n_val=600, n_test=800, scene_size=scene_size).slices.status
        == "found"
    ]
    assert len(named) <= 1


def test_scenes_count_as_scenes() -> None:
    """Mistakes that only some scenes make stand out where their images count one by one."""

    def found(with_scenes: bool) -> int:
        total = 0
        for seed in range(12):
            rng = np.random.default_rng(seed)
            scored = []
            for number in range(2):
                scenes_N = np.arange(800) // 40
                looks_N = rng.random((20, len(PROPERTIES)), np.float32)[scenes_N]
                risk_N = np.clip(rng.normal(0.3, 0.3, 20), 0, 1)[scenes_N]
                known = Described(
                    np.full(800, "cat", object), properties=dict(zip(PROPERTIES, looks_N.T, strict=True))
                )
                sources_N = scenes_N + 20 * number if with_scenes else None
                scored.append(Scored(known, err(risk_N, 3, rng), sources_N))
            total += find_slices("erm", scored[0], scored[1], LIMITS).status == "found"
        return total

    assert found(with_scenes=False) >= 2, "the bait"
    assert found(with_scenes=True) == 0


def test_twenty_validation_images_are_too_few() -> None:
    found = planted_slices(camera_in_the_dark, n_val=20).slices
    assert found.status == "insufficient"
    assert "20, 60 are needed (evaluate.min_val)" in found.finding
    assert not found.slices


def test_too_few_test_images_are_said() -> None:
    found = planted_slices(camera_in_the_dark, n_test=150).slices
    assert found.status == "insufficient"
    assert "150, 200 are needed (evaluate.min_test)" in found.finding


def test_what_test_images_do_not_confirm_is_not_named() -> None:
    """Validation mistakes of one kind, test mistakes of none: the part is measured, and not held."""
    drawn = planted_slices(camera_in_the_dark).test
    rng = np.random.default_rng(3)
    val = Scored(drawn.described(), err(camera_in_the_dark(drawn), 3, rng))
    test = Scored(drawn.described(), err(nowhere(drawn), 3, rng))
    found = find_slices("erm", val, test, LIMITS)
    assert found.slices
    assert found.status == "none"
    assert "not harder by 5% on test images" in found.finding


def test_test_images_of_validation_scenes_are_left_out() -> None:
    drawn = planted_slices(camera_in_the_dark).test
    rng = np.random.default_rng(3)
    sources_N = np.arange(len(drawn.labels))
    val = Scored(drawn.described(), err(nowhere(drawn), 3, rng), sources_N)
    test = Scored(drawn.described(), err(nowhere(drawn), 3, rng), sources_N + 500)
    found = find_slices("erm", val, test, LIMITS)
    assert (found.n_shared, found.n_test) == (1500, 500)


def test_a_model_without_mistakes_has_none_to_look_into() -> None:
    found = planted_slices(lambda images: np.zeros(len(images.labels))).slices
    assert (found.status, found.slices) == ("none", [])


def test_what_says_nothing_of_validation_is_not_asked() -> None:
    evaluation = photo_birds().evaluations["erm"].model_copy(update={"trained_on_val": True})
    why_not = why_no_slices(evaluation, LIMITS)
    assert why_not is not None
    assert "validation images trained it" in why_not
    assert why_no_slices(photo_birds().evaluations["erm"], LIMITS) is None


def test_the_planted_birds_fail_where_the_ground_misleads() -> None:
    found = photo_birds().slices["erm"]
    words = first(found)
    assert words == "Images of “waterbird” and whose “place” is “land”"
    assert found.slices[0].is_grouped, "its accuracy stands among the groups'"
    assert "told by the groups" in found.finding or "which the groups tell" in found.finding


# --- conditions --------------------------------------------------------------------------------


def described(**columns: object) -> Described:
    n = 200
    labels = np.array(["a", "b"], object)[np.arange(n) % 2]
    facts = pd.DataFrame(columns) if columns else None
    return Described(labels, facts=facts)


def words_of(known: Described, column: str) -> list[str]:
    return [c.words[0] for c in make_conditions(known, known, 20) if c.columns == (column,)]


def test_what_is_not_known_is_no_opposite() -> None:
    known = described(jpeg_quality=pd.array([60, None, 75, 90] * 50, "Int64"))
    conditions = [c for c in make_conditions(known, known, 20) if c.columns == ("jpeg_quality",)]
    assert ("of JPEG quality 60",) in [c.words for c in conditions]
    for condition in conditions:
        assert not condition.val_N[1::4].any()
        assert condition.denied.startswith("not of JPEG quality")


def test_a_property_that_is_the_same_everywhere_makes_no_fifth() -> None:
    labels = np.array(["a", "b"], object)[np.arange(200) % 2]
    flat = np.where(np.arange(200) < 150, 5.0, np.arange(200)).astype(np.float32)
    known = Described(labels, properties={"lightness": flat, "noise": np.full(200, np.nan, np.float32)})
    assert words_of(known, "lightness") == ["among the brightest tenth", "among the brightest fifth"]
    assert words_of(known, "noise") == []


def test_dates_are_days_and_names_of_users_stay_names() -> None:
    known = described(
        exif_date=86_400.0 * 18_000 + 3_600 * np.arange(200.0),
        exif_software=np.array([*HOSTILE_NAMES[:4], "{x}"], object)[np.arange(200) % 5],
        name_tokens=[["{0}"] if i % 3 else [] for i in range(200)],
    )
    assert "taken before 2019-04-16" in words_of(known, "exif_date")
    assert any(HOSTILE_CLASS in words for words in words_of(known, "exif_software"))
    assert words_of(known, "name_tokens") == ["with “{0}” in the names of file and folders"]


def test_every_property_of_images_has_words() -> None:
    from pipeline.artifacts.hygiene_tables import PROPERTIES as MEASURED

    assert set(RANKS) == set(MEASURED)
