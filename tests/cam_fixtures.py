"""Images whose label a colored patch gives away, or does not, and networks trained on them in seconds."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from pipeline.core.results import AttributeInfo, DatasetInfo, GroupInfo, Provenance, SourceInfo
from pipeline.core.settings import GradcamSettings
from pipeline.core.types import Split
from pipeline.explain.gradcam_run import GradcamRun, run_gradcam
from pipeline.metrics.sampling import choose_by_group
from pipeline.models.networks import Classifier, build_model
from pipeline.models.predict import predict_logits, to_pixels

SIDE, PATCH = 32, 4
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
SETTINGS = GradcamSettings(
    layer="auto",
    min_cells=8,
    images_per_group=20,
    faithfulness_images=40,
    faithfulness_steps=8,
    sanity_images=20,
    overlays=3,
    thumbnail=64,
    max_models=None,
    batch_size=64,
    seed=0,
)


def make_split(n: int, seed: int, rho: float, shift: float = 0) -> Split:
    """Noise with a colored 4 x 4 patch somewhere; its color follows the label with probability rho.

    Four colors: of two, a network may read one and call all else the other. The label also moves
    the whole image's lightness by steps of `shift`: something else to learn.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    attributes = np.where(rng.random(n) < rho, labels, rng.integers(0, 4, n))
    images = rng.normal(128, 30, (n, SIDE, SIDE, 3)) + shift * labels[:, None, None, None]
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for i, (y, x) in enumerate(rng.integers(0, SIDE - PATCH + 1, (n, 2))):
        images[i, y : y + PATCH, x : x + PATCH] = COLORS[attributes[i]]
        masks[i, y : y + PATCH, x : x + PATCH] = 255
    return Split(
        name="test",
        images=np.clip(images, 0, 255).astype(np.uint8),
        labels=labels,
        attributes=attributes,
        groups=4 * labels + attributes,
        ids=np.arange(500, 500 + n),
        files=np.array([f"{i}.png" for i in range(n)]),
        masks=masks,
    )


def make_info() -> DatasetInfo:
    names = ["red", "green", "blue", "white"]
    return DatasetInfo(
        provenance=Provenance(),
        name="patches",
        title="Patches",
        classes=names,
        group_labels=names,
        class_to_group_label=[0, 1, 2, 3],
        attributes=[AttributeInfo(name="patch", values=names, origin="annotated")],
        groups=[
            GroupInfo(name=f"{y} with {a}", label=y, attribute=a, n_train=1, n_val=1, n_test=1)
            for y in names
            for a in names
        ],
        n={"train": 1, "val": 1, "test": 1},
        image_size=SIDE,
        has_masks=True,
        channel_mean=[0.5] * 3,
        channel_std=[0.25] * 3,
        source_info=SourceInfo(source="made here", licence="none"),
    )


def train(split: Split, seed: int, epochs: int = 4) -> Classifier:
    model = build_model(
        "small_resnet", n_classes=4, width=4, pretrained=False, mean=[0.5] * 3, std=[0.25] * 3, seed=seed
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2)
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(split.labels)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(split)), len(split) // 64):
            loss = nn.functional.cross_entropy(model(to_pixels(split.images[rows])), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return model.eval()


def gradcam(
    models: list[Classifier], test: Split, settings: GradcamSettings = SETTINGS, worst: int = 1, best: int = 5
) -> GradcamRun:
    rows = choose_by_group(test.groups, settings.images_per_group, settings.seed)
    predicted = np.stack([predict_logits(m, test.images[rows]).argmax(axis=1) for m in models])
    return run_gradcam(
        method="erm",
        models=models,
        test=test,
        rows=rows,
        predicted_SN=predicted,
        worst_group=worst,
        best_group=best,
        info=make_info(),
        settings=settings,
        provenance=Provenance(),
    )
