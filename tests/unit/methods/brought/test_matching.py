"""Which row is which image: numbers that are names of files, ids, and pandas' own numbers of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.methods.brought.matching import match_images

NUMBERED = ["c/0.jpg", "c/1.jpg", "c/10.jpg", "c/2.jpg"]  # sorted as text: ids 2 and 3 are 10.jpg and 2.jpg
PADDED = [f"t/{i:05}.jpg" for i in range(4)]
NAMED = ["a/x.jpg", "a/y.jpg", "b/x.jpg", "b/z.v2.jpg"]


def match(columns: Mapping[str, Sequence[str]], files: Sequence[str] = NAMED) -> list[int]:
    return match_images(columns, Path("p.csv"), files, np.arange(len(files)), "models.m")[0].tolist()


@pytest.mark.parametrize(
    ("files", "columns", "places"),
    [
        (NUMBERED, {"image": ["10.jpg", "2.jpg"]}, [2, 3]),
        (NUMBERED, {"image": ["c/10", "c/2"]}, [2, 3]),
        (NUMBERED, {"image": ["10", "2"]}, [2, 3]),
        (NUMBERED, {"image": ["00002", "00001"]}, [3, 1]),
        (NUMBERED, {"image": ["0", "1"]}, [0, 1]),
        (PADDED, {"id": ["3", "0"]}, [3, 0]),
        (PADDED, {"id": ["3.0", "00001"]}, [3, 1]),
        (["7.jpg", "705.jpg"], {"id": ["705.0"]}, [1]),
        (NAMED, {"id": ["3", "0"]}, [3, 0]),
        (NAMED, {"id": ["03", "00"]}, [3, 0]),
        (NAMED, {"image": ["z.v2", "y"]}, [3, 1]),
        (NAMED, {"file": ["z.v2.jpg", "y.jpg"], "id": ["0", "1"]}, [3, 1]),
        (NAMED, {"file": ["z.v2.jpg", "y.jpg"], "id": ["1.0", "2.0"]}, [3, 1]),
        (NAMED, {"file": ["z.v2.jpg", "y.jpg"], "id": ["3", "1"]}, [3, 1]),
        (NAMED, {"file": ["x.jpg", "y.jpg"], "id": ["2", "1"]}, [2, 1]),
        (NAMED, {"name": ["resnet", "resnet"], "id": ["2", "1"]}, [2, 1]),
        (["1", "0"], {"image": ["0", "1"]}, [1, 0]),
        (["", "", "5.jpg"], {"id": ["1", "0"]}, [1, 0]),
    ],
)
def test_the_right_image_is_found(
    files: Sequence[str], columns: Mapping[str, Sequence[str]], places: list[int]
) -> None:
    assert match(columns, files) == places


@pytest.mark.parametrize(
    ("files", "columns", "says"),
    [
        (
            NUMBERED,
            {"id": ["2", "3"]},
            r"2 \(column id\) may be a file \(c/2.jpg\) or the id of another image \(c/10.jpg\)\. Write "
            r"whole names of files .*`models.m.columns: \{ image: file \}`",
        ),
        (["a/1.jpg", "b/1.jpg", "a/3.jpg"], {"image": ["1", "2"]}, None),
        (
            ["a/1.jpg", "b/1.jpg", "a/3.jpg", "a/0.jpg"],
            {"image": ["1", "3"]},
            "3 .*column image.* may be a file",
        ),
        (NAMED, {"file": ["x.jpg", "y.jpg"]}, "x.jpg may be a/x.jpg, b/x.jpg. Name the images with their"),
        (
            NAMED,
            {"file": ["z.v2.jpg", "y.jpg"], "id": ["1", "0"]},
            r"columns file and id name other images: row 1 has z.v2.jpg \(b/z.v2.jpg\) and 1\. Write which .*"
            r"`models.m.columns: \{ image: file \}` or `\{ image: id \}`",
        ),
        (NAMED, {"file": ["y.jpg", "a/x.jpg"], "path": ["y.jpg", "b/x.jpg"]}, "file and path name other"),
        (NAMED, {"file": ["no.jpg", "y.jpg"], "id": ["0", "1"]}, r"1 of 2 rows .* name no image .*no.jpg"),
        (NAMED, {"id": ["\u00b2", "1"]}, "name no image"),
        (NAMED, {"id": ["9" * 5000, "1"]}, "name no image"),
    ],
)
def test_what_may_be_two_images_is_asked_about(
    files: Sequence[str], columns: Mapping[str, Sequence[str]], says: str | None
) -> None:
    if says is None:
        assert match(columns, files) == [1, 2], "1 is the id of an image called so, too"
        return
    with pytest.raises(InputError, match=says):
        match(columns, files)


def test_it_says_how_images_were_matched() -> None:
    for columns, said in (({"id": ["3"]}, "matched by id"), ({"k": ["y.jpg"]}, "matched by file")):
        notes = match_images(columns, Path("p.csv"), NAMED, np.arange(4), "models.m")[2]
        assert said in notes[0]
