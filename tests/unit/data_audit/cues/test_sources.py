"""Accuracy that knowing the source inflates is told from accuracy that it does not, and from no answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.titled import retitle
from pipeline.cues.cue import Seen
from pipeline.cues.look import Looked
from pipeline.data_audit.cues.sources import probe_sources
from pipeline.records.titles import Titles
from tests.fixtures.cues import SETTINGS, textures
from tests.fixtures.sources import N, mostly_of_its_camera, probed, striped, tinted


def test_a_tint_of_each_camera_and_a_class_mostly_of_each_camera_inflate() -> None:
    cameras_N, labels_N = mostly_of_its_camera(0)
    found = probed(cameras_N, labels_N, tinted(textures(N, 0), cameras_N))["camera"]
    assert found.status == "yes"
    assert found.seen is not None
    assert found.unseen is not None
    assert found.inflation is not None
    assert found.seen.value == pytest.approx(0.8, abs=0.1), "the camera tells the class of 9 in 10"
    assert found.unseen.value < 0.2
    assert found.inflation.low > 0.3
    assert found.sentence.startswith("Knowing the camera inflates accuracy: ")


def test_a_camera_that_knows_nothing_does_not() -> None:
    rng = np.random.default_rng(0)
    labels_N, cameras_N = rng.integers(0, 2, N), rng.integers(0, 4, N)
    plain = probed(cameras_N, labels_N, striped(textures(N, 0), labels_N))["camera"]
    assert plain.status == "no"
    assert plain.seen is not None
    assert plain.seen.low > 0.5, "the class can be told"
    nothing = probed(cameras_N, labels_N, textures(N, 0))["camera"]
    assert nothing.status == "no"


def test_one_camera_is_no_answer() -> None:
    labels_N = np.arange(N) % 2
    found = probed(np.zeros(N, np.int64), labels_N, textures(N, 0))["camera"]
    assert (found.status, found.inflation) == ("insufficient", None)
    assert "all images that say it are of one value" in found.sentence


def test_a_class_of_one_camera_each_is_no_answer() -> None:
    labels_N = np.arange(N) % 2
    found = probed(labels_N.astype(np.int64), labels_N, tinted(textures(N, 0), labels_N))["camera"]
    assert found.status == "insufficient"
    assert "whole classes" in found.reason


def test_scenes_are_asked_about_as_scenes() -> None:
    """Scenes of ten with a look and a class of their own: memory of the scene, and nothing of the class."""
    rng = np.random.default_rng(0)
    scenes_N = np.arange(N) // 10
    labels_N = rng.integers(0, 2, N // 10)[scenes_N]
    looks = rng.integers(-70, 70, (N // 10, 8, 8, 3)).repeat(4, 1).repeat(4, 2)[scenes_N]
    images = np.clip(128 + looks + rng.normal(0, 6, (N, 32, 32, 3)), 0, 255).astype(np.uint8)
    found = probed(np.zeros(N, np.int64), labels_N, images, scenes_N)["scene"]
    assert (found.n_values, found.n) == (40, 400)
    assert found.status == "yes", found.sentence


def test_data_without_sources_have_no_probe() -> None:
    looked = Looked(Seen(textures(40, 0)), np.arange(40) % 2)
    assert probe_sources(looked, SETTINGS) == []
    facts = pd.DataFrame({"exif_model": np.array([None] * 40, object)})
    assert probe_sources(Looked(Seen(textures(40, 0), facts=facts), np.arange(40) % 2), SETTINGS) == []


def test_annotated_columns_of_two_values_are_left_to_the_groups_and_titles_reach_the_sentence() -> None:
    cameras_N, labels_N = mostly_of_its_camera(0)
    images = tinted(textures(N, 0), cameras_N)
    assert "attr_ward" not in probed(cameras_N, labels_N, images, wards=cameras_N % 2)
    found = probed(cameras_N, labels_N, images, wards=cameras_N)["attr_ward"]
    assert found.status == "yes"
    told = retitle(found, Titles(attributes={"ward": "hospital ward"}))
    assert told.sentence.startswith("Knowing the value of hospital ward inflates accuracy")
    assert told.words == "the value of hospital ward"
