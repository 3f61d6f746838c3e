"""Indicators that read predictions and features: planted answers, nulls, refusals, networks left as found."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import Tensor, nn

from pipeline.core.types import Split, UInt8Array
from pipeline.indicators import (
    brier,
    calibration,
    drift,
    nll,
    novelty,
    overconfidence,
    probe,
    selective,
    temperature,
)
from pipeline.indicators.indicator import ImageIndicator, ModelIndicator, UnmeasuredError
from pipeline.indicators.others import OtherDataset
from pipeline.indicators.subject import Subject
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.settings.indicators import IndicatorsSettings
from pipeline.statistics.generalization.resampled import estimate_statistic
from pipeline.statistics.sampling import choose_by_group
from tests.fixtures.train import make_split

FROM_ANSWERS = [calibration.INDICATOR, overconfidence.INDICATOR, selective.INDICATOR]
OF_IMAGES = [*FROM_ANSWERS, brier.INDICATOR, nll.INDICATOR]
OF_MODELS = [temperature.INDICATOR, novelty.INDICATOR, drift.INDICATOR, probe.INDICATOR]


class Means(Classifier):
    """Features are the mean colors of the image's halves and their noise; the head is linear in them."""

    def __init__(self, seed: int, scale: float = 1.0) -> None:
        super().__init__([0.5] * 3, [0.25] * 3)
        torch.manual_seed(seed)
        self.n_classes = 2
        self.norm = nn.BatchNorm1d(8, affine=False)
        self.head = nn.Linear(8, 2)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight[0, :3], self.head.weight[1, 3:6] = scale, scale  # the brighter half

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        values_NCHW = (pixels_NCHW - self.mean) / self.std
        halves = [half.mean(dim=(2, 3)) for half in values_NCHW.chunk(2, dim=3)]
        spread = values_NCHW.diff(dim=3).abs().mean(dim=(2, 3))[:, :2]
        features: Tensor = self.norm(torch.cat([*halves, spread], dim=1))
        return features


def _settings(**changes: object) -> IndicatorsSettings:
    values = {
        "images_per_group": 30, "max_models": 2, "attack_radius": 0.03, "attack_steps": 1,
        "attack_restarts": 1,
        "severities": [], "sharpness_images": 0, "sharpness_radius": 0.5, "permutations": 99, "seed": 0,
    }  # fmt: skip
    return IndicatorsSettings.model_validate(values | changes)


@cache
def _splits() -> tuple[Split, Split, Split]:
    train = make_split(400, strength=0.8)
    return train, make_split(300, name="val", strength=0.5), make_split(400, name="test", strength=0.8)


def make_subject(scale: float = 20.0, **changes: object) -> Subject:
    train, val, test = _splits()
    models: list[Classifier] = [Means(seed, scale).eval() for seed in range(2)]
    log_SNK = log_softmax([predict_logits(model, test.images) for model in models], axis=2)
    subject = Subject(
        train, val, test, seeds=[0, 1], models=models, predicted_SN=log_SNK.argmax(axis=2),
        confidence_SN=np.exp(log_SNK.max(axis=2).astype(np.float64)), settings=_settings(), n_classes=2,
    )  # fmt: skip
    return replace(subject, **changes)  # type: ignore[arg-type]


def _of_answers(confidence: float, accuracy: float) -> Subject:
    """Only predictions are known, of one seed, of 400 images."""
    labels_N = _splits()[2].labels
    predicted_1N = np.where(np.arange(400) < 400 * accuracy, labels_N, 1 - labels_N)[None]
    return make_subject(models=[], predicted_SN=predicted_1N, confidence_SN=np.full((1, 400), confidence))


def _value(indicator: ImageIndicator, subject: Subject) -> float:
    found = estimate_statistic(
        indicator.per_image(subject).values_SRC,
        indicator.statistic,
        least=indicator.least,
        most=indicator.most,
        seed=0,
        n_resamples=20,
    )
    assert found is not None
    assert indicator.least <= found.low <= found.value <= found.high <= indicator.most
    return found.value


@pytest.mark.parametrize(
    ("indicator", "expected"),
    [
        (calibration.INDICATOR, 0.2),
        (overconfidence.INDICATOR, 0.2),
        (selective.INDICATOR, 0.3),
        (brier.INDICATOR, 2 * (0.7 * 0.1**2 + 0.3 * 0.9**2)),
    ],
)
def test_planted_answers_are_read_from_predictions_alone(indicator: ImageIndicator, expected: float) -> None:
    assert _value(indicator, _of_answers(confidence=0.9, accuracy=0.7)) == pytest.approx(expected, abs=1e-3)


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    subject = _of_answers(confidence=0.7, accuracy=0.7)
    assert _value(calibration.INDICATOR, subject) == 0
    assert _value(overconfidence.INDICATOR, subject) == pytest.approx(0)
    floor = calibration.INDICATOR.per_image(subject).notes[0]
    assert "would show 0.0" in floor
    assert "400 images" in floor


