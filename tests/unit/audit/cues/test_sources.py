"""Accuracy that knowing the source inflates is told from accuracy that it does not, and from no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.titled import retitle
from pipeline.audit.cues.look import Looked
from pipeline.audit.cues.sources import probe_sources
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.cues.cue import Seen
from pipeline.records.cues import SourceProbe
from pipeline.records.titles import Titles
from pipeline.report.export.data_tables import data_tables
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from tests.fixtures.cues import SETTINGS, textures, tried
from tests.fixtures.report import build_report, photo_birds

N = 400
TINTS = np.array([[60, 0, 0], [0, 60, 0], [0, 0, 60], [0, 0, 0]])  # none says of which class another one is


def tinted(images: UInt8Array, cameras_N: Int64Array) -> UInt8Array:
    shift = TINTS[cameras_N % len(TINTS)][:, None, None]
    return np.clip(images + shift, 0, 255).astype(np.uint8)


def striped(images: UInt8Array, labels_N: Int64Array) -> UInt8Array:
    """The class can be told by itself: rows or columns are darker."""
    lines = np.zeros(images.shape[1:3], int)
    lines[::4] = 40
    pattern = np.where(labels_N[:, None, None] == 0, lines, lines.T)
    return np.clip(images.astype(int) - pattern[..., None], 0, 255).astype(np.uint8)


def probed(
    cameras_N: Int64Array,
    labels_N: Int64Array,
    images: UInt8Array,
    scenes_N: Int64Array | None = None,
    wards: Int64Array | None = None,
) -> dict[str, SourceProbe]:
    names = np.array(["A", "B", "C", "D"], object)[cameras_N]
    facts = pd.DataFrame({"exif_model": names})
    columns = {} if wards is None else {"ward": np.array([f"w{i}" for i in wards], object)}
    looked = Looked(Seen(images, facts=facts, columns=columns), labels_N, scenes_N)
    return {probe.name: probe for probe in probe_sources(looked, SETTINGS, scenes_N)}


def mostly_of_its_camera(seed: int, share: float = 0.9) -> tuple[Int64Array, Int64Array]:
    rng = np.random.default_rng(seed)
    cameras_N = rng.integers(0, 4, N)
    return cameras_N, np.where(rng.random(N) < share, cameras_N % 2, 1 - cameras_N % 2)


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


@pytest.mark.parametrize("seed", range(2))
def test_a_camera_that_knows_nothing_does_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels_N, cameras_N = rng.integers(0, 2, N), rng.integers(0, 4, N)
    plain = probed(cameras_N, labels_N, striped(textures(N, seed), labels_N))["camera"]
    assert plain.status == "no"
    assert plain.seen is not None
    assert plain.seen.low > 0.5, "the class can be told"
    nothing = probed(cameras_N, labels_N, textures(N, seed))["camera"]
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


def test_page_and_tables_tell_of_sources() -> None:
    cameras_N, labels_N = mostly_of_its_camera(0)
    probe = probed(cameras_N, labels_N, tinted(textures(N, 0), cameras_N))["camera"]
    cues = tried(None, n=200).model_copy(update={"sources": [probe]})
    report = build_report(replace(photo_birds(), cues=cues))
    assert "Knowing the camera inflates accuracy" in render_report(report, Pictures())
    rows = next(table.rows for table in data_tables(report) if table.name == "sources")
    assert [row["measure"] for row in rows] == ["seen", "unseen", "inflation"]
    assert probe.inflation is not None
    assert rows[2]["low"] == probe.inflation.low
