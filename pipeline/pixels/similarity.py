"""How surely two small images show the same picture, whatever was done to one of them.

Pictures of the same kind share their layout (a meadow under a sky, a bottle on white); only the same
picture shares its detail in every part. So a pair is aligned first, over small shifts, crops and
rotations, then the detail is compared after evening out its local contrast: one strong edge that both
have by their kind, such as a horizon or the rim of a plate, then counts no more than any other stretch
of the image. The finest detail is left out: noise and re-encoding change it.

Shape legend: n images, S side of the thumbnails, C channels (3 or 1), T tiles of an axis.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float32Array, UInt8Array

SIDE = 32  # pixels; images are compared at this size
PATTERNS = 80  # independent patterns of detail in a photograph; pictures with fewer must agree more
MIN_DETAIL_PART = 0.5  # agreement of detail in every tile
MIDDLE = slice(6, 26)  # rows that no caption hides
MIN_ROUGH = 0.92  # correlation of rough detail at the best shift; below it no small map makes them alike
MAX_APART = 13.0  # of 255: how far colors may differ in the spot where they differ most
MAX_APART_OF_SPREAD = 0.26  # and in standard deviations of the plainer picture
_START_REACH = 2  # pixels of that shift
_ROUGH_SIGMAS, _ROUGH_CONTRAST_SIGMA = (1.5, 4.0), 5.0  # pixels
_SPOT_SIGMA = 1.5  # pixels
_DARK, _BRIGHT, _LEAST_OF_FIT = (
    8,
    247,
    60,
)  # colors between these two give brightness and contrast; least pixels
_TILES, _LEAST_OF_TILE = 4, 20  # tiles of an axis; pixels below which a tile is not judged
_DETAIL_SIGMAS, _CONTRAST_SIGMA = (0.8, 2.0), 3.0  # pixels: between the first two is detail
_NOISE = 3.0  # of 255: detail weaker than this is not amplified, it may be what JPEG left
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-3)
_ALIGN_BLUR = 3  # pixels of the filter under which images are aligned
_LEAST_SCALE, _MOST_SCALE = 0.86, 1.16  # of an axis
_MOST_STRETCH, _MOST_TURN, _MOST_SHIFT = 0.08, 0.09, 5.0  # between axes; radians; pixels of the middle
_BAR, _EDGE = 6, 3  # rows that a caption may hide at the top or the bottom; of these, rows that show it
_BAR_EVEN, _BAR_SPREAD = 0.5, 10.0  # share of a row of a bar that is its ground, how far the ground spreads
_BAR_CONTRAST = 20.0  # between the outermost rows of a picture with and one without


class Picture(NamedTuple):
    """A thumbnail as it is compared."""

    color_SS3: UInt8Array
    luma_SS: Float32Array
    rough_YS: Float32Array  # of the middle rows, length 1: what small maps and captions hardly change

    def mirrored(self) -> Picture:
        return Picture(
            np.ascontiguousarray(self.color_SS3[:, ::-1]),
            np.ascontiguousarray(self.luma_SS[:, ::-1]),
            np.ascontiguousarray(self.rough_YS[:, ::-1]),
        )


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
    luma_nSS = np.asarray(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY), np.float32).reshape(n, SIDE, SIDE)
    return [Picture(color, luma, _rough(luma)) for color, luma in zip(thumbnails_nSS3, luma_nSS, strict=True)]


def similarity(template: Picture, other: Picture, *, min_similarity: float) -> float:
    """Agreement of the detail of two aligned pictures, 1 = the same; 0 where it is below `min_similarity`.

    1 - (1 - r) max(1, PATTERNS / p): r is the correlation of the two images' detail with the quarter
    that agrees least standing for all, p the number of independent patterns in the detail. A picture with
    little detail, such as a blurred digit, must agree more closely than a photograph. One tile that
    disagrees in color or detail makes it 0. Rows that a caption hides in one of the two are left out.
    """
    start_23 = _shift(template.rough_YS, other.rough_YS)
    if start_23 is None:
        return 0.0
    found = _compare(template, other, start_23, 0, SIDE, min_similarity)
    for edge, top, bottom in ((slice(-_EDGE, None), 0, SIDE - _BAR), (slice(_EDGE), _BAR, SIDE)):
        if not found and _has_bar(template.luma_SS[edge], other.luma_SS[edge]):
            found = _compare(template, other, start_23, top, bottom, min_similarity)
    return found


def _compare(
    template: Picture, other: Picture, start_23: Float32Array, top: int, bottom: int, min_similarity: float
) -> float:
    """`similarity` of the rows from `top` to `bottom`."""
    rows_SS = np.zeros((SIDE, SIDE), np.uint8)
    rows_SS[top:bottom] = 1
    warp_23 = _align(template.luma_SS, other.luma_SS, rows_SS, start_23)
    if warp_23 is None:
        return 0.0
    # Resampling blurs: only the picture that is the sharper one can be laid over the other without a loss.
    found = _agreement(template, other, warp_23, rows_SS, min_similarity)
    if not found:
        back_23 = np.asarray(cv2.invertAffineTransform(warp_23), np.float32)
        found = _agreement(other, template, back_23, rows_SS, min_similarity)
    return found


def _agreement(
    template: Picture, other: Picture, warp_23: Float32Array, rows_SS: UInt8Array, min_similarity: float
) -> float:
    """`similarity` where `warp_23` lays the template over the other image."""
    moved_SS3, seen_SS = _move(template.color_SS3, warp_23, rows_SS)
    if seen_SS.sum() < _LEAST_OF_FIT:
        return 0.0
    still_SS3 = other.color_SS3.astype(np.float32)
    spread = min(float(v[seen_SS].std(axis=0).mean()) for v in (moved_SS3, still_SS3))
    if _apart(moved_SS3, still_SS3, seen_SS) > min(MAX_APART, MAX_APART_OF_SPREAD * spread):
        return 0.0
    details = _detail(moved_SS3), _detail(still_SS3)  # of luma: JPEG keeps chroma at half the size
    tiles = sorted(_tile_agreement(*details, seen_SS))
    worst = float(np.mean(tiles[: max(len(tiles) // 4, 1)]))
    if worst < min_similarity or tiles[0] < MIN_DETAIL_PART:
        return 0.0
    patterns = min(_n_patterns(detail * seen_SS[..., None]) for detail in details)
    found = 1 - (1 - worst) * max(1.0, PATTERNS / max(patterns, 1.0))
    return found if found >= min_similarity else 0.0


def _has_bar(first_YS: Float32Array, second_YS: Float32Array) -> bool:
    """Whether one of two pictures' outermost rows have an even ground, as captions have, the other lacks."""
    if np.abs(first_YS - second_YS).mean() < _BAR_CONTRAST:
        return False
    rows = np.concatenate([first_YS, second_YS])
    is_ground = np.abs(rows - np.median(rows, axis=1, keepdims=True)) <= _BAR_SPREAD
    return bool(is_ground.mean(axis=1).max() >= _BAR_EVEN)


