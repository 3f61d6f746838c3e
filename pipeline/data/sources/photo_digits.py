"""The embedded demo: handwritten digits on crops of two photographs.

Built deterministically from what scikit-learn ships (`load_digits`, `load_sample_images`), so it
needs no download. The class (digits 0-4 against 5-9) is what a model should learn; the photograph
behind the digit is the shortcut: in training it agrees with the class for a planted share of the
images, in validation and test it is independent of it. No source digit and no region of a photo
is shared between splits, so neither can be memorised. Known answers for later stages: the
foreground mask of every image and the training labels that were flipped on purpose.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

from pipeline.core.types import Float32Array, Int64Array, SplitName, UInt8Array
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.sources import PhotoDigitsSource

SIDE = 32
DIGIT_SIDE = 24
DIM = 0.6  # photos are darkened to this share, so that a white stroke shows on a white sky too
BLOCK = 53  # photos are 427 x 640: 8 x 12 blocks, each wholly in one split
CLASSES = ["digits 0-4", "digits 5-9"]
PHOTOS = ["temple", "flower"]  # china.jpg and flower.jpg
SPLIT_SHARES: dict[SplitName, float] = {"train": 0.6, "val": 0.15, "test": 0.25}
STREAM: dict[SplitName, int] = {"train": 1, "val": 2, "test": 3}


class PhotoDigits:
    """Loader of the demo; every call with the same settings yields the same pixels."""

    def __init__(self, source: PhotoDigitsSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        digits = load_digits()
        photos = [np.asarray(photo, np.uint8) for photo in load_sample_images().images]
        digit_rows = _partition(len(digits.target), self.source.seed, 0)
        blocks = [_partition_blocks(photo, self.source.seed, 1 + i) for i, photo in enumerate(photos)]
        sizes: dict[SplitName, int] = {
            "train": self.source.n_train,
            "val": self.source.n_val,
            "test": self.source.n_test,
        }
        rows: list[RawRow] = []
        for split, n in sizes.items():
            rows += self._rows(split, n, digits, digit_rows[split], photos, [b[split] for b in blocks])
        return RawDataset(
            title="Digits on photographs (embedded demo)",
            source="built from scikit-learn's load_digits and load_sample_images",
            licence="digits: UCI, CC BY 4.0; photographs: CC BY 2.0 (see scikit-learn's documentation)",
            citation="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository",
            rows=rows,
            classes=CLASSES,
            attribute_values={"photo": PHOTOS},
            attribute_descriptions={"photo": "the photograph behind the digit"},
            notes=[
                f"Planted shortcut: in training the photograph agrees with the class in "
                f"{self.source.strength:.0%} of the images; in validation and test it is independent of it.",
                f"{self.source.label_noise:.0%} of the training labels are flipped on purpose and recorded.",
            ],
            knows_label_flips=True,
        )

    def _rows(
        self,
        split: SplitName,
        n: int,
        digits: object,
        digit_rows: Int64Array,
        photos: list[UInt8Array],
        corners: list[Int64Array],
    ) -> list[RawRow]:
        rng = np.random.default_rng([self.source.seed, STREAM[split], 99])
        label_N = np.arange(n) % 2  # both classes equally often
        photo_N = self._choose_photos(split, label_N, rng)
        flipped_N = np.zeros(n, bool)
        if split == "train":
            # the digit is drawn from the other class, so label noise is as frequent in every group
            flipped_N[rng.choice(n, size=round(self.source.label_noise * n), replace=False)] = True
        target = np.asarray(digits.target)  # type: ignore[attr-defined]
        pool = [digit_rows[(target[digit_rows] >= 5) == bool(k)] for k in (0, 1)]
        images = np.asarray(digits.images, np.float32) / 16  # type: ignore[attr-defined]
        rows = []
        for i in range(n):
            source_row = int(rng.choice(pool[label_N[i] ^ flipped_N[i]]))
            background = _crop(photos[photo_N[i]], corners[photo_N[i]], rng)
            image, mask = _draw(images[source_row], background, self.source.contrast, rng)
            rows.append(
                RawRow(
                    name=f"{split}_{i:05d}_digit{target[source_row]}_{PHOTOS[photo_N[i]]}.png",
                    image=image,
                    label=CLASSES[label_N[i]],
                    split=split,
                    attributes={"photo": PHOTOS[photo_N[i]]},
                    mask=mask,
                    label_flipped=bool(flipped_N[i]),
                )
            )
        return rows

    def _choose_photos(self, split: SplitName, label_N: Int64Array, rng: np.random.Generator) -> Int64Array:
        """Photo per image: agrees with the class at the planted strength in train, balanced elsewhere."""
        if split != "train":
            photo: Int64Array = (np.arange(len(label_N)) // 2) % 2
            return photo
        conflicts_N = np.zeros(len(label_N), bool)
        for k in (0, 1):  # the same share of each class, so the shortcut is symmetric
            members = np.flatnonzero(label_N == k)
            n_conflicts = round((1 - self.source.strength) * len(members))
            conflicts_N[rng.choice(members, size=n_conflicts, replace=False)] = True
        chosen: Int64Array = np.where(conflicts_N, 1 - label_N, label_N)
        return chosen


def _partition(n: int, seed: int, stream: int) -> dict[SplitName, Int64Array]:
    """Disjoint random parts of 0..n-1, one per split."""
    order = np.random.default_rng([seed, stream]).permutation(n).astype(np.int64)
    cuts = np.cumsum([round(share * n) for share in list(SPLIT_SHARES.values())[:-1]])
    return dict(zip(SPLIT_SHARES, np.split(order, cuts), strict=True))


def _partition_blocks(photo: UInt8Array, seed: int, stream: int) -> dict[SplitName, Int64Array]:
    """Upper-left corners of the photo's blocks, disjoint between splits."""
    ys, xs = photo.shape[0] // BLOCK, photo.shape[1] // BLOCK
    corners = np.stack(np.meshgrid(np.arange(ys), np.arange(xs), indexing="ij"), -1).reshape(-1, 2) * BLOCK
    return {split: corners[rows] for split, rows in _partition(len(corners), seed, stream).items()}


def _crop(photo: UInt8Array, corners: Int64Array, rng: np.random.Generator) -> UInt8Array:
    """A random 32 x 32 window inside one of the given blocks."""
    y, x = corners[rng.integers(len(corners))] + rng.integers(0, BLOCK - SIDE + 1, size=2)
    return photo[y : y + SIDE, x : x + SIDE]


def _draw(
    digit: Float32Array, background: UInt8Array, contrast: float, rng: np.random.Generator
) -> tuple[UInt8Array, Float32Array]:
    """The digit, enlarged, as a translucent white stroke at a random place; image and opacity."""
    strokes = cv2.resize(digit, (DIGIT_SIDE, DIGIT_SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    opacity = np.zeros((SIDE, SIDE), np.float32)
    y, x = rng.integers(0, SIDE - DIGIT_SIDE + 1, size=2)
    opacity[y : y + DIGIT_SIDE, x : x + DIGIT_SIDE] = strokes
    alpha = contrast * opacity[..., None]
    image = (1 - alpha) * DIM * background + alpha * 255
    return image.round().astype(np.uint8), alpha[..., 0]
