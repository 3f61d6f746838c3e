"""Linear datamodeling score: this project's defaults against traker's, EK-FAC and simple baselines.

Run, where params.yaml and the packed data are: python -m benchmarks.lds DATASET [--checkpoints 10]
[--subsets 64] [--again 16] [--targets 500] [--rivals traker ekfac]
[--traker-dims 512 2048] [--sweep] [--work FOLDER]

ERM is trained on all images (`--checkpoints` seeds) and on random halves (`--subsets`, of which the
first `--again` twice, for the noise ceiling) by the dataset's own settings; trainings are kept in
`--work`. Every estimator scores the same networks on the same test images, with two threads, and is
timed from images to scores. Differences are paired over the same subsets and targets.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.artifacts.arrays import Arrays, load_arrays
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import data_folders
from pipeline.attribution.estimators.estimate import estimate
from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.scores import DenseScores, Scores
from pipeline.attribution.selection import choose_targets, select
from pipeline.core.types import Split
from pipeline.methods.retraining import retrain
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.parallel.fan_out import fan_out
from pipeline.plan.params_file import read_params
from pipeline.settings.attribution import AttributeSettings
from pipeline.statistics.retrained.lds import random_sums, same_class_sums, score_predictors, spearman
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.noise_ceiling import noise_ceiling
from pipeline.statistics.retrained.subsets import subset_rows
from pipeline.train.networks import network_of

SHARE, SEED = 0.5, 7
RIDGES, POWERS, DIMENSIONS = (0.0, 0.1, 1.0, 3.0, 10.0), (0.0, 0.5, 1.0), (512, 2048)


@dataclass(frozen=True)
class Case:
    """Trained networks, and what retraining on halves made of the targets."""

    networks: list[Classifier]
    train: Split
    test: Split  # the targets
    members_SN: np.ndarray
    margins_MS: np.ndarray
    ceiling: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--checkpoints", type=int, default=10)
    parser.add_argument("--subsets", type=int, default=64)
    parser.add_argument("--again", type=int, default=16)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--rivals", nargs="*", choices=("traker", "ekfac"), default=("traker", "ekfac"))
    parser.add_argument(
        "--traker-dims", nargs="*", type=int, default=(512, 2048), help="its own default is 2048"
    )
    parser.add_argument("--ekfac-networks", type=int, default=1, help="it takes the longest of all")
    parser.add_argument("--sweep", action="store_true", help="ridges, weightings and dimensions, too")
    parser.add_argument("--work", type=Path, default=Path(".scratch/lds"))
    args = parser.parse_args()
    case = prepare(args)
    torch.set_num_threads(2)
    n_parameters = sum(p.numel() for p in case.networks[0].parameters())
    print(
        f"{args.dataset}: {len(case.train)} training images, {len(case.test)} targets, "
        f"{args.subsets} halves, {len(case.networks)} networks of {n_parameters:,} "
        f"parameters, noise ceiling {case.ceiling or float('nan'):.3f}",
        flush=True,
    )
    sums, seconds = baselines(case), {}
    for name, run in estimators(args, case).items():
        scores, seconds[name] = run()
        sums[name] = scores.train_sums(case.members_SN.T.astype(np.float64)).T
        print(f"  {name}: {seconds[name]:.0f} s", flush=True)
    report(case, sums, seconds)
    if args.sweep:
        sweep(args, case)


def prepare(args: argparse.Namespace) -> Case:
    tasks: dict[str, tuple[Any, ...]] = {
        f"{kind}_{i}": (Path.cwd(), args.dataset, kind, i)
        for kind, n in (("full", args.checkpoints), ("subset", args.subsets), ("again", args.again))
        for i in range(n)
    }
    folder = args.work / args.dataset
    files = fan_out(train_one, tasks, folder=folder, workers=2, label=f"trainings of {args.dataset}")
    results = {name: load_arrays(path) for name, path in files.items()}
    train, test = (load_split(data_folders(args.dataset), name) for name in ("train", "test"))
    per_group = max(1, args.targets // len(np.unique(test.groups)))
    rows = choose_targets(test, per_group if len(test) > args.targets else None, SEED)
    targets = test.take(rows)

    def margins(kind: str, n: int) -> np.ndarray:
        logits = [results[f"{kind}_{i}"]["logits"][rows] for i in range(n)]
        return np.stack([label_log_odds(l_MK, targets.labels) for l_MK in logits], axis=1)

    members_SN = np.zeros((args.subsets, len(train)), bool)
    for i in range(args.subsets):
        members_SN[i, results[f"subset_{i}"]["rows"]] = True
    margins_MS = margins("subset", args.subsets)
    repeated = np.stack([margins_MS[:, : args.again], margins("again", args.again)], axis=2)
    return Case(
        [network(args.dataset, results[f"full_{i}"]) for i in range(args.checkpoints)],
        train,
        targets,
        members_SN,
        margins_MS,
        one_repeat_ceiling(repeated) if args.again > 4 else None,
    )


def train_one(root: Path, dataset: str, kind: str, i: int) -> Arrays:
    """One training: logits of the test images, the rows it saw, and its weights where it saw all."""
    settings = read_params(root / "params.yaml").dataset(dataset)
    data = data_folders(dataset).below(root)
    train, val, test = (load_split(data, name) for name in ("train", "val", "test"))
    info = load_info(data)
    rows = np.arange(len(train)) if kind == "full" else subset_rows(len(train), SHARE, seed=SEED, index=i)
    seed = {"full": 0, "subset": 1000, "again": 5000}[kind] + i
    model = retrain(settings.setup("erm"), train.take(rows), val, info, seed)
    found: Arrays = {"logits": predict_logits(model, test.images), "rows": rows}
    if kind == "full":
        found |= {f"weights.{key}": value.numpy() for key, value in model.state_dict().items()}
    return found


def network(dataset: str, arrays: Arrays) -> Classifier:
    settings, info = read_params().dataset(dataset), load_info(data_folders(dataset))
    weights = {
        key.removeprefix("weights."): torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith("weights.")
    }
    return network_of(settings.train_for("erm"), info, 0, weights)


def one_repeat_ceiling(margins_MSR: np.ndarray) -> float:
    """What a perfect predictor would reach: margins of one training are what predictors are held to."""
    both = noise_ceiling(margins_MSR)
    known = "none: one training" if both is None else f"{both.value:.3f} [{both.low:.3f}, {both.high:.3f}]"
    retest = float(spearman(margins_MSR[..., 0], margins_MSR[..., 1]).mean())
    print(f"retest correlation {retest:.3f}; ceiling for the mean of both trainings {known}")
    return float(np.sqrt(max(0.0, retest)))


# --- estimators ----------------------------------------------------------------------------------


def baselines(case: Case) -> dict[str, np.ndarray]:
    return {
        "random": random_sums(case.members_SN, len(case.test), seed=SEED),
        "same class": same_class_sums(case.members_SN, case.train.labels, case.test.labels),
    }


def estimators(args: argparse.Namespace, case: Case) -> Mapping[str, Callable[[], tuple[Scores, float]]]:
    n = len(case.networks)
    chosen: dict[str, tuple[int, dict[str, Any]]] = {}
    for k in sorted({1, min(5, n), n}):
        chosen[f"ours, defaults, {k} networks"] = k, {}
    chosen[f"ours, gradient cosine, {n} networks"] = n, {"estimator": "grad_cosine"}
    chosen[f"ours, last layer, {n} networks"] = n, {"estimator": "last_layer"}
    for dim in args.traker_dims if "traker" in args.rivals else ():
        chosen[f"traker, ridge 0 and Q, k = {dim}, {n} networks"] = (
            n,
            {"estimator": "traker", "proj_dim": dim, "batch_size": 128},
        )
    if "ekfac" in args.rivals:
        k = args.ekfac_networks
        chosen[f"kronfluence EK-FAC, {k} networks"] = k, {"estimator": "ekfac"}
    return {name: partial(scored, args, case, k, **changes) for name, (k, changes) in chosen.items()}


def scored(args: argparse.Namespace, case: Case, n: int, **changes: Any) -> tuple[Scores, float]:
    """An estimator's whole matrix from the first `n` networks, and the seconds from images to scores."""
    folder = Path(tempfile.mkdtemp(dir=args.work))
    train, targets = (select(split, np.arange(len(split))) for split in (case.train, case.test))
    try:
        started = time.perf_counter()
        found = estimate(
            [[model] for model in case.networks[:n]],
            train=train,
            targets=targets,
            settings=attribute_settings(args, **changes),
            work_dir=folder,
            device="cpu",
        )
        matrix_NM = np.array(found.scores.block(slice(0, len(train)), slice(0, len(targets))))
        return DenseScores(matrix_NM), time.perf_counter() - started
    finally:
        shutil.rmtree(folder)


