"""Embeddings are computed once for a network's body, its data and its split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.artifacts import embeddings
from pipeline.artifacts.embeddings import EmbeddingCache
from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, Split
from pipeline.models.embed import embed_split
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from tests.fixtures.train import make_split


def network(seed: int = 0) -> Classifier:
    return build_model(
        "small_resnet", n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=seed
    )


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the splits that were really embedded, in order."""
    names: list[str] = []

    def counted(model: Classifier, split: Split) -> Float32Array:
        names.append(split.name)
        return embed_split(model, split)

    monkeypatch.setattr(embeddings, "embed_split", counted)
    return names


def test_the_second_reader_gets_the_same_values_without_the_network(
    tmp_path: Path, computed: list[str]
) -> None:
    split, model = make_split(20), network()
    first = EmbeddingCache(tmp_path, "a" * 64)(model, split)
    with torch.no_grad():
        model.head.weight.zero_()  # another last layer on the same body
    again = EmbeddingCache(tmp_path, "a" * 64)(model, split)
    assert computed == [split.name]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, embed_split(model, split))


def test_another_body_another_split_and_other_data_are_computed(tmp_path: Path, computed: list[str]) -> None:
    split, model = make_split(20), network()
    cache = EmbeddingCache(tmp_path, "a" * 64)
    cache(model, split)
    cache(network(seed=1), split)
    body = dict(model.named_buffers())["stages.0.1.running_mean"]
    body += 1  # statistics of BatchNorm are part of the body
    cache(model, split)
    assert len(computed) == 3
    assert len(list(tmp_path.iterdir())) == 3
    EmbeddingCache(tmp_path, "b" * 64)(model, split)
    assert len(computed) == 4
    assert len(list(tmp_path.iterdir())) == 1, "those of the old data are gone"


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_computed_again(
    tmp_path: Path, computed: list[str], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    split, model = make_split(20), network()
    cache = EmbeddingCache(tmp_path, "a" * 64)
    wanted = cache(model, split)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    np.testing.assert_array_equal(cache(model, split), wanted)
    assert "computed again" in caplog.text
    np.save(path, wanted[:5])
    np.testing.assert_array_equal(cache(model, split), wanted)
    assert len(computed) == 3


def test_the_oldest_files_go_and_a_full_disk_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embeddings, "KEPT_FILES", 2)
    split, cache = make_split(8), EmbeddingCache(tmp_path, "a" * 64)
    for seed in range(3):
        cache(network(seed), split)
    assert len(list(tmp_path.iterdir())) == 2

    def full(path: Path, write: object) -> None:
        raise InputError("no space left")

    monkeypatch.setattr(embeddings, "write_atomic", full)
    np.testing.assert_array_equal(cache(network(9), split), embed_split(network(9), split))
    assert "not kept: no space left" in caplog.text