@pytest.mark.parametrize("indicator", OF_IMAGES, ids=lambda indicator: indicator.name)
def test_image_indicators_have_a_number_of_every_image(indicator: ImageIndicator) -> None:
    values_SRC = indicator.per_image(make_subject()).values_SRC
    assert values_SRC.shape[:2] == (2, 400)
    assert np.isfinite(values_SRC).all()
    assert indicator.images == "all"
    assert (values_SRC.shape[2] == 1) == (indicator.statistic is None)


def test_brier_of_the_network_is_that_of_its_two_class_answers() -> None:
    subject = make_subject()
    alone = replace(subject, models=[])
    both = [brier.INDICATOR.per_image(of).values_SRC for of in (subject, alone)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def _other(images: UInt8Array) -> OtherDataset:
    labels = np.zeros(len(images), np.int64)
    return OtherDataset(images, labels, images, labels)


def _with_wrong_labels(split: Split) -> Split:
    wrong_N = np.random.default_rng(0).random(len(split)) < 0.2
    return replace(split, labels=np.where(wrong_N, 1 - split.labels, split.labels))


def test_temperature_mends_a_model_that_is_too_sure_and_no_other() -> None:
    splits = {split.name: _with_wrong_labels(split) for split in _splits()[1:]}
    sure = temperature.INDICATOR.per_model(make_subject(scale=60.0, **splits)).parts
    half = temperature.INDICATOR.per_model(make_subject(scale=30.0, **splits)).parts
    assert next(iter(sure)) == "temperature"
    assert np.array(sure["temperature"]) / half["temperature"] == pytest.approx([2, 2], rel=0.15)
    assert min(half["temperature"]) > 1
    for of, least in (("nll", 0.5), ("ece", 0.05)):
        assert np.all(np.array(sure[f"{of}_after"]) + least < sure[f"{of}_before"])
    assert max(np.abs(sure["ece_after"])) < 0.05


def test_novelty_tells_far_images_and_not_the_same_ones() -> None:
    test = _splits()[2]
    bright = np.full((60, 16, 16, 3), 250, np.uint8)
    # others of the same groups, as many of each
    same = test.images[choose_by_group(test.groups, 30, seed=9)]
    others = {name: _other(images) for name, images in (("bright", bright), ("same", same))}
    found = novelty.INDICATOR.per_model(make_subject(others={**others, "empty": _other(same[:0])}))
    assert not any("empty" in part for part in found.parts), "no test image, nothing to notice"
    assert next(iter(found.parts)) == "mahalanobis_noise"
    assert all(len(values) == 2 for values in found.parts.values())
    assert set(found.titles) == set(found.parts)
    for part in ("mahalanobis_noise", "mahalanobis_bright", "neighbors_bright"):
        assert min(found.parts[part]) > 0.95
    for score in ("mahalanobis", "neighbors", "softmax", "energy"):
        assert found.parts[f"{score}_same"] == pytest.approx([0.5, 0.5], abs=0.13)


def test_drift_of_shares_is_in_all_images_and_not_within_groups() -> None:
    train, test = make_split(500, strength=0.75), make_split(500, name="test", strength=0.25)
    found = drift.INDICATOR.per_model(make_subject(train=train, test=test))
    groups = [part for part in found.parts if part.startswith("mmd_group_")]
    assert len(groups) == 4
    assert np.mean(found.parts["mmd"]) > 3 * found.thresholds["mmd"]
    assert all(np.mean(found.parts[part]) < 2 * found.thresholds[part] for part in groups)
    assert set(found.thresholds) == set(found.parts) == set(found.titles)


def test_drift_within_a_group_is_found_and_named() -> None:
    test = _splits()[2]
    images = test.images.copy()
    images[test.groups == 0] = images[test.groups == 0] // 2
    subject = make_subject(test=replace(test, images=images), group_names=["left/red", "b", "c", "d"])
    found = drift.INDICATOR.per_model(subject)
    assert np.mean(found.parts["mmd_group_0"]) > 5 * found.thresholds["mmd_group_0"]
    assert np.mean(found.parts["mmd_group_3"]) < 2 * found.thresholds["mmd_group_3"]
    assert found.titles["mmd_group_0"] == "features (MMD), within 'left/red'"


@pytest.mark.parametrize("attribute_is_there", [True, False])
def test_probe_reads_the_attribute_only_where_features_hold_it(attribute_is_there: bool) -> None:
    # the attribute goes with the class in four of five images
    def embed(model: Classifier, split: Split) -> np.ndarray:
        rng = np.random.default_rng(len(split.name))
        noise_ND = rng.normal(size=(len(split), 6))
        noise_ND[:, 0] += 4 * split.labels
        noise_ND[:, 1] += 4 * split.attributes * attribute_is_there
        return noise_ND.astype(np.float32)

    found = probe.INDICATOR.per_model(make_subject(embed=embed)).parts
    assert min(found["classes"]) > 0.95
    assert min(found["few_shot"]) > 0.9
    assert found["attribute_chance"] == [0.5, 0.5]
    if attribute_is_there:
        assert min(found["attribute"]) > 0.93
    else:
        assert found["attribute"] == pytest.approx([0.5, 0.5], abs=0.06), "the class is no attribute"


def test_probe_says_where_there_is_no_attribute_to_read() -> None:
    train, _, test = _splits()
    same = [replace(split, attributes=np.zeros_like(split.attributes)) for split in (train, test)]
    found = probe.INDICATOR.per_model(make_subject(train=same[0], test=same[1]))
    assert list(found.parts) == ["classes", "few_shot"]
    assert "cannot be read" in found.notes[0]


def test_a_probe_reads_another_datasets_classes_only_where_features_hold_them() -> None:
    train, _, test = _splits()  # the classes of this network's kind: a brighter half
    halves = OtherDataset(train.images, train.labels, test.images, test.labels)
    labels = [np.random.default_rng(i).integers(2, size=len(s)) for i, s in enumerate((train, test))]
    chance = OtherDataset(train.images, labels[0], test.images, labels[1])
    found = probe.INDICATOR.per_model(make_subject(others={"halves": halves, "chance": chance, "gone": None}))
    assert min(found.parts["classes_of_halves"]) > 0.9
    assert found.parts["classes_of_chance"] == pytest.approx([0.5, 0.5], abs=0.08)
    assert "of 'halves' (largest class: 5" in found.titles["classes_of_halves"]
    assert "classes_of_gone" not in found.parts
    assert "'gone' was not packed" in found.notes[-1]


@pytest.mark.parametrize("indicator", [*OF_MODELS, nll.INDICATOR], ids=lambda indicator: indicator.name)
def test_networks_and_random_state_are_left_as_they_were(indicator: ImageIndicator | ModelIndicator) -> None:
    subject = make_subject()
    subject.models[0].head.weight.requires_grad_(False)
    before = [copy.deepcopy(model.state_dict()) for model in subject.models]
    random, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    if isinstance(indicator, ModelIndicator):
        indicator.per_model(subject)
    else:
        indicator.per_image(subject)
    for model, state in zip(subject.models, before, strict=True):
        assert not model.training
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not subject.models[0].head.weight.requires_grad
    assert subject.models[1].head.weight.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert (np.random.get_state()[1] == legacy).all()  # noqa: NPY002


@pytest.mark.parametrize("indicator", OF_MODELS, ids=lambda indicator: indicator.name)
def test_numbers_of_models_are_repeatable_and_finite(indicator: ModelIndicator) -> None:
    first, second = (indicator.per_model(make_subject()) for _ in range(2))
    assert first.parts == second.parts
    assert first.thresholds == second.thresholds
    assert all(np.isfinite(values).all() and len(values) == 2 for values in first.parts.values())


@pytest.mark.parametrize("indicator", OF_MODELS, ids=lambda indicator: indicator.name)
def test_without_networks_nothing_is_said(indicator: ModelIndicator) -> None:
    with pytest.raises(UnmeasuredError, match="takes the network"):
        indicator.per_model(make_subject(models=[]))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UnmeasuredError, match="no probabilities"):
        calibration.INDICATOR.per_image(make_subject(models=[], confidence_SN=None))
    with pytest.raises(UnmeasuredError, match="takes the network"):
        nll.INDICATOR.per_image(make_subject(models=[]))
    with pytest.raises(UnmeasuredError, match="takes the network"):
        brier.INDICATOR.per_image(make_subject(models=[], n_classes=3))
    with pytest.raises(UnmeasuredError, match="trained this model"):
        temperature.INDICATOR.per_model(make_subject(trained_on_val=True))
    with pytest.raises(UnmeasuredError, match="images_per_group"):
        novelty.INDICATOR.per_model(make_subject(settings=_settings(images_per_group=0)))
    train = _splits()[0]
    with pytest.raises(UnmeasuredError, match="both need 50"):
        drift.INDICATOR.per_model(make_subject(train=train.take(np.arange(20))))
