"""Each cue that `benchmarks.cue_discovery` plants is as strong as asked, and alone; nulls have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from benchmarks.cue_discovery.chance import draw_labels, draw_values
from benchmarks.cue_discovery.nulls import LABELS, write_null
from benchmarks.cue_discovery.planted import KINDS, plant
from benchmarks.cue_discovery.tasks import Null, Planted
from pipeline.core.types import UInt8Array
from tests.fixtures.planted_files import READ, N, added_to, facts_of, labels_of, photographs, tells

# what a cue changes beside itself, as its docstring says
BESIDES: dict[str, set[str]] = {
    "size": {"width", "height", "bytes", "detail"},
    "aspect": {"width", "height", "detail", "contrast"},
    "quality": {"quantization", "bytes", "detail"},
    "format": {"format", "ending", "bytes", "quantization"},
    "camera": {"camera"},
    "token": {"token"},
    "order": {"place"},
    "corner": {"corner"},
    "watermark": {"detail"},
    "border": {"rim", "corner", "contrast", "detail"},
    "blur": {"detail", "contrast"},
    "noise": {"detail", "contrast"},
    "hue": {"red", "green", "blue"},
    "texture": set(),
}


@pytest.fixture(scope="module")
def images() -> list[UInt8Array]:
    return photographs()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_cue_is_as_strong_as_asked_and_alone(kind: str, images: list[UInt8Array], tmp_path: Path) -> None:
    table = plant(images, draw_labels(N, (0.5, 0.5), 0), kind, 0.6, 0, tmp_path)
    written = pd.read_csv(tmp_path / "table.csv")
    assert list(written.columns) == ["file", "label", "split"]
    files, labels = [tmp_path / name for name in written["file"]], labels_of(written)
    read = READ[kind](files, added_to(images, files, table["image"].tolist()))
    guessed = pd.Series(labels).groupby([str(value) for value in read]).transform("median").round()
    assert cohen_kappa_score(labels, guessed.astype(int)) == pytest.approx(0.6, abs=0.021)
    assert len(set(read)) == 2
    telling = {name for name, fact in facts_of(files).items() if tells(labels, fact)}
    assert telling <= BESIDES[kind]
    assert not tells(labels, list(written["split"]))


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.6, 0.9])
def test_kappa_is_exact_in_two_classes_and_in_ten(strength: float) -> None:
    for n_classes in (2, 10):
        labels = draw_labels(1200, [1 / n_classes] * n_classes, 3)
        values = draw_values(labels, strength, 3)
        assert cohen_kappa_score(labels, values) == pytest.approx(strength, abs=0.01)
        assert np.bincount(values) == pytest.approx(1200 / n_classes, abs=0.04 * 1200 / n_classes)


def test_ten_classes_have_ten_values(images: list[UInt8Array], tmp_path: Path) -> None:
    labels = draw_labels(N, [0.1] * 10, 0)
    for kind in ("quality", "camera", "token", "hue"):
        (tmp_path / kind).mkdir()
        table = plant(images, labels, kind, 0.9, 0, tmp_path / kind)
        counts = pd.crosstab(table["label"], table["value"])
        assert counts.shape == (10, 10)
        assert counts.max(axis=1).sum() == pytest.approx(0.91 * N, abs=0.03 * N)
    with pytest.raises(ValueError, match="10 classes, but this cue has 2 values"):
        plant(images, labels, "blur", 0.9, 0, tmp_path)


def test_the_same_seed_writes_the_same_bytes(images: list[UInt8Array], tmp_path: Path) -> None:
    tasks: list[Planted | Null] = [Planted("watermark", 0.3, 2, 4), Null("80/20", 4)]
    for copy in ("a", "b"):
        for task in tasks:
            (tmp_path / copy / type(task).__name__).mkdir(parents=True)
            task.write(images[:40], tmp_path / copy / type(task).__name__)
    first, second = (
        {file.name: (file.read_bytes(), file.stat().st_mtime) for file in (tmp_path / copy).rglob("*.*")}
        for copy in ("a", "b")
    )
    assert first == second
    assert len(first) == 81  # both tables have one name


@pytest.mark.parametrize("labels", ["80/20", "ten classes"])
def test_a_null_is_heterogeneous_and_tells_nothing(
    labels: str, images: list[UInt8Array], tmp_path: Path
) -> None:
    table = write_null(images, labels, 0, tmp_path)
    files, codes = [tmp_path / name for name in table["file"]], labels_of(table)
    assert np.bincount(codes) / N == pytest.approx(LABELS[labels], abs=0.006)
    facts = facts_of(files)
    assert not {name for name, fact in facts.items() if tells(codes, fact)}
    assert not tells(codes, list(table["origin"]))
    assert len(set(facts["format"])) == 4
    assert len(set(facts["width"])) > 20
    assert len(set(facts["camera"])) > 1
    assert len(set(facts["quantization"])) > 2
    assert tells(list(table["origin"]), facts["detail"]), "origins differ"
