"""The whole stage on a small trained problem: planted flips and a planted shortcut must be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.attribution.proof.foretold import Retrained
from pipeline.attribution.proof.group_effects import extreme_count
from pipeline.attribution.run import LabelEvidence, flip_enrichment, run_attribution
from pipeline.attribution.selection import choose_targets
from pipeline.core.errors import InputError
from pipeline.core.types import Split
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import predict_logits, to_pixels
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Provenance
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupInfo, SourceInfo
from pipeline.records.retraining import RetrainResult, Training
from pipeline.settings.attribution import AttributeSettings, TrakerSettings
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.subsets import training_rows

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
    model = StagedClassifier(stages, 8, 2, [0.45] * 3, [0.2] * 3)
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


def _not_retrained(train: Split, n_targets: int) -> Retrained:
    record = RetrainResult(
        provenance=Provenance(), method="erm", asked=False, share=0.5, seed=0, n_train=len(train),
        reason="retrain.subsets is 0 and retrain.thin_keep is empty",
    )  # fmt: skip
    return Retrained(record, np.zeros((0, n_targets), np.float32), train.labels, train.groups)


def _retrained(train: Split, test: Split) -> Retrained:
    """Networks really trained on halves, on all images, and without one group."""
    trainings = [
        Training(kind="subset", index=i, repeat=r, seed=100 + 2 * i + r, n_images=0)
        for i in range(12)
        for r in range(2)
    ]
    trainings += [Training(kind="all", repeat=r, seed=200 + r, n_images=0) for r in range(3)]
    trainings += [
        Training(kind="thinned", group=g, kept=0.0, repeat=r, seed=300 + 10 * g + r, n_images=0)
        for g in range(4)
        for r in range(3)
    ]
    targets = test.take(choose_targets(test, 25, seed=0))
    margins = []
    for training in trainings:
        rows = training_rows(training, train.groups, share=0.5, seed=0)
        model = _trained(train.take(rows), training.seed)
        margins.append(label_log_odds(predict_logits(model, targets.images), targets.labels))
    record = RetrainResult(
        provenance=Provenance(), method="erm", asked=True, share=0.5, seed=0, n_train=len(train),
        trainings=trainings,
    )  # fmt: skip
    return Retrained(record, np.stack(margins).astype(np.float32), train.labels, train.groups)


def _run(
    train: Split,
    test: Split,
    models: list[Classifier],
    work_dir: Path,
    retrained: Retrained | None = None,
    label_evidence: LabelEvidence | None = None,
    **changes,
) -> AttributionResult:
    values = {
        "proj_dim": 256, "projection": "auto", "precision": "auto", "loss_weighting": 0.5,
        "estimator": "trak",
        "store": "fp32", "targets_listed": 1000, "ridge": 1.0, "max_train": None, "targets_per_group": 25,
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
        retrained=retrained or _not_retrained(train, len(rows)),
        label_evidence=label_evidence or LabelEvidence(None, "not trained by the loop", 1 - train.labels),
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


@pytest.mark.slow
def test_proof_by_retraining_and_why_it_is_missing(problem, tmp_path: Path) -> None:
    train, test, _ = problem
    found = _run(*problem, tmp_path, retrained=_retrained(train, test))
    lds, check = found.lds, found.group_check
    assert lds is not None
    assert (lds.n_subsets, lds.repeats, lds.n_targets) == (12, 2, len(found.targets))
    assert lds.low > 0
    assert lds.value > max(lds.random, lds.same_class) + 0.1
    assert lds.ceiling is not None
    assert check is not None
    assert len(check.changes) == 16
    assert check.correlation > 0.8
    gone = {(c.train_group, c.test_group): c for c in check.changes}
    for conflict in CONFLICT:
        own = gone[GROUPS[conflict], GROUPS[conflict]]
        assert own.predicted < 0 > own.high  # without its kind a group that breaks the shortcut is lost
    missing = _run(*problem, tmp_path / "without")
    assert missing.lds is missing.group_check is None
    assert "retrain.subsets" in str(missing.lds_reason)
    assert "retrain.thin_keep" in str(missing.group_check_reason)


def test_groups_among_the_extremes_and_suspicious_labels(problem, result: AttributionResult) -> None:
    shares = {share.group: share for share in result.shares}
    # the shortcut's side hurts the group that breaks it
    assert shares[GROUPS[0]].harmful.low > shares[GROUPS[0]].expected
    assert shares[GROUPS[2]].helpful.low > shares[GROUPS[2]].expected
    assert result.label_errors is not None
    assert result.label_errors.reason == "not trained by the loop"
    rankings = {ranking.name: ranking.average_precision for ranking in result.label_errors.rankings}
    assert rankings["attribution"] > 0.5


def test_both_lists_are_given_whether_a_group_was_learned_or_not(problem, tmp_path: Path) -> None:
    train = problem[0]
    learned_N = np.where(train.groups == 2, -1.0, 1.0)[None, :]
    for aum_SN, unlearned in ((learned_N, [GROUPS[2]]), (np.abs(learned_N), [])):
        evidence = LabelEvidence(aum_SN, None, 1 - train.labels)
        found = _run(*problem, tmp_path / str(len(unlearned)), label_evidence=evidence).label_errors
        assert found is not None
        assert [listed.ranking for listed in found.lists] == ["aum", "attribution"]
        assert [listed.unlearned_groups for listed in found.lists] == [unlearned, []]
        assert found.reason is None


def test_without_margins_a_ranking_with_a_sign_names_the_suspects(problem, tmp_path: Path) -> None:
    nothing_SN = np.full((2, len(problem[0])), np.nan)  # as after mixup
    evidence = LabelEvidence(nothing_SN, "labels were mixed", 1 - problem[0].labels)
    found = _run(*problem, tmp_path, label_evidence=evidence).label_errors
    assert found is not None
    assert [listed.ranking for listed in found.lists] == ["attribution"]
    assert found.reason == "labels were mixed"


@pytest.mark.parametrize("estimator", ["grad_cosine", "last_layer", "traker"])
def test_other_estimators_find_the_flips_too(problem, tmp_path: Path, estimator: str) -> None:
    chosen = TrakerSettings(lambda_reg=1e-3)
    result = _run(*problem, tmp_path, estimator=estimator, traker=chosen)
    assert result.estimator == estimator
    assert result.engine.startswith("traker 0.3" if estimator == "traker" else "shortcut-audit")
    assert result.in_margin_units == (estimator == "last_layer")
    assert result.flipped_share_in_harmful > 2 * result.flipped_share_overall


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
    assert len(worst) == result.shares[0].harmful.n == extreme_count(400), "complete: what shares count"
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
        "retrained": _not_retrained(train, 5), "label_evidence": LabelEvidence(None, None, train.labels),
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
