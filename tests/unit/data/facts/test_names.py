"""Names of files: words and lengths of numbers stay, what says class and split goes."""

from __future__ import annotations

import doctest
import time
from pathlib import Path

import pytest

from pipeline.data.facts import names as module
from pipeline.data.facts.names import MAX_TOKENS, NameReader, find_class_words, make_reader

NO_WORDS = find_class_words([])


def tokens(name: str, *classes: str) -> list[str]:
    return NameReader(find_class_words(classes)).tokenize(name)


def test_the_example_prints_what_it_says() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20240131-2", ["img", "#8", "#1"]),
        ("DSC00012", ["dsc", "#5"]),
        ("leftEye", ["left", "eye"]),
        ("myHTMLFile", ["my", "html", "file"]),
        ("iPhone15Pro", ["i", "phone", "#2", "phone15", "pro"]),
        ("Été à la plage", ["été", "à", "la", "plage"]),
        ("cafe\u0301", ["café"]),  # as macOS writes it
        ("写真007", ["写真", "#3"]),
        ("٣٤", ["#2"]),
        ("train_0001", ["#4"]),
        ("x_val2017_testset", ["x", "#4"]),
        ("---", []),
        ("", []),
        ("a\x00b\udce9c\u202ed", ["a", "b", "c", "d"]),
    ],
)
def test_tokens(name: str, expected: list[str]) -> None:
    assert tokens(name) == expected


def test_words_and_numbers_of_every_class_are_left_out() -> None:
    classes = ["black cats", "not a dog", "digits 0-4"]
    assert tokens("Black_Cat_17_scan", *classes) == ["#2", "scan"]
    assert tokens("blackcat-dogs-4-44", *classes) == ["#2"]
    assert tokens("catalogue", *classes) == ["catalogue"]


def test_folders_count_from_the_one_that_holds_all_and_the_ending_does_not() -> None:
    paths = [
        Path("/data/cats/birds/cats/train/clinicA/cat.12.JPG"),
        Path("/data/cats/birds/dogs/train/clinicB/scan_7.v2"),
    ]
    reader = make_reader(paths, ["cats", "dogs"], {})
    assert [reader.read(path).tokens for path in paths] == [
        ["#2", "clinic", "a"],
        ["scan", "#1", "scan7", "v", "#1", "clinic", "b"],
    ]
    assert [reader.read(path).number for path in paths] == [12, 7]


def test_what_files_call_a_class_is_left_out_too() -> None:
    path = Path("t/n01443537/images/n01443537_12.JPEG")
    with_number = make_reader([path, Path("t/x.JPEG")], ["goldfish"], {})
    assert with_number.read(path).number == 1443537
    found = make_reader([path, Path("t/x.JPEG")], ["goldfish"], {"goldfish": ["n01443537"]}).read(path)
    assert (found.tokens, found.number) == (["#2", "images"], 12)


def test_relative_absolute_and_single_files_have_a_common_folder() -> None:
    here, there = Path("a/1.png"), Path("a/b/2.png").absolute()
    reader = make_reader([here, there], [], {})
    assert reader.read(here).tokens == ["#1"]
    assert reader.read(there).tokens == ["#1", "b"]
    assert make_reader([Path("3.png")], [], {}).read(Path("3.png")).tokens == ["#1"]


@pytest.mark.parametrize(
    ("name", "number"),
    [("a_0012_7", 12), ("a", None), ("9" * 400, None), ("1" * 20, 11111111111111111111.0), ("x٣", 3)],
)
def test_the_first_number(name: str, number: float | None) -> None:
    assert NameReader(NO_WORDS).read(Path(f"{name}.png")).number == number


def test_endless_names_are_cut() -> None:
    start = time.process_time()
    many = "_".join(f"w{i}" for i in range(10_000))
    for name in (many, "aB" * 5_000, "x" * 4_096, "7" * 100_000, "é" * 50_000, "A" * 100_000):
        found = tokens(name, "cat")
        assert len(found) <= MAX_TOKENS
        assert max(map(len, found)) <= 64
    deep = NameReader(NO_WORDS).read(Path("/".join(["folder"] * 2_000), f"{many}.png"))
    assert len(deep.tokens or []) == MAX_TOKENS
    assert time.process_time() - start < 1
