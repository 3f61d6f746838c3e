"""The whole stage on a small trained problem: planted flips and a planted shortcut must be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.attribution.run import HARMFUL_LISTED, choose_targets, flip_enrichment, run_attribution
from pipeline.core.errors import InputError
from pipeline.core.results import (
    AttributeInfo,
    AttributionResult,
    DatasetInfo,
    GroupInfo,
    Provenance,
    SourceInfo,
)
from pipeline.core.settings import AttributeSettings
from pipeline.core.types import Split
from pipeline.models.networks import Classifier
from pipeline.models.predict import predict_logits, to_pixels

GROUPS = ["0 on dark", "0 on bright", "1 on dark", "1 on bright"]
CONFLICT = (1, 2)  # groups whose cue points the wrong way
SIZE = 6


def _split(name: str, n: int, *, seed: int, agree: float, flips: float = 0) -> Split:
    """Class: where the bright stripe is. Cue: the background's lightness, right for most of train."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    cue = np.where(rng.random(n) < agree, labels, 1 - labels)
    images = np.where(cue[:, None, None, None] == 1, 150, 90) + rng.normal(0, 25, (n, SIZE, SIZE, 3))
    images[labels == 0, 1, :, 0] += 75
    images[labels == 1, :, 1, 0] += 75
    flipped = rng.random(n) < flips
    given = np.where(flipped, 1 - labels, labels)
    return Split(
        name=name,
        images=np.clip(images, 0, 255).astype(np.uint8),
        labels=given,
        attributes=cue,
        groups=2 * given + cue,
        ids=np.arange(n) + (0 if name == "train" else 10_000),
        files=np.array([f"{name}/{i}" for i in range(n)]),
        label_flipped=flipped if name == "train" else None,
    )


def _trained(train: Split, seed: int) -> Classifier:
    torch.manual_seed(seed)
    convolution = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    stages = nn.Sequential(convolution, nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
    model = Classifier(stages, 8, 2, [0.45] * 3, [0.2] * 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    pixels, labels = to_pixels(train.images), torch.from_numpy(train.labels)
    for _ in range(12):
        for rows in torch.randperm(len(labels)).split(32):
            optimizer.zero_grad()
            functional.cross_entropy(model(pixels[rows]), labels[rows]).backward()
            optimizer.step()
    return model.eval()


def _info() -> DatasetInfo:
    groups = [GroupInfo(name=g, label=g[0], attribute=g[5:], n_train=0, n_val=0, n_test=0) for g in GROUPS]
    return DatasetInfo(
        provenance=Provenance(),
        name="planted",
        title="Planted",
        classes=["0", "1"],
        group_labels=["0", "1"],
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name="lightness", values=["dark", "bright"], origin="annotated")],
        groups=groups,
        n={},
        image_size=SIZE,
        has_masks=False,
        channel_mean=[0.5] * 3,
        channel_std=[0.2] * 3,
        source_info=SourceInfo(source="made in the test", licence="none"),
    )


def _run(train: Split, test: Split, models: list[Classifier], work_dir: Path, **changes) -> AttributionResult:
    values = {
        "proj_dim": 256, "projection": "auto", "precision": "auto", "loss_weighting": True,
        "store": "fp32", "targets_listed": 1000, "ridge": 0.01, "max_train": None, "targets_per_group": 25,
        "top_k": 4, "max_models": None, "batch_size": 64, "seed": 0,
    }  # fmt: skip
    rows = choose_targets(test, 25, seed=0)
    predicted = np.stack([predict_logits(m, test.images[rows]).argmax(1) for m in models])
    return run_attribution(
        method="erm",
        models=[[model] for model in models],
        train=train,
        test=test,
        target_rows=rows,
        predicted=predicted,
        worst_group=2,
        info=_info(),
        settings=AttributeSettings.model_construct(**{**values, **changes}),
        work_dir=work_dir,
        provenance=Provenance(params_hash="abc"),
        device="cpu",
    )


@pytest.fixture(scope="module")
def problem() -> tuple[Split, Split, list[Classifier]]:
    train = _split("train", 400, seed=0, agree=0.85, flips=0.06)
    return train, _split("test", 300, seed=1, agree=0.5), [_trained(train, seed) for seed in range(2)]


