"""Does rung 2 tell used cues from unused ones that nobody annotated: `python -m benchmarks.cue_use`.

Folders are those of `cue_discovery`, in which one cue is planted with a kappa of .6. Small networks are
trained under three conditions:

- used: labels are drawn by chance and the cue goes with them, so that there is nothing else to learn; *yes*
  is right where the network learned it at all (its accuracy stands beside the answer)
- both: labels are what images show (a digit below five, say), and the cue goes with them; either may be right
- unused: as *both*, but the network learned from images in which the cue is independent of the label, and
  which got the cue, as it was found, of random others: with a turned hue all of their colors, since what
  they show has colors, too. The cue is there to be found, and *yes* is false

Answers are of the planted cue (`expected.ACCEPTED`), and of what else is found and may be no content.

    python -m benchmarks.cue_use --bases digits --kinds corner blur --seeds 2     # half a minute a network
    PIPELINE_REAL_DATA=... python -m benchmarks.cue_use --seeds 10 --jobs 16 --log use.jsonl      # everything

With `--log` a run that was cut off goes on where it stopped; its first seeds cover all bases and kinds.

Shape legend: N images.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks.cue_discovery.bases import BASES, load_labeled
from benchmarks.cue_discovery.chance import draw_labels
from benchmarks.cue_discovery.examine import default_settings, pack_folder
from benchmarks.cue_discovery.expected import ACCEPTED
from benchmarks.cue_discovery.planted import KINDS, plant
from benchmarks.cue_discovery.task_log import add_line, read_lines
from benchmarks.cue_use_tables import Entry, answer_table, describe, lines
from pipeline.core.types import Int64Array, PackedSplit, Split, UInt8Array
from pipeline.cues.exchanges.pair import Pair, exchange_side_by_side
from pipeline.cues.look import look
from pipeline.cues.places import exchanged_places
from pipeline.cues.registry import find_cue
from pipeline.data_audit.cues.audit import audit_cues
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.found_cues import Exchanged, cues_to_exchange, measure_found_cues
from pipeline.methods.erm import METHOD as ERM
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.verdict.cue.found import judge_found
from pipeline.verdict.evidence.rules import Thresholds, choose_thresholds

VISIBLE = ("size", "quality", "corner", "watermark", "border", "blur", "noise", "hue", "texture")
CONDITIONS = ("used", "both", "unused")
N_IMAGES, STRENGTH, EPOCHS = 1600, 0.6, 6


class Task(NamedTuple):
    """One network: what is planted, how it was trained."""

    base: str
    kind: str
    condition: str
    seed: int


def audit(images: Sequence[UInt8Array], shown_N: Int64Array, task: Task, device: str) -> Entry:
    """Plant, train, exchange, judge."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _, kind, condition, seed = task
    labels_N = draw_labels(len(images), [0.5, 0.5], seed) if condition == "used" else shown_N
    (train, test, facts, info), free = (
        _pack(images, labels_N, kind, strength, seed) for strength in (STRENGTH, 0.0)
    )
    seen, tested = look(train, facts), look(test, facts)
    chosen = chosen_cues(audit_cues(seen, tested, info.classes, default_settings(), Provenance()), kind)
    if condition == "unused":
        planted = [cue for cue in chosen if cue.name in ACCEPTED[kind]]
        learned = exchanged_at_random(free[0], free[2], planted, seed)
    else:
        learned = as_split(train)
    model = train_network(learned, as_split(free[1]), seed, device=device)
    predicted_SN = predict_classes([model], test.images)
    measured = measure_found_cues(
        chosen,
        Exchanged(
            models=[model], train=seen, test=as_split(test), seen=tested.seen, rows=np.arange(len(test)),
            predicted_SN=predicted_SN, group_names=info.classes, min_test=20, seed=seed,
        ),
    )  # fmt: skip
    answers = zip(measured, judge_found(measured, _limits()), strict=True)
    return {
        **task._asdict(),
        "n": len(test),
        "right": int((predicted_SN == test.labels).sum()),
        "cues": [describe(cue, told.used, kind) for cue, told in answers],
    }


def _limits() -> Thresholds:
    entry = read_params().dataset("photo_digits")
    return choose_thresholds(
        min_effect=entry.report.min_effect,
        min_test=entry.evaluate.min_test,
        min_val=entry.evaluate.min_val,
        min_kappa=entry.color.min_kappa,
    )


