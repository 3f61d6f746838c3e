"""What noting the course of training costs: its share of a training's processor time.

Run: `python -m benchmarks.dynamics_cost` (half a minute; one thread). The demo's network, batches and size of
images: larger ones make the share smaller, since what is noted costs nearly as much whatever is computed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.planted_cues import make_twin
from pipeline.core.types import Split
from pipeline.plan.params_file import read_params
from pipeline.train import loop
from pipeline.train.difficulty import Difficulty
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.motion import Motion
from pipeline.train.networks import first_network
from pipeline.train.plans import plain_plan

NOTING = [
    *((Motion, name) for name in ("begin_epoch", "before_step", "after_step", "result")),
    (Difficulty, "add"),
    (loop._Run, "_epoch_dynamics"),
]


class Clock:
    """Processor seconds within the wrapped functions."""

    def __init__(self) -> None:
        self.seconds = 0.0
        for owner, name in NOTING:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, function: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - started

        return timed


def train(seed: int, epochs: int) -> None:
    twin = make_twin("tint", seed, agreement=0.9)
    demo = read_params().dataset("photo_digits").train
    settings = demo.model_copy(update={"epochs": epochs, "device": "cpu", "precision": "fp32"})
    train, val = (_at_32_pixels(split) for split in (twin.train, twin.val))
    model = first_network(
        settings, twin.info.classes, train.images.shape[1], seed=seed, mean=[0.5] * 3, std=[0.25] * 3
    )
    groups = Groups(train.groups, val.groups, [group.name for group in twin.info.groups])
    job = Job(settings, plain_plan(groups, "average"), seed, 4)
    train_seed(model, train, val, job, resume=None, save=lambda _: None, tick=lambda _: None)


def _at_32_pixels(split: Split) -> Split:
    return replace(split, images=np.ascontiguousarray(split.images.repeat(2, axis=1).repeat(2, axis=2)))


def main() -> None:
    torch.set_num_threads(1)
    clock = Clock()
    train(0, epochs=1)  # what loads late is loaded
    for seed in range(3):
        clock.seconds, started = 0.0, time.process_time()
        train(seed, epochs=4)
        print(f"seed {seed}: {clock.seconds / (time.process_time() - started):.1%} of the processor time")


if __name__ == "__main__":
    main()
