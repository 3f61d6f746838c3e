"""What indicators measured of each image, as it is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.arrays import save_record
from pipeline.artifacts.indicator_values import IndicatorValues, load_values, save_values
from pipeline.core.errors import ArtifactError


def test_values_come_back_as_they_were_and_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    values = {
        "sensitivity": IndicatorValues(np.array([3, 5]), np.array([[[0.1], [np.nan]]])),
        "calibration": IndicatorValues(np.arange(4), np.ones((2, 4, 2))),
    }
    for name in ("one", "two"):
        save_values(tmp_path / f"{name}.npz", values)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = load_values(tmp_path / "one.npz", ["calibration", "sensitivity"])
    assert list(found) == ["calibration", "sensitivity"]
    for name, own in found.items():
        np.testing.assert_array_equal(own.ids_R, values[name].ids_R)
        np.testing.assert_array_equal(own.values_SRC, values[name].values_SRC)


def test_what_does_not_fit_is_told_with_what_makes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "values.npz"
    save_values(path, {"norm": IndicatorValues(np.arange(3), np.ones((1, 3, 1)))})
    with pytest.raises(ArtifactError, match="no array 'drift_ids'"):
        load_values(path, ["drift"])
    save_record(path, {"norm_ids": np.arange(3), "norm_values": np.ones((1, 2, 1))})
    with pytest.raises(ArtifactError, match=r"of shape \(1, 2, 1\) for 3 images"):
        load_values(path, ["norm"])
