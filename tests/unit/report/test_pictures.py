"""Pictures: the right size, within budget, the same every time."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from pipeline.core.words import percent
from pipeline.report.page.charts.scales import accuracy_scale, change_scale, heat_percent
from pipeline.report.page.inline_svg import INK, Tip, draw_inline
from pipeline.report.page.pictures import PICTURE_BUDGET, build_pictures, encode, spread
from tests.fixtures.report import around, build_report, photo_birds, picture_source, plain_hundred, wilson


def decode(uri: str) -> Image.Image:
    head, body = uri.split(",", 1)
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_large_images_shrink_and_small_ones_keep_their_pixels() -> None:
    wide = np.zeros((100, 200, 3), np.uint8)
    assert decode(encode(wide, 96, 80)).size == (96, 48)
    assert decode(encode(wide[:32, :32], 96, 80)).size == (32, 32)


def test_colors_survive_encoding() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0], image[..., 1] = 200, 90
    back = np.asarray(decode(encode(image, 64, 85)).convert("RGB")).astype(int)
    assert np.abs(back - image).mean() < 3


def test_spread_is_even_and_stable() -> None:
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([7], 4) == [7]
    assert spread([], 4) == []


def test_every_picture_the_page_shows_is_there() -> None:
    inputs = photo_birds()
    summary = build_report(inputs)
    pictures = build_pictures(summary, picture_source(inputs), inputs.settings)
    for attribution in summary.attribution.values():
        for target in attribution.targets:
            assert target.id in pictures.images
            assert all(i.id in pictures.images for i in (*target.helpful[:4], *target.harmful[:4]))
    assert all((m, o.image) in pictures.overlays for m, c in summary.gradcam.items() for o in c.overlays)
    assert {len(ids) for ids in pictures.examples.values()} == {inputs.settings.examples_per_group}
    assert not pictures.is_reduced
    assert pictures.known_wrong


def test_over_budget_pictures_get_smaller_then_fewer() -> None:
    inputs = plain_hundred()
    summary = build_report(inputs)
    source = picture_source(inputs)
    full = build_pictures(summary, source, inputs.settings)
    needed = sum(map(len, full.images.values()))
    reduced = build_pictures(summary, source, inputs.settings, budget=needed // 2)
    assert reduced.is_reduced
    assert sum(map(len, reduced.images.values())) < needed


def test_noise_in_many_large_groups_fits_the_budget() -> None:
    inputs = plain_hundred()
    settings = inputs.settings.model_copy(update={"thumbnail": 128, "examples_per_group": 24})
    summary = build_report(replace(inputs, settings=settings))
    noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    source = replace(
        picture_source(inputs),
        pixels=lambda image: np.roll(noise, image, axis=0),
        train_ids={g: list(range(24 * g, 24 * g + 24)) for g in range(60)},
    )
    pictures = build_pictures(summary, source, inputs.settings)
    assert pictures.is_reduced
    assert sum(map(len, pictures.images.values())) < PICTURE_BUDGET


def test_marks_of_an_axis_are_the_numbers_they_show() -> None:
    for low in (0.2, 0.5, 0.81, 0.91, 0.985):
        ticks = accuracy_scale([wilson(low, 642)]).ticks
        assert len(ticks) >= 3
        assert [float(percent(tick, 0).rstrip("%")) / 100 for tick in ticks] == pytest.approx(ticks)


def test_scales_cover_every_interval() -> None:
    scale = accuracy_scale([wilson(0.62, 642), wilson(0.985, 2255)])
    assert (scale.low, scale.high) == (0.5, 1.0)
    assert float(scale.at(1.0).rstrip("%")) <= 96
    change = change_scale([around(-0.2, 0.03, 9)])
    assert change.low <= -0.23
    assert change.high == 0.05
    assert 0.0 in change.ticks


def test_heat_is_symmetric_and_bounded() -> None:
    assert heat_percent(0.02, 0.04) == heat_percent(-0.02, 0.04) == 50
    assert heat_percent(1.0, 0.5) == 100
    assert heat_percent(float("nan"), 1.0) == heat_percent(1.0, 0.0) == 0


def test_every_point_of_a_figure_speaks_where_it_lies_and_as_text() -> None:
    attack = '"><script>alert(1)</script>'

    def draw(axes: Axes) -> list[Tip]:
        axes.plot([1, 2, 4], [0.1, 0.7, 0.4], color=INK)
        return [Tip(1, 0.1, "first"), Tip(2, 0.7, attack), Tip(4, 0.4, "last")]

    svg = draw_inline("figure", draw)
    assert svg == draw_inline("figure", draw)
    assert "<script" not in svg
    assert "&quot;&gt;&lt;script&gt;" in svg
    for leak in ("<style", "http", "<metadata", "#0400", "DejaVu", 'id="figure_'):
        assert leak not in svg
    marks = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="6" fill-opacity="0" data-tip=', svg)
    line = re.search(r'<path d="(M [^"]+)"[^>]*style="fill: none; stroke: var\(--ink\)', svg)
    assert line is not None
    drawn = re.findall(r"[ML] ([\d.]+) ([\d.]+)", line[1])
    assert len(drawn) == len(marks) == 3
    for mark, point in zip(marks, drawn, strict=True):
        assert list(map(float, mark)) == pytest.approx(list(map(float, point)), abs=0.1)
