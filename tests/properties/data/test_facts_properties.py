"""Whatever a file is called and whatever EXIF holds, facts stay small, plain and known not to raise."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.facts.exif import parse_date, read_exif, shorten
from pipeline.data.facts.jpeg import estimate_quality
from pipeline.data.facts.names import MAX_TOKENS, find_class_words, make_reader

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)
NAMES = st.text(st.sampled_from("abcXYZ019_-. sé写٣\udce9\x00/"), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(name=ANY_TEXT | NAMES, classes=st.lists(ANY_TEXT, max_size=3))
def test_any_name_has_few_short_tokens(name: str, classes: list[str]) -> None:
    path = Path("set", name.replace("/", "_"))
    found = make_reader([path], classes, {}).read(path)
    assert found.tokens is not None
    assert len(found.tokens) <= MAX_TOKENS
    for token in found.tokens:
        assert 0 < len(token) <= 64
        assert token == token.lower() or not token.isascii(), "some letters have no lower case"
        token.encode()  # surrogates would not fit into a table
        assert re.fullmatch(r"#\d+|\D+|\D{2,}\d{1,2}", token), "no digits but how many, or one of several"
    assert found.number is None or math.isfinite(found.number)


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=2, max_size=2),
    rest=st.lists(st.text("uvwxyz", min_size=1, max_size=5), max_size=4),
    number=st.integers(0, 10**8),
)
def test_which_class_a_file_is_of_does_not_change_its_tokens(
    words: list[str], rest: list[str], number: int
) -> None:
    """Where names differ by their class's words alone, what is left is the same."""
    paths = [Path("set", word, "_".join([word, *rest, str(number)]) + ".png") for word in words]
    reader = make_reader(paths, words, {})
    first, second = (reader.read(path) for path in paths)
    assert first == second
    assert first.number == number
    assert find_class_words(words) == find_class_words(words[::-1])


@settings(max_examples=150, deadline=None)
@given(
    value=ANY_TEXT | st.binary(max_size=300) | st.floats() | st.integers() | st.none() | st.tuples(ANY_TEXT)
)
def test_any_value_is_a_short_text_and_a_date_or_null(value: object) -> None:
    text, date = shorten(value), parse_date(value)
    assert text is None or (0 < len(text) <= 64 and text.isprintable() and text.strip() == text)
    assert date is None or math.isfinite(date)


@settings(max_examples=150, deadline=None)
@given(table=st.lists(st.integers(0, 65535), min_size=64, max_size=64))
def test_any_table_has_a_quality_or_none(table: list[int]) -> None:
    quality = estimate_quality(table)
    assert quality is None if min(table) == 0 else quality in range(1, 101)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=200, deadline=None)
@given(
    head=st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""]),
    body=st.binary(max_size=200),
)
def test_any_bytes_of_exif_are_facts_or_nulls(head: bytes, body: bytes) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", exif=b"Exif\0\0" + head + body)
    with Image.open(file) as opened:
        found = read_exif(opened)
    for text in (found.make, found.model, found.software):
        assert text is None or len(text) <= 64
    assert found.orientation in (None, *range(1, 9))
