"""Our indicators of generalization beside the libraries that define their numbers: difference and time.

Run: `python -m benchmarks.indicators` (two minutes). Calibration, novelty and attacks look at one small
network that is trained on digits with a planted cue; corruptions at photographs of 224 pixels.

The libraries are for comparison alone, and one of them replaces our OpenCV: give them an environment of their
own, with this project in it, then

    pip install --no-deps torchmetrics lightning-utilities relplot pytorch-ood torchattacks \\
        imagecorruptions-imaug numba llvmlite scikit-image lazy-loader imageio tifffile seaborn

A section whose library is missing says so and is left out.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from benchmarks.planted_cues import make_twin, train_network
from pipeline.core.types import Float32Array, Float64Array, Int64Array, UInt8Array
from pipeline.models.embed import embed_split
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits, to_pixels
from pipeline.pixels.corruptions.corrupt import NAMES, corrupt

SEED, RADIUS, STEPS = 0, 8 / 255, 10
EXACT = (
    "defocus_blur",
    "zoom_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
)  # nothing is drawn


class Row(NamedTuple):
    """One number, by us and by a library."""

    name: str
    ours: float
    theirs: float
    seconds: tuple[float, float]
    note: str = ""


@dataclass(frozen=True)
class Answers:
    """A trained network and what it says of the images."""

    model: Classifier
    images_NHW3: UInt8Array
    labels_N: Int64Array
    logits_NK: Float32Array
    novel_logits_MK: Float32Array
    train_labels_N: Int64Array
    features: tuple[Float32Array, Float32Array, Float32Array]  # training, known, novel

    @property
    def probabilities(self) -> Float64Array:
        """N x K."""
        return torch.from_numpy(self.logits_NK.astype(np.float64)).softmax(1).numpy()

    @property
    def confidence(self) -> Float64Array:
        """Of the one seed, 1 x N."""
        return self.probabilities.max(1)[None]

    @property
    def right(self) -> Float64Array:
        """1 or 0, 1 x N."""
        return (self.logits_NK.argmax(1) == self.labels_N)[None].astype(np.float64)


def train() -> Answers:
    """Novel images are digits on another ground."""
    learned, other = make_twin("tint", SEED, agreement=0.8), make_twin("background", SEED, agreement=0.8)
    model = train_network(learned, SEED)
    return Answers(
        model,
        learned.test.images,
        learned.test.labels,
        predict_logits(model, learned.test.images),
        predict_logits(model, other.test.images),
        learned.train.labels,
        tuple(embed_split(model, split) for split in (learned.train, learned.test, other.test)),
    )


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The answer and the seconds of the best of three; the first call loads what it needs."""
    found, best = call(), float("inf")
    for _ in range(3):
        started = time.perf_counter()
        found = call()
        best = min(best, time.perf_counter() - started)
    return found, best


def beside(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], note: str = "") -> Row:
    (own, own_seconds), (other, other_seconds) = timed(ours), timed(theirs)
    return Row(name, float(own), float(other), (own_seconds, other_seconds), note)


def calibration(answers: Answers, torchmetrics: Any) -> Iterator[Row]:
    from pipeline.statistics.generalization.calibration import ece_plain, negative_log_likelihoods

    confidence_SN, right_SN = answers.confidence, answers.right
    probabilities, labels = torch.from_numpy(answers.probabilities), torch.from_numpy(answers.labels_N)
    log_SNK = np.log(answers.probabilities)[None]
    yield beside(
        "ECE, 10 bins",
        lambda: ece_plain(confidence_SN, right_SN, 10)[0],
        lambda: torchmetrics.multiclass_calibration_error(
            probabilities, labels, probabilities.shape[1], n_bins=10
        ),
        "ours: bins of equally many images; torchmetrics: bins of equal width",
    )
    yield beside(
        "negative log likelihood",
        lambda: negative_log_likelihoods(log_SNK, answers.labels_N).mean(),
        lambda: torch.nn.functional.cross_entropy(torch.from_numpy(answers.logits_NK).double(), labels),
        "torch",
    )


def smooth_calibration(answers: Answers, relplot: Any) -> Iterator[Row]:
    from pipeline.statistics.generalization.calibration import smooth_ece

    confidence_SN, right_SN = answers.confidence, answers.right
    yield beside(
        "smooth ECE",
        lambda: smooth_ece(confidence_SN, right_SN)[0],
        lambda: relplot.smECE(confidence_SN[0], right_SN[0]),
    )


def novelty(answers: Answers, detector: Any) -> Iterator[Row]:
    from pipeline.statistics.generalization.novelty import (
        auroc,
        energy_scores,
        mahalanobis_scores,
        neighbor_scores,
        softmax_scores,
    )

    train_ND, *both = answers.features
    logits = (answers.logits_NK, answers.novel_logits_MK)
    labels = torch.from_numpy(answers.train_labels_N)

    def ours(score: Callable[[Any], Float64Array], parts: Any) -> float:
        return auroc(*(score(part) for part in parts))

    def theirs(score: Callable[[torch.Tensor], torch.Tensor], parts: Any) -> float:
        return auroc(*(score(torch.from_numpy(part)).numpy().astype(np.float64) for part in parts))

    def fitted(kind: Any) -> Any:
        return kind(None).fit_features(torch.from_numpy(train_ND), labels)

    yield beside(
        "Mahalanobis, AUROC",
        lambda: ours(partial(mahalanobis_scores, train_ND, answers.train_labels_N), both),
        lambda: theirs(fitted(detector.Mahalanobis).predict_features, both),
        "ours: covariance shrunk (Ledoit-Wolf)",
    )
    yield beside(
        "50th neighbor, AUROC",
        lambda: ours(partial(neighbor_scores, train_ND), both),
        lambda: theirs(fitted(detector.KNN).predict_features, both),
    )
    for name, own, other in (
        ("energy, AUROC", energy_scores, detector.EnergyBased),
        ("largest probability, AUROC", softmax_scores, detector.MaxSoftmax),
    ):
        yield beside(name, partial(ours, own, logits), partial(theirs, other(None).predict_logits, logits))


