"""Does the audit find the cue that nobody annotated? `python -m benchmarks.cue_discovery`.

Real images get labels that they know nothing of; then one cue at a time is planted, at four strengths, and
the audit is asked. Folders without a cue say how often it is wrong. `--write FOLDER` writes the folders and
asks nobody: `rivals.py` asks other tools about them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks.cue_discovery.bases import BASES, N_IMAGES, REAL_DATA, MissingBaseError, load_base
from benchmarks.cue_discovery.examine import Detector, detect
from benchmarks.cue_discovery.expected import ACCEPTED
from benchmarks.cue_discovery.planted import KINDS, STRENGTHS
from benchmarks.cue_discovery.tables import LEGEND, Accepted, null_table, planted_table
from benchmarks.cue_discovery.task_log import TaskLog
from benchmarks.cue_discovery.tasks import Null, Outcome, Planted, Task, null_tasks, planted_tasks, run_task
from pipeline.core.types import UInt8Array

TASKS_BETWEEN_LINES = 20


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cue_discovery",
        description="Does the audit find the cue that nobody annotated?",
        epilog=f"{REAL_DATA} names the folder of cifar-100-python and tiny-imagenet-200.",
    )
    parser.add_argument(
        "--bases", nargs="+", choices=list(BASES), default=list(BASES), metavar="BASE", help=", ".join(BASES)
    )
    parser.add_argument(
        "--kinds", nargs="*", choices=list(KINDS), default=list(KINDS), metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--strengths", nargs="+", type=float, default=list(STRENGTHS), help="kappa")
    parser.add_argument(
        "--classes", nargs="+", type=int, default=[2, 10], help="where a cue has as many values"
    )
    parser.add_argument("--seeds", type=int, default=5, help="data sets a cell")
    parser.add_argument("--nulls", type=int, default=100, help="data sets without a cue, a base")
    parser.add_argument(
        "--images", type=int, default=N_IMAGES, help="images of a data set, where there are as many"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument(
        "--log", type=Path, help="file of outcomes, a line each; those in it are not run again"
    )
    parser.add_argument("--out", type=Path, help="Markdown file; default: printed")
    parser.add_argument("--write", type=Path, help="folder to write all data sets to, asking nobody")
    return parser.parse_args(arguments)


def main(
    arguments: Sequence[str] | None = None, detector: Detector = detect, accepted: Accepted = ACCEPTED
) -> None:
    options = read_options(arguments)
    tasks = planted_tasks(options.kinds, options.strengths, options.classes, options.seeds)
    tasks += null_tasks(options.nulls)
    images, missing = load_bases(options.bases, options.images)
    if options.write is not None:
        for base, own in images.items():
            write_folders(own, tasks, options.write / base)
        return
    log = TaskLog.read(options.log)
    run_tasks(images, tasks, detector, log, options.jobs)
    parts = [LEGEND, *missing]
    for base, own in images.items():
        parts.append(describe_base(base, log.of_base(base, len(own), tasks), accepted))
    text = "\n\n".join(parts) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def load_bases(names: Sequence[str], n: int) -> tuple[dict[str, UInt8Array], list[str]]:
    """The images of each base, N x H x W x 3, and what is to be said of those that are not here."""
    images, missing = dict[str, UInt8Array](), list[str]()
    for name in names:
        try:
            images[name] = np.stack(load_base(name, n=n))
        except MissingBaseError as error:
            missing.append(f"## {name}\n\nLeft out: {error}.")
    return images, missing


def run_tasks(
    images: Mapping[str, UInt8Array], tasks: Sequence[Task], detector: Detector, log: TaskLog, jobs: int
) -> None:
    """What the log lacks, the first seeds first, on all bases; how far they are goes to stderr."""
    todo = [
        (base, task)
        for task in in_rounds(tasks)
        for base, own in images.items()
        if (base, len(own), task) not in log.outcomes
    ]
    work = (delayed(_run_one)(base, images[base], task, detector) for base, task in todo)
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(work)
    for n_done, (base, outcome) in enumerate(done, 1):
        log.add(base, len(images[base]), outcome)
        if n_done % TASKS_BETWEEN_LINES == 0 or n_done == len(todo):
            print(f"{n_done} of {len(todo)} data sets", file=sys.stderr, flush=True)


def in_rounds(tasks: Sequence[Task]) -> list[Task]:
    """By seed, with a like share of the nulls in every round: wherever a run stops, all were served alike."""
    planted = [task for task in tasks if isinstance(task, Planted)]
    nulls = [task for task in tasks if isinstance(task, Null)]
    rounds = 1 + max((task.seed for task in planted), default=0)
    order = {task: float(task.seed) for task in planted}
    order |= {task: rounds * i / len(nulls) for i, task in enumerate(nulls)}
    return sorted(tasks, key=order.__getitem__)


def _run_one(base: str, images: UInt8Array, task: Task, detector: Detector) -> tuple[str, Outcome]:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    return base, run_task(images, task, detector)


def describe_base(base: str, outcomes: Sequence[Outcome], accepted: Accepted) -> str:
    """The tables of a base, without those that nothing was run for."""
    parts = [f"## {base}"]
    if any(isinstance(task, Planted) for task, _ in outcomes):
        parts.append(planted_table(outcomes, accepted))
    if any(isinstance(task, Null) for task, _ in outcomes):
        parts.append(null_table(outcomes))
    return "\n\n".join(parts)


def write_folders(images: Sequence[UInt8Array], tasks: Sequence[Task], folder: Path) -> None:
    """A folder for each task, named by its fields; one that is there is left alone."""
    for task in tasks:
        name = "-".join([type(task).__name__.lower(), *(str(field) for field in task)])
        target = folder / name.replace("/", "_").replace(" ", "_")
        if target.exists():
            print(f"left alone: {target} is there", file=sys.stderr)
            continue
        target.mkdir(parents=True)
        task.write(images, target)


if __name__ == "__main__":
    main()
