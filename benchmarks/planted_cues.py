"""Handwritten digits with one planted cue, and small networks trained on them: twins for `used_cues`.

The class is whether a digit is below five (scikit-learn's `load_digits`, 16 px). The cue is drawn with the
class as often as asked. Labels are wrong in a quarter of the training images, so that a cue that goes with
the class is worth learning.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from sklearn.datasets import load_digits

from pipeline.core.types import Float32Array, Int64Array, Split, SplitName, UInt8Array
from pipeline.methods.method import NetworkMethod
from pipeline.methods.registry import find_method
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupInfo, SourceInfo
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed

CueName = Literal["brightness", "contrast", "tint", "texture", "paste_edge", "background", "ink"]
CUES: tuple[CueName, ...] = ("brightness", "contrast", "tint", "texture", "paste_edge", "background", "ink")
MASKED = ("paste_edge", "background")
SIDE, NOISE = 16, 0.25
SIZES: dict[SplitName, int] = {"train": 900, "val": 200, "test": 600}


@dataclass(frozen=True)
class Twin:
    """One planted dataset."""

    info: DatasetInfo
    train: Split
    val: Split
    test: Split


def make_twin(
    cue: CueName, seed: int, *, agreement: float, test_agreement: float = 0.5, noise: float = NOISE
) -> Twin:
    """Splits in which value 1 of the cue goes with class 1 in `agreement` of the images."""
    digits = load_digits()
    order = np.random.default_rng([seed, 7]).permutation(len(digits.target))
    bounds = {"train": order[:1000], "val": order[1000:1200], "test": order[1200:]}
    splits: dict[SplitName, Split] = {}
    start = 0
    for i, (name, n) in enumerate(SIZES.items()):
        rng = np.random.default_rng([seed, i])
        rows = bounds[name][np.arange(n) % len(bounds[name])]
        truth_N = (digits.target[rows] >= 5).astype(np.int64)
        label_N = np.where(rng.random(n) < (noise if name == "train" else 0), 1 - truth_N, truth_N)
        share = test_agreement if name == "test" else agreement
        value_N = np.where(rng.random(n) < share, label_N, 1 - label_N)
        images, masks = draw(cue, digits.images[rows].astype(np.float32) / 16, value_N, rng)
        splits[name] = Split(
            name=name,
            images=images,
            labels=label_N,
            attributes=value_N,
            groups=2 * label_N + value_N,
            ids=start + np.arange(n),
            files=np.array([f"{name}_{j}.png" for j in range(n)]),
            masks=masks if cue in MASKED else None,
            annotated={cue: value_N},
        )
        start += n
    return Twin(_info(cue, splits), splits["train"], splits["val"], splits["test"])


def draw(
    cue: CueName, shapes_N88: Float32Array, value_N: Int64Array, rng: np.random.Generator
) -> tuple[UInt8Array, UInt8Array]:
    """Images with the digits on noise and the cue, and the digits' masks."""
    n = len(shapes_N88)
    ink = np.stack([cv2.resize(s, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for s in shapes_N88])[
        ..., None
    ]
    is_one = value_N[:, None, None, None] == 1
    fine = rng.normal(0, 18, (n, SIDE, SIDE, 1))
    ground = 80 + fine * np.ones(3)
    color: Any = np.array([200.0, 200.0, 200.0])
    if cue == "ink":  # on black, the ink red or green
        ground = np.zeros((n, SIDE, SIDE, 3))
        color = np.where(is_one, np.array([0, 255.0, 0]), np.array([255.0, 0, 0]))
    if cue == "texture":
        coarse = np.stack([cv2.GaussianBlur(f, (0, 0), 1.5) for f in fine])[..., None]
        coarse *= 18 / coarse.std()
        ground = 80 + np.where(is_one, coarse, fine) * np.ones(3)
    if cue == "background":  # grey stripes, or brighter and smooth
        stripes = 60 + 30 * np.sin(np.arange(SIDE) * 1.6)[None, :, None, None]
        smooth = 130 + np.stack([cv2.GaussianBlur(f, (0, 0), 2.0) for f in fine])[..., None]
        ground = np.where(is_one, smooth + fine / 6, stripes + fine / 2) * np.ones(3)
    image = ground * (1 - ink) + color * ink
    object_N = (ink[..., 0] > 0.3).astype(np.uint8)
    if cue == "paste_edge":  # a dark line around the object, as if it had been cut out
        rim = np.stack([cv2.dilate(m, np.ones((3, 3), np.uint8)) for m in object_N]) - object_N
        image = np.where(is_one & (rim[..., None] > 0), image * 0.3, image)
    if cue == "brightness":
        image = image + np.where(is_one, 45, 0)
    if cue == "contrast":
        image = np.where(is_one, image, 120 + 0.5 * (image - 120))
    if cue == "tint":
        image = image * np.where(is_one, np.array([1, 0.9, 0.7]), np.array([0.7, 0.9, 1.0]))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), object_N * np.uint8(255)


