"""What `attribute` and `gradcam` both load: a method's models, data and test predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import data_folders, evaluation_dir, model_dir
from pipeline.artifacts.predictions import load_predictions
from pipeline.core.errors import CannotExplainError
from pipeline.core.types import Int64Array, Split
from pipeline.models.interface import Classifier
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.training import TrainHistory


@dataclass(frozen=True)
class Trained:
    """One method's trained models with what they predicted on the test split (S seeds, N images)."""

    info: DatasetInfo
    test: Split
    seeds: list[int]
    models: list[Classifier]
    predicted_SN: Int64Array
    evaluation: EvaluationResult
    history: TrainHistory

    @property
    def worst_group(self) -> int:
        return self.evaluation.test.worst_group.index

    @property
    def best_group(self) -> int:
        """The group with the highest test accuracy, of those with enough images if there are any."""
        present = [group for group in self.evaluation.test.groups if group.n]
        enough = [group for group in present if group.sufficient]
        return max(enough or present, key=lambda group: group.value).index


def load_trained(dataset: str, method: str, device: torch.device) -> Trained:
    """A method's models on `device`, in evaluation mode, and what `evaluate` found of them.

    Raises:
        CannotExplainError: there are none, only their predictions.
    """
    data = data_folders(dataset)
    info, test = load_info(data), load_split(data, "test")
    seeds, predicted_SN = load_predictions(evaluation_dir(dataset, method) / "predictions.parquet", test)
    history = load_current(model_dir(dataset, method) / "history.json", TrainHistory, info.digest)
    if history.is_table:
        raise CannotExplainError(
            f"{method} is a table of predictions, and without a network nothing can be shown of where it "
            "looks and which training images it learned from. Bring the network (models: kind timm, "
            "huggingface or python)."
        )
    weights = model_dir(dataset, method) / "weights"
    return Trained(
        info=info,
        test=test,
        seeds=seeds,
        models=[load_weights(weights_path(weights, seed)).to(device) for seed in seeds],
        predicted_SN=predicted_SN,
        history=history,
        evaluation=load_current(
            evaluation_dir(dataset, method) / "evaluation.json", EvaluationResult, info.digest
        ),
    )


def earlier_checkpoints(
    dataset: str, method: str, seeds: Sequence[int], device: torch.device
) -> dict[int, list[Classifier]]:
    """For each seed the networks of `train.checkpoints`, which its run left beside the selected one."""
    folder = model_dir(dataset, method)
    digest = load_info(data_folders(dataset)).digest
    kept = load_current(folder / "history.json", TrainHistory, digest).checkpoints
    return {
        seed: [
            load_weights(weights_path(folder / "weights", seed, epoch=epoch)).to(device)
            for epoch in kept.get(str(seed), [])
        ]
        for seed in seeds
    }
