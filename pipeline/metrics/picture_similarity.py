"""How surely two small images show the same picture, whatever was done to one of them.

Pictures of the same kind share their layout (a meadow under a sky, a bottle on white); only the same
picture shares its detail in every part. So a pair is first aligned by its layout, then the detail is
compared after evening out its local contrast: one strong edge that both have by their kind, such as
a horizon or the rim of a plate, then counts no more than any other stretch of the image.

Shape legend: n images, S side of the thumbnails, Y x X window, C channels (3 or 1).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array

SIDE = 32  # pixels; images are compared at this size
MIN_LAYOUT = 0.85  # correlation of luma at the best alignment; below it the layouts differ
PATTERNS = (
    180  # independent patterns of detail in a photograph at this size; pictures with fewer must agree more
)
MIN_PART, MIN_DETAIL_PART = 0.8, 0.45  # agreement of every tile, of colors and of detail
_HOPELESS = 0.78  # layouts that agree less without scaling do not reach MIN_LAYOUT with it
_WINDOW = 28
_CROPS = ((2, 28), (1, 30), (3, 26))  # margin and side of the part of one image that is sought in the other
_DETAIL_SIGMA, _CONTRAST_SIGMA = 1.5, 2.5  # pixels: what is finer is detail; area its contrast is measured in
_NOISE = 5.0  # of 255: detail weaker than this is not amplified, it may be what JPEG left


class Picture(NamedTuple):
    """A thumbnail as it is compared."""

    color_SS3: UInt8Array
    luma_SS: UInt8Array

    def mirrored(self) -> Picture:
        return Picture(
            np.ascontiguousarray(self.color_SS3[:, ::-1]), np.ascontiguousarray(self.luma_SS[:, ::-1])
        )


class _Alignment(NamedTuple):
    margin: int
    side: int
    y: int
    x: int


def to_thumbnails(images_nHW3: UInt8Array) -> UInt8Array:
    """n x SIDE x SIDE x 3; area averages where images shrink."""
    height, width = images_nHW3.shape[1:3]
    if (height, width) == (SIDE, SIDE):
        return np.asarray(images_nHW3)
    method = cv2.INTER_AREA if min(height, width) > SIDE else cv2.INTER_LINEAR
    resized = [cv2.resize(np.ascontiguousarray(i), (SIDE, SIDE), interpolation=method) for i in images_nHW3]
    return np.stack(resized).astype(np.uint8) if resized else np.zeros((0, SIDE, SIDE, 3), np.uint8)


def to_pictures(thumbnails_nSS3: UInt8Array) -> list[Picture]:
    """Thumbnails with their luma."""
    n = len(thumbnails_nSS3)
    if not n:
        return []
    strip = np.ascontiguousarray(thumbnails_nSS3).reshape(n * SIDE, SIDE, 3)
    luma_nSS = np.asarray(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY), np.uint8).reshape(n, SIDE, SIDE)
    return [Picture(color, luma) for color, luma in zip(thumbnails_nSS3, luma_nSS, strict=True)]


def similarity(template: Picture, other: Picture, *, min_similarity: float) -> float:
    """Agreement of the detail of two aligned pictures, 1 = the same; 0 where it is below `min_similarity`.

    1 - (1 - r) max(1, PATTERNS / p): r is the correlation of the two images' detail with the quarter
    of the image in which it is worst standing for all of it, and p is the number of independent
    patterns in the detail of the plainer image. Two blurred digits agree by r = 0.85 because they have
    little that could differ; two photographs of which one was re-encoded do in spite of everything
    that could. 0 as well where one of 4 x 4 tiles disagrees: a copy has no part of its own, two birds
    on one background do.
    """
    place = _align(template.luma_SS, other.luma_SS)
    if place is None:
        return 0.0
    part = _crop(template.color_SS3, place).astype(np.float32)
    window = other.color_SS3[place.y : place.y + _WINDOW, place.x : place.x + _WINDOW].astype(np.float32)
    if _worst_part(_centered(part), _centered(window), 4) < MIN_PART:
        return 0.0
    details = _detail(part), _detail(window)  # of luma: JPEG keeps chroma at half the size
    agreement = _worst_part(*details, 2)
    if agreement < min_similarity or _worst_part(*details, 4) < MIN_DETAIL_PART:
        return 0.0
    patterns = min(_n_patterns(detail) for detail in details)
    found = 1 - (1 - agreement) * max(1.0, PATTERNS / patterns)
    return found if found >= min_similarity else 0.0


def _align(template_SS: UInt8Array, other_SS: UInt8Array) -> _Alignment | None:
    """Where the template's layout lies in the other image, over small crops and shifts; None if nowhere."""
    best, found = MIN_LAYOUT, None
    for margin, side in _CROPS:
        part = _crop(template_SS, _Alignment(margin, side, 0, 0))
        scores = cv2.matchTemplate(other_SS, part, cv2.TM_CCOEFF_NORMED)
        place = int(scores.argmax())
        layout = float(scores.flat[place])
        if layout >= best:
            y, x = divmod(place, scores.shape[1])
            best, found = layout, _Alignment(margin, side, y, x)
        if layout < _HOPELESS:
            break
    return found


def _crop(image: UInt8Array, place: _Alignment) -> UInt8Array:
    """The part of the template that is sought, at the window's size."""
    end = place.margin + place.side
    part = np.ascontiguousarray(image[place.margin : end, place.margin : end])
    if place.side == _WINDOW:
        return part
    method = cv2.INTER_AREA if place.side > _WINDOW else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (_WINDOW, _WINDOW), interpolation=method), np.uint8)


def _detail(image_YX3: Float32Array) -> Float32Array:
    """Luma that is finer than a blur, divided by its local contrast, with mean 0; Y x X x 1."""
    border = cv2.BORDER_REFLECT
    luma_YX = cv2.cvtColor(image_YX3, cv2.COLOR_RGB2GRAY)
    fine_YX = luma_YX - cv2.GaussianBlur(luma_YX, (0, 0), _DETAIL_SIGMA, borderType=border)
    energy_YX = cv2.GaussianBlur(fine_YX * fine_YX, (0, 0), _CONTRAST_SIGMA, borderType=border)
    even_YX = np.asarray(fine_YX / (np.sqrt(energy_YX) + _NOISE), np.float32)
    return _centered(even_YX[..., None])


def _centered(image_YXC: Float32Array) -> Float32Array:
    return np.asarray(image_YXC - image_YXC.mean(axis=(0, 1)), np.float32)


def _worst_part(first_YXC: Float32Array, second_YXC: Float32Array, per_axis: int) -> float:
    """Correlation of centered images, as if all disagreed as much as the worst of per_axis^2 tiles."""
    lengths = [float(np.sqrt((values * values).sum())) for values in (first_YXC, second_YXC)]
    if min(lengths) < 1e-3:
        return 0.0
    squares_YX = ((first_YXC / lengths[0] - second_YXC / lengths[1]) ** 2).sum(axis=2)
    side = _WINDOW // per_axis
    worst = float(squares_YX.reshape(per_axis, side, per_axis, side).sum(axis=(1, 3)).max())
    return 1 - per_axis**2 * worst / 2


def _n_patterns(detail_YX1: Float32Array) -> float:
    """Participation ratio of the power spectrum: how many frequencies share the detail's energy."""
    power_YX = np.abs(np.fft.fft2(detail_YX1[..., 0])) ** 2
    return float(power_YX.sum()) ** 2 / max(float((power_YX**2).sum()), 1e-12)
