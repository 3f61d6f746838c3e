"""A small ensemble to attribute, and workers killed on the way: `python -m tests.attribution_fixtures`.

Workers are forked from a process with one thread that has imported everything, so that a kill costs no
second start-up.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.artifacts import files
from pipeline.attribution.selection import Examples
from pipeline.attribution.streaming import mean_weights, summarize
from pipeline.attribution.trak import TrakStore
from pipeline.core.attribution_settings import AttributeSettings
from pipeline.models.networks import Classifier
from tests.vmap_featurizer import VmapFeaturizer, vmap_featurizer

N_TRAIN, N_TARGETS = 2060, 1030  # three blocks and two
TOP_K = 3


def make_net(seed: int) -> Classifier:
    torch.manual_seed(seed)
    stages = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    return Classifier(stages, 8, 3, [0.5] * 3, [0.25] * 3)


def make_examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return Examples(images, np.arange(n), rng.integers(0, 3, n), np.zeros(n, int), np.arange(n))


def make_settings(**changes: object) -> AttributeSettings:
    values = {
        "proj_dim": 128, "projection": "auto", "precision": "auto", "ridge": 0.01, "loss_weighting": 1.0,
        "store": "fp32", "top_k": TOP_K, "batch_size": 16, "seed": 0, "estimator": "trak",
    }  # fmt: skip
    return AttributeSettings.model_construct(**{**values, **changes})


def summary_of(folder: Path) -> dict[str, np.ndarray]:
    """The whole road from images to a summary; two networks of one seed each."""
    store = TrakStore(
        [[make_net(0)], [make_net(1)]],
        train=make_examples(N_TRAIN, 1),
        targets=make_examples(N_TARGETS, 2),
        settings=make_settings(batch_size=256, store="fp16"),
        work_dir=folder,
        device="cpu",
        make_featurizer=vmap_featurizer,
    )
    store.compute()
    summary = summarize(
        store.scores(),
        train_weights_NI=mean_weights(np.arange(N_TRAIN) % 3, 3),
        target_weights_MJ=mean_weights(np.arange(N_TARGETS) % 3, 3),
        top_k=TOP_K,
        scratch=store.scratch(TOP_K),
    )
    return {
        "helpful": summary.helpful.scores,
        "helpful_rows": summary.helpful.rows,
        "harmful": summary.harmful.scores,
        "harmful_rows": summary.harmful.rows,
        "train_means": summary.train_means,
        "target_means": summary.target_means,
    }


def start(folder: Path, out: Path, prepare: Callable[[], None] = lambda: None, **environment: str) -> int:
    """Fork a worker that writes its summary to `out`; its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.environ.update(environment)
        prepare()
        np.savez(out, **summary_of(folder))
        status = 0
    finally:
        os._exit(status)


def die_at_rename(number: int, after: bool = False) -> Callable[[], None]:
    """Kill this process when the file of that number is whole: before or after its move in place."""

    def prepare() -> None:
        replace, calls = os.replace, [0]

        def replace_or_die(source: Path, target: Path) -> None:
            calls[0] += 1
            if calls[0] == number and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)
            if calls[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

        files.os.replace = replace_or_die  # type: ignore[assignment]

    return prepare


def die_in_batch(number: int) -> Callable[[], None]:
    def prepare() -> None:
        features, calls = VmapFeaturizer.features, [0]

        def features_or_die(self: VmapFeaturizer, *args: object, **kwargs: object) -> object:
            calls[0] += 1
            if calls[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return features(self, *args, **kwargs)  # type: ignore[arg-type]

        VmapFeaturizer.features = features_or_die  # type: ignore[method-assign,assignment]

    return prepare


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: Path) -> None:
    """Print how each worker ended; summaries lie in `folder`."""
    torch.set_num_threads(1)
    batch = make_examples(2, 0).batch(0, 2, "cpu")
    VmapFeaturizer(make_net(0), dim=128, seed=0, device="cpu").features(*batch, stream=0)  # imports on use
    print("whole", wait(start(folder / "a", folder / "whole.npz")))
    # 1 choice, 3 + 2 blocks of each network, 2 factors, 2 blocks of targets each, 1 block of extremes
    kills = [die_in_batch(2), die_at_rename(3), die_in_batch(8), die_at_rename(2, after=True)]
    kills += [
        die_at_rename(4),
        die_at_rename(2),
        die_at_rename(3),
        die_at_rename(2, after=True),
        die_at_rename(1),
    ]
    for kill in kills:
        print(
            "killed",
            wait(start(folder / "b", folder / "killed.npz", kill)),
            len(list(folder.glob("b/*/*.npy"))),
        )
    print("resumed", wait(start(folder / "b", folder / "resumed.npz")))
    workers = [
        start(folder / "c", folder / f"worker_{rank}.npz", RANK=str(rank), WORLD_SIZE="2")
        for rank in range(2)
    ]
    print("workers", *[wait(pid) for pid in workers])
    first = start(folder / "d", folder / "dead.npz", die_at_rename(3), RANK="0", WORLD_SIZE="3")
    time.sleep(0.05)
    second = start(folder / "d", folder / "survivor.npz", RANK="1", WORLD_SIZE="3")  # the third never starts
    print("survivor", wait(first), wait(second))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
