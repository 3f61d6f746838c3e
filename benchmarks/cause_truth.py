"""What wrong labels truly cost: the baseline without just those that were planted, and without other sets.

Run: `python -m benchmarks.cause_truth DATASET [SEEDS]` in a folder where the dataset's audit is finished and
some training labels are known to be wrong (the demo: `photo_digits`). Prints, for each set of images left
out, the accuracy of every group on test, mean over the seeds, and the worst of each. No stage uses it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from pipeline.artifacts.arrays import Arrays, load_arrays
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import data_folders, model_dir
from pipeline.artifacts.plans import read_plan
from pipeline.core.memory import available_cores
from pipeline.core.types import Int64Array
from pipeline.methods.retraining import retrain
from pipeline.methods.setup import read_setup
from pipeline.models.predict import predict_logits
from pipeline.parallel.fan_out import fan_out
from pipeline.records.training import TrainHistory
from pipeline.settings.plans.retrain import RetrainPlan


def accuracies(dataset: str, left_out: Int64Array, seed: int) -> Arrays:
    """Of each group on test, after training without some images."""
    data = data_folders(dataset)
    setup = read_setup("erm", read_plan(RetrainPlan, "retrain", dataset, "erm"))
    train, val, test = (load_split(data, name) for name in ("train", "val", "test"))
    kept = np.flatnonzero(~np.isin(train.ids, left_out))
    model = retrain(setup, train.take(kept), val, load_info(data), seed)
    is_right = predict_logits(model, test.images).argmax(1) == test.labels
    return {"groups": np.array([is_right[test.groups == g].mean() for g in np.unique(test.groups)])}


def image_sets(dataset: str) -> dict[str, Int64Array]:
    """Name -> ids of the images that are left out."""
    train = load_split(data_folders(dataset), "train")
    removal = load_artifact(model_dir(dataset, "repair") / "history.json", TrainHistory).removal
    assert removal is not None
    assert train.label_flipped is not None, "no label is known to be wrong"
    wrong = train.ids[train.label_flipped]
    removed = {found.kind: np.array(found.ids) for found in removal.left_out if found.kind != "random"}
    harmful, suspected = removed["repair"], removed["suspected"]
    return {
        "nothing": wrong[:0],
        "all wrong labels": wrong,
        "harmful": harmful,
        "harmful, wrong": np.intersect1d(harmful, wrong),
        "harmful, right": np.setdiff1d(harmful, wrong),
        "suspected": suspected,
        "suspected, wrong": np.intersect1d(suspected, wrong),
        "suspected, right": np.setdiff1d(suspected, wrong),
        "harmful, not suspected": np.setdiff1d(harmful, suspected),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("seeds", nargs="?", type=int, default=5)
    options = parser.parse_args()
    sets = image_sets(options.dataset)
    tasks = {
        f"{i}_{seed}": (options.dataset, left_out, seed)
        for i, left_out in enumerate(sets.values())
        for seed in range(options.seeds)
    }
    with tempfile.TemporaryDirectory() as folder:
        found = fan_out(accuracies, tasks, folder=Path(folder), workers=available_cores(), label="truth")
        results = {name: load_arrays(path)["groups"] for name, path in found.items()}
    print(*(group.name for group in load_info(data_folders(options.dataset)).groups), sep=" | ")
    for i, (name, left_out) in enumerate(sets.items()):
        groups_SG = np.stack([results[f"{i}_{seed}"] for seed in range(options.seeds)])
        worst = " ".join(f"{100 * value:.0f}" for value in groups_SG.min(axis=1))
        means = " ".join(f"{100 * value:.1f}" for value in groups_SG.mean(axis=0))
        print(f"{name:24s} {len(left_out):5d} images: {means}; worst of each seed {worst}")


if __name__ == "__main__":
    main()