def _shift(template_YS: Float32Array, other_YS: Float32Array) -> Float32Array | None:
    """The shift under which rough detail agrees best, as a map to start from; None if it agrees nowhere."""
    reach = _START_REACH
    part = np.ascontiguousarray(template_YS[reach:-reach, reach:-reach])
    scores = cv2.matchTemplate(other_YS, part, cv2.TM_CCOEFF_NORMED)
    place = int(scores.argmax())
    if scores.flat[place] < MIN_ROUGH:
        return None
    y, x = divmod(place, scores.shape[1])
    return np.array([[1, 0, reach - x], [0, 1, reach - y]], np.float32)


def _align(
    template_SS: Float32Array, other_SS: Float32Array, rows_SS: UInt8Array, start_23: Float32Array
) -> Float32Array | None:
    """The small affine map that lays the template over the other image; None if there is none.

    Source: Evangelidis and Psarakis 2008, IEEE PAMI 30:1858 (ECC).
    """
    try:
        _, warp = cv2.findTransformECC(
            other_SS, template_SS, start_23.copy(), cv2.MOTION_AFFINE, _STEPS, rows_SS, _ALIGN_BLUR
        )
    except cv2.error:  # it did not converge: no map makes them alike
        return None
    linear, middle = warp[:, :2].astype(np.float64), np.full(2, (SIDE - 1) / 2)
    scales = np.linalg.norm(linear, axis=0)
    turn, shear = linear[1, 0] / scales[0], linear[:, 0] @ linear[:, 1] / scales.prod()
    shift = np.abs(linear @ middle + warp[:, 2] - middle).max()
    is_small = (
        scales.min() >= _LEAST_SCALE
        and scales.max() <= _MOST_SCALE
        and abs(scales[0] / scales[1] - 1) <= _MOST_STRETCH
        and max(abs(turn), abs(shear)) <= _MOST_TURN
        and shift <= _MOST_SHIFT
    )
    return np.asarray(warp, np.float32) if is_small else None


