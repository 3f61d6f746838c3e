"""What one image costs a network on this machine: a few steps of the real training loop, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.core.types import Split, UInt8Array
from pipeline.methods.on_disk import n_workers, one_thread
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.settings.train import TrainSettings
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.networks import count_parameters, first_network
from pipeline.train.plans import plain_plan

_SECONDS = 1.0  # that the timed steps should take
_FEW = 4  # images of the first step, which says how many the timed ones can have
_MOST = 512


@dataclass(frozen=True)
class Speed:
    """Seconds an image; `workers` networks are trained side by side at this speed."""

    train: float
    predict: float
    workers: int


def measure_speed(settings: TrainSettings, classes: Sequence[str], image_size: int) -> Speed:
    """Time training and prediction on random pixels, with the threads that one network will have."""
    probe = _Probe(settings, classes, image_size)
    workers = n_workers(settings, count_parameters(settings, classes, image_size))
    if workers == 1:
        return probe.speed(workers)
    with one_thread():
        return probe.speed(workers)


class _Probe:
    """A network and random images of the size and classes in question."""

    def __init__(self, settings: TrainSettings, classes: Sequence[str], image_size: int) -> None:
        self.settings = settings.model_copy(update={"pretrained": False})
        self.device = choose_device(settings.device).type
        self.classes, self.image_size = classes, image_size

    def speed(self, workers: int) -> Speed:
        self._train(_FEW, _FEW)  # loads what the first step loads
        seconds = self._train(_FEW, _FEW) / _FEW
        n = int(np.clip(_SECONDS / seconds, _FEW, _MOST))
        if n > _FEW:
            seconds = self._train(n, min(self.settings.batch_size, n // 2)) / n
        model, images = self._network(), self._pixels(n)
        predict = _timed(lambda: predict_logits(model, images), self.device) / n
        return Speed(seconds, predict, workers)

    def _train(self, n: int, batch_size: int) -> float:
        """Seconds of an epoch of `n` images."""
        brief = {
            "epochs": 1,
            "batch_size": batch_size,
            "checkpoints": 0,
            "patience": None,
            "warm_up_epochs": 0.0,
        }
        zeros = np.zeros(n, np.int64)
        labels = np.arange(n, dtype=np.int64) % len(self.classes)
        train = Split(
            "train",
            self._pixels(n),
            labels,
            np.arange(n),
            np.full(n, ""),
            attributes=zeros,
            groups=zeros,
        )
        groups = Groups(zeros, zeros[:1], ["all"])
        plan = plain_plan(groups, "last")
        job = Job(self.settings.model_copy(update=brief), plan, 0, 1)
        network, val = self._network(), train.take(zeros[:1])
        return _timed(
            lambda: train_seed(
                network, train, val, job, resume=None, save=lambda state: None, tick=lambda steps: None
            ),
            self.device,
        )

    def _network(self) -> Classifier:
        statistics = {"mean": [0.5] * 3, "std": [0.25] * 3}
        model = first_network(self.settings, self.classes, self.image_size, seed=0, **statistics)
        return model.to(self.device)

    def _pixels(self, n: int) -> UInt8Array:
        side = self.image_size
        return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def _timed(work: Callable[[], object], device: str) -> float:
    """Seconds; on a CPU those of the processor, so that whoever else is at work does not count."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    start = clock()
    work()
    return (clock() - start) / (1 if device == "cuda" else torch.get_num_threads())
