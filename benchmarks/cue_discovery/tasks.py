"""One planted or null folder: written, examined, deleted. Tasks depend on their own fields alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.cue_discovery.chance import draw_labels
from benchmarks.cue_discovery.examine import Detector, Finding, detect, examine
from benchmarks.cue_discovery.nulls import LABELS, write_null
from benchmarks.cue_discovery.planted import KINDS, plant
from pipeline.core.types import UInt8Array


class Planted(NamedTuple):
    """A folder with a cue."""

    kind: str
    strength: float
    n_classes: int
    seed: int

    def write(self, images: Sequence[UInt8Array], folder: Path) -> None:
        labels_N = draw_labels(len(images), [1 / self.n_classes] * self.n_classes, self.seed)
        plant(images, labels_N, self.kind, self.strength, self.seed, folder)


class Null(NamedTuple):
    """A folder without one; `labels` is a key of `LABELS`."""

    labels: str
    seed: int

    def write(self, images: Sequence[UInt8Array], folder: Path) -> None:
        write_null(images, self.labels, self.seed, folder)


Task = Planted | Null


class Outcome(NamedTuple):
    """What was named in the folder of a task, in the detector's order."""

    task: Task
    named: list[Finding]


def planted_tasks(
    kinds: Iterable[str], strengths: Sequence[float], classes: Sequence[int], n_seeds: int
) -> list[Task]:
    """Every combination; a cue is left out where it has fewer values than there are classes."""
    return [
        Planted(kind, strength, n_classes, seed)
        for kind in kinds
        for n_classes in classes
        if n_classes <= KINDS[kind].n_values
        for strength in strengths
        for seed in range(n_seeds)
    ]


def null_tasks(n: int) -> list[Task]:
    """`n` nulls that take turns in what shares their labels have."""
    names = list(LABELS)
    return [Null(names[i % len(names)], i) for i in range(n)]


def run_task(images: Sequence[UInt8Array], task: Task, detector: Detector = detect) -> Outcome:
    """Write the task's folder to a temporary place and examine it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        task.write(images, folder)
        return Outcome(task, [finding for finding in examine(folder, detector) if finding.found])
