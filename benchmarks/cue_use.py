"""Does rung 2 tell used cues from unused ones that nobody annotated: `python -m benchmarks.cue_use`.

Folders are those of `cue_discovery`, in which one cue is planted with a kappa of .6. Small networks are
trained under three conditions:

- used: labels are drawn by chance and the cue goes with them, so that there is nothing else to learn; *yes*
  is right where the network learned it at all (its accuracy stands beside the answer)
- both: labels are what images show (a digit below five, say), and the cue goes with them; either may be right
- unused: as *both*, but the network learned from images in which the cue is independent of the label: the
  cue is there to be found, and *yes* is false

Answers are of the planted cue (`expected.ACCEPTED`), and of what else is found and may be no content.

    python -m benchmarks.cue_use --kinds corner blur --seeds 2     # half a minute for each network
    PIPELINE_REAL_DATA=... python -m benchmarks.cue_use --base cifar100 --seeds 10 --jobs 2     # all kinds

Shape legend: N images.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks.cue_discovery.bases import BASES, load_labeled
from benchmarks.cue_discovery.chance import draw_labels
from benchmarks.cue_discovery.examine import default_settings, pack_folder
from benchmarks.cue_discovery.expected import ACCEPTED
from benchmarks.cue_discovery.planted import KINDS, plant
from pipeline.audit.cues.audit import audit_cues
from pipeline.core.types import Int64Array, PackedSplit, Split, UInt8Array
from pipeline.cues.look import look
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.found_cues import Exchanged, cues_to_exchange, measure_found_cues
from pipeline.methods.erm import METHOD as ERM
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.evaluation import CueUseFound
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.verdict.cue.found import judge_found
from pipeline.verdict.evidence.rules import choose_thresholds

VISIBLE = ("size", "quality", "corner", "watermark", "border", "blur", "noise", "hue", "texture")
CONDITIONS = ("used", "both", "unused")
N_IMAGES, STRENGTH, EPOCHS = 1600, 0.6, 6


class Told(NamedTuple):
    """What is said of one cue that was exchanged."""

    kind: str
    condition: str
    seed: int
    accuracy: float  # of the network, on test images
    cue: CueUseFound
    used: str
    seconds: float

    @property
    def is_planted(self) -> bool:
        return self.cue.name in ACCEPTED[self.kind]

    def line(self) -> str:
        cue, exchange = self.cue, self.cue.exchange
        shift = "-"
        if exchange is not None:
            size, up, down = exchange.size, exchange.up.value, exchange.down.value
            shift = f"{size.value:+.2f} [{size.low:+.2f}, {size.high:+.2f}] {up:+.2f}/{down:+.2f}"
        carried = "-" if cue.carried is None else f"{cue.carried.value:.2f}"
        natural = "-" if cue.natural is None else f"{cue.natural.value:+.2f}"
        return (
            f"{self.kind:9} {self.condition:6} {self.seed} {self.accuracy:.2f} {cue.name:12} "
            f"{'planted' if self.is_planted else 'content' if cue.may_be_content else 'other':7} "
            f"{carried:5} {shift:33} {natural:5} {self.used:12} {self.seconds:.1f} s"
        )


def audit(
    images: Sequence[UInt8Array], shown_N: Int64Array, kind: str, condition: str, seed: int
) -> list[Told]:
    """Plant, train, exchange, judge."""
    torch.set_num_threads(1)
    labels_N = draw_labels(len(images), [0.5, 0.5], seed) if condition == "used" else shown_N
    (train, test, facts, info), free = (
        _pack(images, labels_N, kind, strength, seed) for strength in (STRENGTH, 0.0)
    )
    learned, kept = (free[0], free[1]) if condition == "unused" else (train, test)
    model = train_network(as_split(learned), as_split(kept), seed)
    seen, tested = look(train, facts), look(test, facts)
    found = audit_cues(seen, tested, info.classes, default_settings(), Provenance())
    predicted_SN = predict_classes([model], test.images)
    started = time.perf_counter()
    measured = measure_found_cues(
        chosen_cues(found, kind),
        Exchanged(
            models=[model], train=seen, test=as_split(test), seen=tested.seen, rows=np.arange(len(test)),
            predicted_SN=predicted_SN, group_names=info.classes, min_test=20, seed=seed,
        ),
    )  # fmt: skip
    seconds = (time.perf_counter() - started) / max(len(measured), 1)
    accuracy = float((predicted_SN == test.labels).mean())
    entry = read_params().dataset("photo_digits")
    limits = choose_thresholds(
        min_effect=entry.report.min_effect,
        min_test=entry.evaluate.min_test,
        min_val=entry.evaluate.min_val,
        min_kappa=entry.color.min_kappa,
    )
    return [
        Told(kind, condition, seed, accuracy, cue, told.used, seconds)
        for cue, told in zip(measured, judge_found(measured, limits), strict=True)
    ]


def chosen_cues(found: CuesResult, kind: str) -> list[CueFinding]:
    """What stage `evaluate` exchanges, and the planted one, though it tells no more than a stronger cue."""
    chosen = {cue.name: cue for cue in cues_to_exchange(found)}
    planted = [cue for cue in found.cues if cue.found and cue.name in ACCEPTED[kind]]
    return list((chosen | {cue.name: cue for cue in planted[:1]}).values())


def _pack(images: Sequence[UInt8Array], labels_N: Int64Array, kind: str, strength: float, seed: int) -> Any:
    with tempfile.TemporaryDirectory() as temporary:
        plant(images, labels_N, kind, strength, seed, Path(temporary))
        return pack_folder(Path(temporary))


def as_split(packed: PackedSplit) -> Split:
    """Its classes are its groups; all pixels in memory."""
    values = {field.name: getattr(packed, field.name) for field in dataclasses.fields(packed)}
    values["images"] = np.array(packed.images)
    return Split(**values, attributes=packed.labels, groups=packed.labels)


def train_network(train: Split, val: Split, seed: int, epochs: int = EPOCHS) -> Classifier:
    """A small residual network, the last epoch's weights."""
    entry = read_params().dataset("photo_digits")
    settings = entry.train.model_copy(
        update={"width": 4, "epochs": epochs, "batch_size": 32, "augment": "none", "precision": "fp32",
                "device": "cpu", "seeds": [seed], "stem_stride": 2, "lr": 0.05}
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", choices=list(BASES), default="digits")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(VISIBLE))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=["used", "unused"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    images, shown_N = load_labeled(asked.base, n=N_IMAGES)
    tasks = [(k, c, s) for k in asked.kinds for c in asked.conditions for s in range(asked.seeds)]
    runs = Parallel(n_jobs=asked.jobs, return_as="generator")(
        delayed(audit)(images, shown_N, *task) for task in tasks
    )
    answers = Counter[tuple[str, str]]()
    for task, told in zip(tasks, runs, strict=True):
        print(
            "\n".join(one.line() for one in told) or f"{task[0]:9} {task[1]:6} {task[2]} no cue found",
            flush=True,
        )
        planted = next((one.used for one in told if one.is_planted), "not found")
        answers[task[1], planted] += 1
    for (condition, answer), n in sorted(answers.items()):
        print(f"{condition}: the planted cue {answer}: {n}")


if __name__ == "__main__":
    main()
