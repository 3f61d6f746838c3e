"""Linear probes: what can be read off the features that the model has learned?

Shape legend: N images, D features, K classes.
"""

from __future__ import annotations

import warnings

import numpy as np

from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.indicators.answers import embeddings, need_networks
from pipeline.indicators.indicator import ByModel, ModelIndicator, Words
from pipeline.indicators.others import OtherDataset, unpacked_notes
from pipeline.indicators.subject import Subject
from pipeline.statistics.sampling import choose_by_group

FEW = 16  # images of a class
MOST_TRAIN = 4000
_TITLES = {
    "classes": "class, of test images",
    "attribute": "group attribute, within classes",
    "attribute_chance": "group attribute, by chance",
    "few_shot": f"class, from {FEW} images of each",
}


def per_model(subject: Subject) -> ByModel:
    """Logistic regressions on frozen features, fitted on training images and read on test images."""
    need_networks(subject)
    per_network = [_of_network(subject, s) for s in range(len(subject.few_models))]
    parts = {part: [found[part] for found in per_network] for part in per_network[0]}
    notes = [
        "The attribute is read with every class and value counting alike, so that what is known of the "
        "class says nothing of the attribute."
    ]
    if "attribute" not in parts:
        notes = ["Images of one value of the attribute only, in training or in test: it cannot be read."]
    titles = _TITLES | {
        _part(name): _other_title(name, other) for name, other in subject.packed_others.items()
    }
    notes += unpacked_notes(subject.others)
    return ByModel(parts, titles={part: titles[part] for part in parts}, notes=tuple(notes))


def _part(other: str) -> str:
    return f"classes_of_{other}"


def _other_title(name: str, other: OtherDataset) -> str:
    """With what a probe reaches that has learned nothing but which class has most images."""
    largest = np.bincount(other.test_labels).max(initial=0) / max(len(other.test_labels), 1)
    return f"class, of images of '{name}' (largest class: {largest:.0%})"


def _of_network(subject: Subject, s: int) -> dict[str, float]:
    seed, train, test = subject.settings.seed, subject.train, subject.test
    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:MOST_TRAIN])
    few = choose_by_group(train.labels, FEW, seed)
    all_ND, test_ND = embeddings(subject, s, "train"), embeddings(subject, s, "test")
    named_N = fit_and_read(all_ND[rows], train.labels[rows], test_ND)
    found = {"classes": float((named_N == test.labels).mean())}
    values = np.intersect1d(train.attributes[rows], test.attributes)
    if len(values) > 1:
        cells_N = train.labels[rows] * (int(train.attributes.max()) + 1) + train.attributes[rows]
        read_N = fit_and_read(all_ND[rows], train.attributes[rows], test_ND, balanced_over_N=cells_N)
        found["attribute"] = accuracy_within_classes(read_N, test.attributes, test.labels)
        found["attribute_chance"] = 1 / len(np.unique(train.attributes[rows]))
    from_few_N = fit_and_read(all_ND[few], train.labels[few], test_ND)
    found["few_shot"] = float((from_few_N == test.labels).mean())
    return found | {
        _part(name): _of_other(subject, s, other) for name, other in subject.packed_others.items()
    }


def _of_other(subject: Subject, s: int, other: OtherDataset) -> float:
    """Share of another dataset's test images whose class a probe reads that its training images fitted."""
    train_ND, test_ND = (
        subject.embed_images(s, images) for images in (other.train_images, other.test_images)
    )
    return float((fit_and_read(train_ND, other.train_labels, test_ND) == other.test_labels).mean())


def fit_and_read(
    train_ND: Float32Array,
    targets_N: Int64Array,
    test_ND: Float32Array,
    balanced_over_N: Int64Array | None = None,
) -> Int64Array:
    """What a logistic regression on standardized features names for the test images.

    Args:
        balanced_over_N: cells of training images that all have the same weight.
    """
    from sklearn.exceptions import ConvergenceWarning  # late: it takes a second to load
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets_N)) == 1:
        return np.full(len(test_ND), targets_N[0])
    mean_D, sd_D = train_ND.mean(axis=0, dtype=np.float64), train_ND.std(axis=0, dtype=np.float64)
    sd_D[sd_D < 1e-9] = 1.0
    weights_N = None if balanced_over_N is None else _balanced(balanced_over_N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # features that separate classes never converge
        probe = LogisticRegression(max_iter=100).fit((train_ND - mean_D) / sd_D, targets_N, weights_N)
    named_N: Int64Array = probe.predict((test_ND - mean_D) / sd_D).astype(np.int64)
    return named_N


def _balanced(cells_N: Int64Array) -> Float64Array:
    _, codes_N, counts = np.unique(cells_N, return_inverse=True, return_counts=True)
    weights_N: Float64Array = len(cells_N) / len(counts) / counts[codes_N]
    return weights_N


def accuracy_within_classes(read_N: Int64Array, values_N: Int64Array, labels_N: Int64Array) -> float:
    """Share of values that are read right: mean over values within a class, then over classes with several.

    >>> labels_N, values_N = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 1])
    >>> accuracy_within_classes(labels_N, values_N, labels_N)  # the class in place of the value
    0.5
    """
    per_class = []
    for label in np.unique(labels_N):
        right = [
            float((read_N[(labels_N == label) & (values_N == value)] == value).mean())
            for value in np.unique(values_N[labels_N == label])
        ]
        if len(right) > 1:
            per_class.append(float(np.mean(right)))
    return float(np.mean(per_class)) if per_class else float("nan")


INDICATOR = ModelIndicator(
    name="probe",
    words=Words(
        title="what features hold",
        sees=(
            "What a linear classifier reads off the model's features: the class, and the attribute that "
            "forms the groups. An attribute that is read well is there to be used; whether it is used is "
            "another question."
        ),
        unit="share",
        better="neither",
        source="Alain and Bengio 2017",
    ),
    per_model=per_model,
    least=0.0,
    most=1.0,
)
