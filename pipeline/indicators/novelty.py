"""Does the model notice images that are nothing like its training images?

Shape legend: S networks, N training images, R images of the sample, D features, H W height and width.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.types import Float64Array, Int64Array, UInt8Array
from pipeline.indicators.answers import embeddings, need_networks
from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.others import unpacked_notes
from pipeline.indicators.subject import Subject
from pipeline.models.predict import predict_logits
from pipeline.statistics.generalization.novelty import (
    auroc,
    energy_scores,
    mahalanobis_scores,
    neighbor_scores,
    softmax_scores,
)
from pipeline.statistics.sampling import draw

MOST_TRAIN = 2000  # training images that distances are taken to
_SCORES = {
    "mahalanobis": "distance of features",
    "softmax": "unsure answer",
    "neighbors": "nearest neighbors",
    "energy": "energy of outputs",
}
_KINDS = {"noise": "noise", "shuffled": "shuffled pixels", "swapped": "swapped color channels"}


def per_model(subject: Subject) -> ByModel:
    """AUROC of four scores for each kind of novel images against test images of the sample."""
    need_networks(subject)
    if len(subject.sample) < 2:
        raise UnmeasuredError("No test images are looked at (`indicators.images_per_group` is 0).")
    rng = np.random.default_rng(subject.settings.seed)
    rows = np.sort(rng.permutation(len(subject.train))[:MOST_TRAIN])
    known = subject.packed_others.items()
    others = {name: other.test_images for name, other in known if len(other.test_images)}
    novel = _novel_images(subject.test.images[subject.sample], others, rng)
    per_network = [_of_network(subject, s, rows, novel) for s in range(len(subject.few_models))]
    parts = {part: [found[part] for found in per_network] for part in per_network[0]}
    kinds = _KINDS | {name: f"images of '{name}'" for name in others}
    titles = {f"{score}_{k}": f"{of}, {kind}" for score, of in _SCORES.items() for k, kind in kinds.items()}
    note = (
        "AUROC: the chance that a novel image scores as more novel than a test image, 50% for a score "
        "that sees no difference. Noise and shuffled pixels are far from all training images, swapped "
        "color channels nearer; classes held out, nearer still, are another dataset's "
        "(`indicators.other_datasets`)."
    )
    return ByModel(parts, titles=titles, notes=(note, *unpacked_notes(subject.others)))


def _novel_images(
    known_RHW3: UInt8Array, others: Mapping[str, UInt8Array], rng: np.random.Generator
) -> dict[str, UInt8Array]:
    n, height, width = known_RHW3.shape[:3]
    pixels_RP3 = known_RHW3.reshape(n, height * width, 3)
    order_RP1 = np.argsort(rng.random((n, height * width, 1)), axis=1)
    return {
        "noise": rng.integers(0, 256, known_RHW3.shape, dtype=np.uint8),
        **{name: images[draw(len(images), n, seed=n)] for name, images in others.items()},
        "shuffled": np.take_along_axis(pixels_RP3, order_RP1, axis=1).reshape(known_RHW3.shape),
        "swapped": np.ascontiguousarray(known_RHW3[..., [2, 0, 1]]),
    }


def _of_network(
    subject: Subject, s: int, train_rows: Int64Array, novel: Mapping[str, UInt8Array]
) -> dict[str, float]:
    images_MHW3 = np.concatenate(list(novel.values()))
    known_RD = embeddings(subject, s, "test")[subject.sample]
    model, n = subject.models[s], len(known_RD)
    features_MD = np.concatenate([known_RD, subject.embed_images(s, images_MHW3)])
    logits_MK = np.concatenate(
        [subject.logits("test")[s, subject.sample], predict_logits(model, images_MHW3)]
    )
    train_ND = embeddings(subject, s, "train")[train_rows]
    scores: dict[str, Float64Array] = {
        "mahalanobis": mahalanobis_scores(train_ND, subject.train.labels[train_rows], features_MD),
        "softmax": softmax_scores(logits_MK),
        "neighbors": neighbor_scores(train_ND, features_MD),
        "energy": energy_scores(logits_MK),
    }
    ends = n + np.cumsum([len(images) for images in novel.values()])
    return {
        f"{score}_{kind}": auroc(score_M[:n], score_M[end - len(novel[kind]) : end])
        for score, score_M in scores.items()
        for kind, end in zip(novel, ends, strict=True)
    }


INDICATOR = ModelIndicator(
    name="novelty",
    words=Words(
        title="notices novel images",
        sees=(
            "Whether images unlike the training images can be told by the model's features or by its "
            "answers: the chance that a novel image looks more novel than a test image."
        ),
        unit="share",
        better="higher",
        source="Lee et al. 2018; Sun et al. 2022; Hendrycks and Gimpel 2017; Liu et al. 2020",
    ),
    per_model=per_model,
    least=0.0,
    most=1.0,
)