def attacks(answers: Answers, torchattacks: Any) -> Iterator[Row]:
    from pipeline.indicators.attacks.linf import Budget, attack, fgsm

    model, labels = answers.model, torch.from_numpy(answers.labels_N)
    pixels = to_pixels(answers.images_NHW3)
    right_N = torch.from_numpy(answers.right[0] == 1)
    settings = {"eps": RADIUS, "alpha": 2.5 * RADIUS / STEPS, "steps": STEPS}

    def accuracy(attacked_NCHW: torch.Tensor) -> float:
        with torch.no_grad():
            return float((model(attacked_NCHW).argmax(1) == labels).double().mean())

    own, _ = fgsm(model, pixels, labels, RADIUS)
    apart = float((own - torchattacks.FGSM(model, RADIUS)(pixels, labels)).abs().max())
    yield beside(
        "accuracy under FGSM",
        lambda: accuracy(fgsm(model, pixels, labels, RADIUS)[0]),
        lambda: accuracy(torchattacks.FGSM(model, RADIUS)(pixels, labels)),
        f"pixels differ by {apart:.1g} at most",
    )
    torch.manual_seed(SEED)
    found = Budget(RADIUS, STEPS, 1, SEED)
    yield beside(
        "accuracy under PGD",
        lambda: (right_N & ~attack(model, pixels, labels, found).flips_N).double().mean(),
        lambda: accuracy(torchattacks.PGD(model, **settings)(pixels, labels)),
        "ours: the strongest of FGSM, PGD from it and from a random start, any step; the library: one start",
    )


def corruptions(_: Answers, imagecorruptions: Any) -> Iterator[Row]:
    images = photographs(8)
    ids = np.arange(len(images))
    for name in NAMES:
        own: list[UInt8Array] = []
        other: list[UInt8Array] = []
        seconds = [0.0, 0.0]
        np.random.seed(SEED)  # noqa: NPY002  # the library draws from it
        corrupt(images, name, 1, seed=SEED, ids_N=ids)
        imagecorruptions.corrupt(images[0], 1, name)
        for severity in (1, 3, 5):
            started = time.perf_counter()
            own.append(corrupt(images, name, severity, seed=SEED, ids_N=ids))
            middle = time.perf_counter()
            other.append(np.stack([imagecorruptions.corrupt(image, severity, name) for image in images]))
            seconds[0] += middle - started
            seconds[1] += time.perf_counter() - middle
        changes = [float(np.abs(np.array(x, float) - images).mean()) for x in (own, other)]
        apart = np.abs(np.array(own, float) - np.array(other, float)).max()
        note = f"pixels differ by {apart:.0f} levels at most" if name in EXACT else ""
        if name == "elastic_transform":
            note = "ours: as published for ImageNet-C; the library changed it"
        if name == "frost":
            note = "ours: drawn ice; the library: photographs, one more than published"
        yield Row(f"{name}, mean change", *changes, (seconds[0] / 3, seconds[1] / 3), note)


def photographs(n: int, side: int = 224) -> UInt8Array:
    """Crops of scikit-learn's two photographs."""
    from sklearn.datasets import load_sample_images

    photos, rng = load_sample_images().images, np.random.default_rng(SEED)
    places = [(photos[i % 2], rng.integers(0, 127), rng.integers(0, 340)) for i in range(n)]
    crops = [photo[y : y + 300, x : x + 300] for photo, y, x in places]
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_AREA) for c in crops]).astype(
        np.uint8
    )


SECTIONS: dict[str, Callable[[Answers, Any], Iterator[Row]]] = {
    "torchmetrics.functional.classification": calibration,
    "relplot": smooth_calibration,
    "pytorch_ood.detector": novelty,
    "torchattacks": attacks,
    "imagecorruptions": corruptions,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="libraries whose name holds this")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    answers = train()
    print(f"{'':34} {'ours':>10} {'library':>10} {'apart':>9} {'ms':>8} {'ms lib.':>8}")
    for library, section in SECTIONS.items():
        if only not in library:
            continue
        try:
            module = importlib.import_module(library)
        except ImportError as error:
            print(f"{library}: left out, {error}")
            continue
        print(library)
        for row in section(answers, module):
            own, other = (1000 * s for s in row.seconds)
            print(
                f"  {row.name:32} {row.ours:10.5f} {row.theirs:10.5f} {abs(row.ours - row.theirs):9.1e} "
                f"{own:8.1f} {other:8.1f}  {row.note}"
            )


if __name__ == "__main__":
    main()