@pytest.fixture(scope="module")
def result(problem, tmp_path_factory: pytest.TempPathFactory) -> AttributionResult:
    return _run(*problem, tmp_path_factory.mktemp("attribution"))


def test_flipped_labels_are_enriched_among_the_harmful(problem, result: AttributionResult) -> None:
    assert result.flipped_share_overall == pytest.approx(problem[0].label_flipped.mean())
    assert result.flipped_share_in_harmful > 3 * result.flipped_share_overall


def test_shortcut_shows_in_the_group_matrix(result: AttributionResult) -> None:
    cells = {(c.train_group, c.test_group): c for c in result.groups}
    assert len(cells) == 16
    for conflict in CONFLICT:
        own = cells[GROUPS[conflict], GROUPS[conflict]]
        assert own.low > 0  # examples that break the shortcut help their kind
        for aligned in (0, 3):
            assert own.value > cells[GROUPS[aligned], GROUPS[conflict]].value
    # the shortcut's own examples pull images with their background to their class
    assert cells[GROUPS[0], GROUPS[2]].value < 0
    assert cells[GROUPS[3], GROUPS[1]].value < 0


def test_records_name_the_images_they_are_about(problem, result: AttributionResult) -> None:
    train, test, models = problem
    rows = choose_targets(test, 25, seed=0)
    assert [t.id for t in result.targets] == test.ids[rows].tolist()
    first = result.targets[0]
    votes = [int(predict_logits(m, test.images[rows[:1]]).argmax()) for m in models]
    assert first.predicted == votes[0]
    assert first.correct_share == np.mean([v == first.label for v in votes])
    for target in result.targets:
        helpful, harmful = [i.score for i in target.helpful], [i.score for i in target.harmful]
        assert helpful == sorted(helpful, reverse=True)
        assert harmful == sorted(harmful)
        assert min(helpful, default=1) > 0 > max(harmful, default=-1)
        assert len(helpful) <= 4
        assert all(train.groups[i.id] == i.group for i in target.helpful + target.harmful)
    worst = [i.score for i in result.most_harmful_to_worst]
    assert len(worst) == HARMFUL_LISTED
    assert worst == sorted(worst)
    assert worst[-1] < 0
    assert result.n_models == 2
    assert result.n_train == result.n_train_total == 400
    assert AttributionResult.model_validate_json(result.model_dump_json()) == result


def test_subset_of_training_images_and_models(problem, tmp_path: Path) -> None:
    result = _run(*problem, tmp_path, max_train=150, max_models=1)
    assert (result.n_models, result.n_train, result.n_train_total) == (1, 150, 400)
    assert result.targets[0].correct_share in (0, 0.5, 1)  # over all seeds that predicted


def test_unknown_flips_and_no_flips() -> None:
    effect = np.array([0.3, -0.2, 0.1, -0.5])
    assert flip_enrichment(effect, None) == (None, None)
    assert flip_enrichment(effect, np.zeros(4, bool)) == (None, 0)
    assert flip_enrichment(effect, np.array([False, True, True, False])) == (0.5, 0.5)


def test_impossible_inputs_are_refused(problem, tmp_path: Path) -> None:
    train, test, models = problem
    arguments = {
        "method": "erm", "models": models, "train": train, "test": test,
        "target_rows": np.arange(5), "predicted": np.zeros((2, 5), int), "worst_group": 0,
        "info": _info(), "settings": AttributeSettings.model_construct(), "work_dir": tmp_path,
        "provenance": Provenance(), "device": "cpu",
    }  # fmt: skip
    for change, message in [
        ({"models": []}, "at least one trained model"),
        ({"target_rows": np.zeros(0, int)}, "no test images to audit"),
        ({"predicted": np.zeros((2, 4), int)}, r"expected \(seeds, 5\)"),
        ({"info": _info().model_copy(update={"classes": ["0"]})}, "1 class; a margin needs two"),
    ]:
        with pytest.raises(InputError, match=message):
            run_attribution(**{**arguments, **change})