def chosen_cues(found: CuesResult, kind: str) -> list[CueFinding]:
    """What stage `evaluate` exchanges, and the planted one, though it tells no more than a stronger cue."""
    chosen = {cue.name: cue for cue in cues_to_exchange(found)}
    planted = [cue for cue in found.cues if cue.found and cue.name in ACCEPTED[kind]]
    return list((chosen | {cue.name: cue for cue in planted[:1]}).values())


def exchanged_at_random(train: PackedSplit, facts: Any, cues: Sequence[CueFinding], seed: int) -> Split:
    """Every image with these cues of another one, whatever its label."""
    split, facts_N = as_split(train), look(train, facts).seen.facts
    donors = np.random.default_rng([seed, 17]).permutation(len(split))
    for finding in cues:
        exchange = find_cue(finding.name).exchange
        if exchange is None:
            continue
        pair = Pair(
            split.images, split.images[donors], None, None,
            facts_N, None if facts_N is None else facts_N.iloc[donors], tuple(exchanged_places(finding)),
        )  # fmt: skip
        split = dataclasses.replace(split, images=exchange_side_by_side(exchange, pair))
    return split


def _pack(images: Sequence[UInt8Array], labels_N: Int64Array, kind: str, strength: float, seed: int) -> Any:
    with tempfile.TemporaryDirectory() as temporary:
        plant(images, labels_N, kind, strength, seed, Path(temporary))
        return pack_folder(Path(temporary))


def as_split(packed: PackedSplit) -> Split:
    """Its classes are its groups; all pixels in memory."""
    values = {field.name: getattr(packed, field.name) for field in dataclasses.fields(packed)}
    values["images"] = np.array(packed.images)
    return Split(**values, attributes=packed.labels, groups=packed.labels)


def train_network(
    train: Split, val: Split, seed: int, epochs: int = EPOCHS, device: str = "cpu"
) -> Classifier:
    """A small residual network, the last epoch's weights."""
    entry = read_params().dataset("photo_digits")
    settings = entry.train.model_copy(
        update={"width": 4, "epochs": epochs, "batch_size": 32, "augment": "none", "precision": "fp32",
                "device": device, "seeds": [seed], "stem_stride": 2, "lr": 0.05}
    )  # fmt: skip
    pixels = train.images.reshape(-1, 3) / 255
    model = build_model(
        settings.model,
        n_classes=2,
        width=settings.width,
        pretrained=False,
        mean=list(pixels.mean(axis=0)),
        std=list(pixels.std(axis=0) + 1e-3),
        seed=seed,
    )
    groups = Groups(train.groups, val.groups, ["first", "second"])
    own = ERM.settings(selection="last")
    plan = ERM.plan(own, train, groups, batch_size=settings.batch_size)
    outcome = train_seed(
        model, train, val, Job(settings, plan, seed, 2),
        resume=None, save=lambda state: None, tick=lambda n: None,
    )  # fmt: skip
    model.load_state_dict(outcome.weights)
    return model.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bases", nargs="+", choices=list(BASES), default=list(BASES))
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(VISIBLE))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=["used", "unused"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--device", default="cpu", help="where networks learn and predict: cpu or cuda")
    parser.add_argument(
        "--log", type=Path, help="file of outcomes, a line each; those in it are not run again"
    )
    asked = parser.parse_args(arguments)
    tasks = [
        Task(base, kind, condition, seed)
        for seed in range(asked.seeds)
        for kind in asked.kinds
        for base in asked.bases
        for condition in asked.conditions
    ]
    entries = {task_of(entry): entry for entry in read_lines(asked.log)}
    todo = [task for task in tasks if task not in entries]
    for entry in run_tasks(todo, asked.jobs, asked.device):
        add_line(asked.log, entry)
        entries[task_of(entry)] = entry
        print("\n".join(lines(entry)), flush=True)
    print(answer_table([entries[task] for task in tasks if task in entries]))


def task_of(entry: Entry) -> Task:
    return Task(*(entry[name] for name in Task._fields))


def run_tasks(tasks: Sequence[Task], jobs: int, device: str) -> Iterator[Entry]:
    """As they end."""
    bases = {base: load_labeled(base, n=N_IMAGES) for base in dict.fromkeys(task.base for task in tasks)}
    shown = {base: (np.stack(images), shown_N) for base, (images, shown_N) in bases.items()}
    runs = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(audit)(*shown[task.base], task, device) for task in tasks
    )
    yield from runs


if __name__ == "__main__":
    # by its name: what is defined in `__main__` is sent to processes whole, and parts of torch cannot be
    from benchmarks import cue_use

    cue_use.main()