def _move(
    color_SS3: UInt8Array, warp_23: Float32Array, rows_SS: UInt8Array
) -> tuple[Float32Array, BoolArray]:
    """The image as the map lays it, and which pixels lie well inside both images."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (SIDE, SIDE)
    moved_SS3 = cv2.warpAffine(
        color_SS3.astype(np.float32), warp_23, size, flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    inside_SS = cv2.warpAffine(rows_SS.astype(np.float32), warp_23, size, flags=flags) > 0.99
    both_SS = (inside_SS & (rows_SS > 0)).astype(np.uint8)
    seen_SS = cv2.erode(both_SS, np.ones((3, 3)), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    return np.asarray(moved_SS3, np.float32), np.asarray(seen_SS)


def _apart(first_SS3: Float32Array, second_SS3: Float32Array, seen_SS: BoolArray) -> float:
    """How far the colors differ in the spot where they differ most, of 255.

    Brightness and contrast are evened out first, by one gain for the image and one offset per channel. The
    brighter image is the one predicted, so that what it lost to white is lost in both.
    """
    extremes = np.minimum(first_SS3, second_SS3).min(axis=2), np.maximum(first_SS3, second_SS3).max(axis=2)
    kept_SS = seen_SS & (extremes[0] > _DARK) & (extremes[1] < _BRIGHT)
    if kept_SS.sum() < _LEAST_OF_FIT:
        kept_SS = seen_SS
    means = first_SS3[kept_SS].mean(axis=0), second_SS3[kept_SS].mean(axis=0)
    spreads = first_SS3[kept_SS].std(axis=0), second_SS3[kept_SS].std(axis=0)
    gain = float(np.linalg.norm(spreads[1]) / max(float(np.linalg.norm(spreads[0])), 1e-3))
    if gain > 1:
        apart_SS3 = np.clip((first_SS3 - means[0]) * gain + means[1], 0, 255) - second_SS3
    else:
        apart_SS3 = np.clip((second_SS3 - means[1]) / max(gain, 1e-3) + means[0], 0, 255) - first_SS3
    luma_SS1 = apart_SS3.mean(axis=2, keepdims=True)
    parts = _blurred_where(luma_SS1, seen_SS, 1.0), _blurred_where(apart_SS3 - luma_SS1, seen_SS, 2.0)
    spot_SS = _blurred_where(sum((v**2).mean(axis=2) for v in parts), seen_SS, _SPOT_SIGMA)
    return float(np.sqrt(spot_SS[seen_SS].max()))


def _blurred_where(image: Float32Array, seen_SS: BoolArray, sigma: float) -> Float32Array:
    """Blurred from the pixels seen alone."""
    seen = seen_SS.astype(np.float32)
    weight_SS = np.maximum(_blurred(seen, sigma), 0.3)
    shape = (SIDE, SIDE, 1) if image.ndim == 3 else (SIDE, SIDE)
    blurred = _blurred(np.asarray(image * seen.reshape(shape), np.float32), sigma)
    return np.asarray(blurred.reshape(image.shape) / weight_SS.reshape(shape), np.float32)


def _detail(image_SS3: Float32Array) -> Float32Array:
    """Luma between two blurs, divided by its local contrast; S x S x 1."""
    luma_SS = np.asarray(cv2.cvtColor(image_SS3, cv2.COLOR_RGB2GRAY), np.float32)
    return _even_band(luma_SS, _DETAIL_SIGMAS, _CONTRAST_SIGMA)[..., None]


def _rough(luma_SS: Float32Array) -> Float32Array:
    """Rough detail of the middle rows, with mean 0 and length 1."""
    band_YS = _even_band(luma_SS[MIDDLE], _ROUGH_SIGMAS, _ROUGH_CONTRAST_SIGMA)
    centered_YS = band_YS - band_YS.mean()
    return np.asarray(centered_YS / max(float(np.linalg.norm(centered_YS)), 1e-6), np.float32)


def _even_band(luma_SS: Float32Array, sigmas: tuple[float, float], contrast_sigma: float) -> Float32Array:
    """What lies between two blurs, divided by its contrast around each pixel."""
    fine, coarse = (_blurred(luma_SS, sigma) for sigma in sigmas)
    band_SS = fine - coarse
    contrast_SS = np.sqrt(_blurred(band_SS * band_SS, contrast_sigma))
    return np.asarray(band_SS / (contrast_SS + _NOISE), np.float32)


def _blurred(image: Float32Array, sigma: float) -> Float32Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def _tile_agreement(first_SSC: Float32Array, second_SSC: Float32Array, seen_SS: BoolArray) -> list[float]:
    """The correlation that the images would have if all of them agreed as each tile does."""
    first, second = (v - v[seen_SS].mean(axis=0) for v in (first_SSC, second_SSC))
    lengths = [float(np.sqrt((v[seen_SS] ** 2).sum(axis=1).mean())) for v in (first, second)]
    if min(lengths) < 1e-3:
        return [0.0]
    apart_SS = ((first / lengths[0] - second / lengths[1]) ** 2).sum(axis=2) * seen_SS
    side = SIDE // _TILES
    apart_TT, n_TT = (
        v.reshape(_TILES, side, _TILES, side).sum(axis=(1, 3)) for v in (apart_SS, seen_SS.astype(np.float32))
    )
    judged = n_TT >= _LEAST_OF_TILE
    return [float(v) for v in 1 - apart_TT[judged] / n_TT[judged] / 2] or [0.0]


def _n_patterns(detail_SS1: Float32Array) -> float:
    """Participation ratio of the power spectrum: how many frequencies share the detail's energy."""
    power_SS = np.abs(np.fft.fft2(detail_SS1[..., 0])) ** 2
    return float(power_SS.sum()) ** 2 / max(float((power_SS**2).sum()), 1e-12)
