"""Does the audit find the cue that nobody annotated? `python -m benchmarks.cue_discovery`.

Real images get labels that they know nothing of; then one cue at a time is planted, at four strengths, and
the audit is asked. Folders without a cue say how often it is wrong. `--write FOLDER` writes the folders and
asks nobody: `rivals.py` asks other tools about them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from joblib import Parallel, delayed

from benchmarks.cue_discovery.bases import BASES, N_IMAGES, REAL_DATA, MissingBaseError, load_base
from benchmarks.cue_discovery.examine import Detector, detect
from benchmarks.cue_discovery.expected import ACCEPTED
from benchmarks.cue_discovery.planted import KINDS, STRENGTHS
from benchmarks.cue_discovery.tables import LEGEND, Accepted, null_table, planted_table
from benchmarks.cue_discovery.tasks import Null, Outcome, Planted, Task, null_tasks, planted_tasks, run_task
from pipeline.core.types import UInt8Array

PROCESSES = 2
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
    parser.add_argument("--out", type=Path, help="Markdown file; default: printed")
    parser.add_argument("--write", type=Path, help="folder to write all data sets to, asking nobody")
    return parser.parse_args(arguments)


def main(
    arguments: Sequence[str] | None = None, detector: Detector = detect, accepted: Accepted = ACCEPTED
) -> None:
    options = read_options(arguments)
    tasks = planted_tasks(options.kinds, options.strengths, options.classes, options.seeds)
    tasks += null_tasks(options.nulls)
    parts = [LEGEND]
    for base in options.bases:
        try:
            images = load_base(base, n=options.images)
        except MissingBaseError as missing:
            parts.append(f"## {base}\n\nLeft out: {missing}.")
            continue
        if options.write is not None:
            write_folders(images, tasks, options.write / base)
        else:
            parts.append(describe_base(base, run_tasks(base, images, tasks, detector), accepted))
    text = "\n\n".join(parts) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    elif options.write is None:
        print(text, end="")


def run_tasks(
    base: str, images: Sequence[UInt8Array], tasks: Sequence[Task], detector: Detector
) -> list[Outcome]:
    """All tasks on two processes, in order; how far they are goes to stderr."""
    work = (delayed(run_task)(images, task, detector) for task in tasks)
    outcomes: list[Outcome] = []
    for outcome in Parallel(n_jobs=PROCESSES, return_as="generator")(work):
        outcomes.append(outcome)
        if len(outcomes) % TASKS_BETWEEN_LINES == 0 or len(outcomes) == len(tasks):
            print(f"{base}: {len(outcomes)} of {len(tasks)} data sets", file=sys.stderr, flush=True)
    return outcomes


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
