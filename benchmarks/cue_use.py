"""Does rung 2 tell used cues from unused ones that nobody annotated: `python -m benchmarks.cue_use`.

Folders are those of `cue_discovery`, in which one cue is planted. Small networks are trained under three conditions:

- used: labels are drawn by chance and the cue goes with them; there is nothing else to learn. *Yes* is right
- both: labels are what images show (a digit below five, say) and the cue goes with them
- unused: as *both*, but the network learned from images in which the cue is independent of the label; the
  cue is there to be found, and *yes* is false

    python -m benchmarks.cue_use --base digits --kinds corner blur --seeds 2
    PIPELINE_REAL_DATA=... python -m benchmarks.cue_use --base cifar100 --seeds 10 --jobs 2   # everything

Shape legend: N images.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed

from benchmarks.cue_discovery.bases import BASES, load_labeled
from benchmarks.cue_discovery.chance import draw_labels
from benchmarks.cue_discovery.examine import default_settings, pack_folder
from benchmarks.cue_discovery.planted import KINDS, plant
from pipeline.audit.cues.audit import audit_cues
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.cues.look import look
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.found_cues import Exchanged, cues_to_exchange, measure_found_cues
from pipeline.methods.registry import find_method
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
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
    sentence: str
    seconds: float


def audit(
    images: Sequence[UInt8Array], shown_N: Int64Array, kind: str, condition: str, seed: int
) -> list[Told]:
    """Plant, train, exchange, judge."""
    torch.set_num_threads(1)
    labels_N = draw_labels(len(images), [0.5, 0.5], seed) if condition == "used" else shown_N
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ("biased", "free")]
        packs = []
        for folder, strength in zip(folders, (STRENGTH, 0.0), strict=True):
            folder.mkdir()
            plant(images, labels_N, kind, strength, seed, folder)
            packs.append(pack_folder(folder))
    train, test, facts, info = packs[0]
    learned = packs[1] if condition == "unused" else packs[0]
    model = train_network(as_split(learned[0]), as_split(learned[1]), seed)
    seen, tested = look(train, facts, info), look(test, facts, info)
    cues = audit_cues(seen, tested, info.classes, default_settings(), Provenance())
    predicted_SN = predict_classes([model], test.images)
    started = time.perf_counter()
    found = measure_found_cues(
        cues_to_exchange(cues),
        Exchanged(
            models=[model], train=seen, test=as_split(test), seen=tested.seen, rows=np.arange(len(test)),
            predicted_SN=predicted_SN, group_names=info.classes, min_test=20, seed=seed,
        ),
    )  # fmt: skip
    seconds = (time.perf_counter() - started) / max(len(found), 1)
    accuracy = float((predicted_SN == test.labels).mean())
    return [
        Told(kind, condition, seed, accuracy, cue, told.used, told.sentence, seconds)
        for cue, told in zip(found, judge_found(found, limits()), strict=True)
    ]


def limits():  # type: ignore[no-untyped-def]
    entry = read_params().dataset("photo_digits")
    return choose_thresholds(
        min_effect=entry.report.min_effect,
        min_test=entry.evaluate.min_test,
        min_val=entry.evaluate.min_val,
        min_kappa=entry.color.min_kappa,
    )


def as_split(split) -> Split:  # type: ignore[no-untyped-def]
    """Its classes are its groups."""
    values = {name: getattr(split, name) for name in split.__dataclass_fields__}
    values["images"] = np.asarray(split.images)
    return Split(**values, attributes=split.labels, groups=split.labels)


def train_network(train: Split, val: Split, seed: int, epochs: int = EPOCHS) -> Classifier:
    """A small residual network, the last epoch's weights."""
    entry = read_params().dataset("photo_digits")
    settings = entry.train.model_copy(
        update={"width": 4, "epochs": epochs, "batch_size": 32, "augment": "none", "precision": "fp32",
                "device": "cpu", "seeds": [seed], "stem_stride": 2, "lr": 0.05}
    )  # fmt: skip
    erm = find_method("erm")
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
    plan = erm.plan(erm.unselected(entry.method("erm")), train, groups, batch_size=settings.batch_size)
    outcome = train_seed(
        model, train, val, Job(settings, plan, seed, 2),
        resume=None, save=lambda state: None, tick=lambda n: None,
    )  # fmt: skip
    model.load_state_dict(outcome.weights)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", choices=list(BASES), default="digits")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(VISIBLE))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    images, shown_N = load_labeled(asked.base, n=N_IMAGES)
    tasks = [(k, c, s) for k in asked.kinds for c in asked.conditions for s in range(asked.seeds)]
    runs = Parallel(n_jobs=asked.jobs, return_as="generator")(
        delayed(audit)(images, shown_N, *task) for task in tasks
    )
    for task, told in zip(tasks, runs, strict=True):
        if not told:
            print(*task, "no cue found", flush=True)
        for t in told:
            e, c = t.cue.exchange, t.cue.carried
            print(
                f"{t.kind:9} {t.condition:7} {t.seed} acc {t.accuracy:.2f} {t.cue.name:12} {t.cue.part or '':14} "
                f"own {t.cue.own_class:.2f} carried {c and round(c.value, 2)!s:5} "
                f"shift {f'{e.size.value:+.2f} [{e.size.low:+.2f}, {e.size.high:+.2f}] {e.up.value:+.2f}/{e.down.value:+.2f}' if e else '-':36} "
                f"natural {t.cue.natural and round(t.cue.natural.value, 2)!s:5} {t.used.upper():12} {t.seconds:.1f}s",
                flush=True,
            )


if __name__ == "__main__":
    main()