def attribute_settings(args: argparse.Namespace, **changes: Any) -> AttributeSettings:
    defaults = read_params().defaults["attribute"]
    return AttributeSettings.model_validate({**defaults, **changes})


def make_store(args: argparse.Namespace, case: Case, n: int, folder: Path, **changes: Any) -> TrakStore:
    train, targets = (select(split, np.arange(len(split))) for split in (case.train, case.test))
    return TrakStore(
        [[model] for model in case.networks[:n]],
        train=train,
        targets=targets,
        settings=attribute_settings(args, **changes),
        work_dir=folder,
        device="cpu",
    )


# --- results -------------------------------------------------------------------------------------


def report(case: Case, sums: Mapping[str, np.ndarray], seconds: Mapping[str, float]) -> None:
    found = score_predictors(sums, case.margins_MS[:, :, None], seed=SEED)
    defaults = f"ours, defaults, {len(case.networks)} networks"
    print(f"{'estimator':48} {'seconds':>8}  LDS [95 % interval]       defaults minus it [95 % interval]")
    for name, prediction in found.items():
        e = prediction.estimate
        lead = found[defaults].draws_B - prediction.draws_B
        low, high = np.quantile(lead, [0.025, 0.975])
        difference = found[defaults].estimate.value - e.value
        spent = f"{seconds[name]:8.1f}" if name in seconds else " " * 8
        print(
            f"{name:48} {spent}  {e.value:.3f} [{e.low:.3f}, {e.high:.3f}]   {difference:+.3f} "
            f"[{low:+.3f}, {high:+.3f}]"
        )


def sweep(args: argparse.Namespace, case: Case) -> None:
    """LDS over ridge and power of the loss weighting, for several dimensions: what defaults rest on."""
    weights_NS = case.members_SN.T.astype(np.float64)
    for dim in DIMENSIONS:
        folder = Path(tempfile.mkdtemp(dir=args.work))
        store = make_store(args, case, len(case.networks), folder, proj_dim=dim, ridge=1.0)
        store.compute()
        print(f"{dim} dimensions ({store.projection.kind}); rows: ridge, columns: power of 1 - p: {POWERS}")
        for ridge in RIDGES:
            values = []
            for power in POWERS:
                ridge_used = max(ridge, 1e-9)  # 0 is refused where it is singular
                scores = store.scores(ridge=ridge_used, loss_weighting=power)
                values.append(spearman(scores.train_sums(weights_NS).T, case.margins_MS).mean())
            print(f"  {ridge:5.1f}  " + "  ".join(f"{value:.3f}" for value in values), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