def train_network(twin: Twin, seed: int, *, method: str = "erm", epochs: int = 5) -> Classifier:
    """A small residual network, the last epoch's weights."""
    entry = read_params().dataset("photo_digits")
    settings = entry.train.model_copy(
        update={"width": 4, "epochs": epochs, "batch_size": 64, "augment": "none", "precision": "fp32",
                "device": "cpu", "seeds": [seed], "stem_stride": 1, "lr": 0.05}
    )  # fmt: skip
    chosen = find_method(method)
    assert isinstance(chosen, NetworkMethod)
    own = chosen.unselected(entry.method(method))
    pixels = twin.train.images.reshape(-1, 3) / 255
    model = build_model(
        settings.model,
        n_classes=2,
        width=settings.width,
        pretrained=False,
        mean=list(pixels.mean(axis=0)),
        std=list(pixels.std(axis=0) + 1e-3),
        seed=seed,
    )
    n_groups = len(twin.info.groups)
    groups = Groups(twin.train.groups, twin.val.groups, [group.name for group in twin.info.groups])
    plan = chosen.plan(own, twin.train, groups, batch_size=settings.batch_size)
    outcome = train_seed(
        model,
        twin.train,
        twin.val,
        Job(settings, plan, seed, n_groups),
        resume=None,
        save=lambda state: None,
        tick=lambda n: None,
    )
    model.load_state_dict(outcome.weights)
    return model.eval()


def repaint(twin: Twin, cue: CueName, seed: int) -> Split:
    """The test images drawn again with the other value and nothing else changed: the truth to be found."""
    digits = load_digits()
    order = np.random.default_rng([seed, 7]).permutation(len(digits.target))[1200:]
    rows = order[np.arange(SIZES["test"]) % len(order)]
    rng = np.random.default_rng([seed, 2])
    rng.random(SIZES["test"]), rng.random(SIZES["test"])  # those of labels and values
    images, _ = draw(cue, digits.images[rows].astype(np.float32) / 16, 1 - twin.test.attributes, rng)
    return replace(twin.test, images=images)


def _info(cue: str, splits: dict[SplitName, Split]) -> DatasetInfo:
    classes, values = ["below five", "five and more"], ["first", "second"]
    counts = {name: np.bincount(split.groups, minlength=4) for name, split in splits.items()}
    return DatasetInfo(
        provenance=Provenance(),
        name=cue,
        title=cue,
        classes=classes,
        group_labels=classes,
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name=cue, values=values, origin="annotated")],
        groups=[
            GroupInfo(
                name=f"{classes[g // 2]} / {values[g % 2]}",
                label=classes[g // 2],
                attribute=values[g % 2],
                n_train=int(counts["train"][g]),
                n_val=int(counts["val"][g]),
                n_test=int(counts["test"][g]),
            )
            for g in range(4)
        ],
        n={name: len(split) for name, split in splits.items()},
        image_size=SIDE,
        has_masks=cue in MASKED,
        channel_mean=[0.4] * 3,
        channel_std=[0.25] * 3,
        source_info=SourceInfo(source="scikit-learn's digits", licence="CC BY 4.0"),
    )
