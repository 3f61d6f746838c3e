"""Does the verdict tell models apart that are given as files alone: `python -m benchmarks.brought_verdicts`.

For each seed the embedded demo is packed small, and networks are trained on it by a plain loop of PyTorch
that shares nothing with this package:

- biased: on the training images as they are; the photograph goes with 95 of 100 labels
- balanced: on as many images, of the same digits, whose photograph is independent of the label
- mild: on such images whose photograph goes with 65 of 100 labels: the model follows it here and there
- shuffled: on the training images with their labels in another order, so that nothing can be learned

Each is handed over as a table of predictions, and as weights with the function that builds the network, of
one training or (the first ones) of three. It is the baseline of an audit of the biased data, stage by stage.

Beside them stand tables that no training makes: one class for every image, answers by chance, the right
answers with the classes swapped, answers of one class but for a few, and the photograph's own class.

    python -m benchmarks.brought_verdicts --seeds 2 --repeats 8 --log FILE

With `--log` a run that was cut off goes on where it stopped.

Shape legend: N images, K classes.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from ruamel.yaml import YAML
from safetensors.torch import save_file
from torch import nn

from benchmarks.cue_discovery.task_log import add_line, read_lines
from pipeline.artifacts.datasets import load_samples, load_split
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import data_folders, evaluation_dir, verdict_dir
from pipeline.core.types import Float64Array, Int64Array, Split, UInt8Array
from pipeline.data.sources.photo_digits import CLASSES, PhotoDigits
from pipeline.plan.write import refresh
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.verdict import Verdict
from pipeline.settings.sources import PhotoDigitsSource

ROOT = Path(__file__).parent.parent
DATASET = "photo_digits"
TRAINED = ("biased", "balanced", "mild", "shuffled")
DRAWN_AGAIN = {"balanced": 0.5, "mild": 0.65}  # share of labels whose usual photograph is behind them
DRAWN = ("constant", "by chance", "swapped", "one class but for 2 %", "the photograph's class")
SOURCE: dict[str, Any] = {"n_train": 1400, "n_val": 240, "n_test": 480}
REPEATS_OF_THREE = 2  # the first ones have three trainings each: these take most of the time
EPOCHS, BATCH, RATE = 8, 64, 0.02
ALL_CLEAR = ("no group is clearly worse", "no group clearly pays", "does not rely", "Keep the model")
NOT_ASKED = "shortcuts cannot be judged"
NET = '''
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.again = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norm_again = nn.BatchNorm2d(n_out)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        return torch.relu(x + self.norm_again(self.again(x)))


class Net(nn.Module):
    """Pixels in [0, 1], 32 x 32, to two logits."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(3, 12, 2), Block(12, 24, 2), Block(24, 48, 2))
        self.linear = nn.Linear(48, 2)

    def forward(self, x):
        return self.linear(self.blocks((x - 0.4) / 0.25).mean((2, 3)))


def make():
    return Net()
'''


class Case(NamedTuple):
    """One audit of one model."""

    kind: str
    door: str  # table, network
    files: int  # trainings
    repeat: int = 0  # other networks on the same data

    @property
    def trainings(self) -> int:
        """How many are made of its kind."""
        return 3 if self.repeat < REPEATS_OF_THREE else 1


def list_cases(repeats: int) -> list[Case]:
    """What one packing of the data is asked."""
    doors = (("network", 1), ("table", 1), ("network", 3))
    trained = [Case(kind, *door, repeat) for repeat in range(repeats) for kind in TRAINED for door in doors]
    return [
        *(Case(kind, "table", 1, 0) for kind in DRAWN),
        *(case for case in trained if case.files <= case.trainings),
    ]


def audit_seed(seed: int, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """Pack, train outside, hand over, and read what the verdict says of each model."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        (Path(name) / "net.py").write_text(NET)
        models = {_name(case): _entry(case) for case in cases}
        _write_params(seed, models, next(iter(models)))
        for stage in ("data", "hygiene", "color", "cues", "groups"):
            _run(stage, DATASET)
        for case in cases:
            started = time.process_time()
            if not Path(f"{_files(case)}_1.csv").exists():
                _hand_over(case, seed)
            model = _name(case)
            _write_params(seed, models, model)
            for stage in ("train", "evaluate"):
                _run(stage, DATASET, model)
            _run("verdict", DATASET)
            seconds = round(time.process_time() - started, 1)
            yield {"seed": seed, **case._asdict(), **_read(model), "seconds": seconds}


def _files(case: Case) -> str:
    letters = "".join(c if c.isalnum() else "_" for c in case.kind.lower())
    return f"{letters}_{case.repeat}"


def _name(case: Case) -> str:
    return f"{_files(case)}_{case.door}_{case.files}"


def _entry(case: Case) -> dict[str, Any]:
    if case.door == "table":
        return {"kind": "predictions", "path": f"{_files(case)}_{case.files}.csv"}
    weights = [f"{_files(case)}_{s}.safetensors" for s in range(case.files)]
    return {"kind": "python", "path": "net.py:make", "weights": weights, "classes": CLASSES}


def _write_params(seed: int, models: dict[str, Any], baseline: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params |= {"models": models, "active_methods": [baseline], "explained_methods": [baseline]}
    demo = params["datasets"][DATASET]
    demo["source"] |= SOURCE | {"seed": seed}
    demo["color"], demo["retrain"] = {"permutations": 199}, {"subsets": 0}
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)


def _run(stage: str, *names: str) -> None:
    refresh(stage, *names)
    importlib.import_module(f"pipeline.stages.{stage}").run(*names)


# --- models, made without the package ----------------------------------------------------------


def _hand_over(case: Case, seed: int) -> None:
    """Write a model's files: a table, and of what was trained the weights of each training."""
    packed, path = data_folders(DATASET), _files(case)
    samples = load_samples(packed.packed)
    val, test = (load_split(packed, name) for name in ("val", "test"))
    images = np.concatenate([val.images, test.images])
    ids = np.concatenate([val.ids, test.ids])
    files = samples.set_index("id").loc[ids, "file"].tolist()
    if case.kind not in TRAINED:
        labels_N = np.concatenate([val.labels, test.labels])
        scores_NK = _drawn_scores(case.kind, labels_N, _photos(val, test), seed)
        _table(files, scores_NK).to_csv(f"{path}_1.csv", index=False)
        return
    pixels, labels_N = _training_images(case, load_split(packed, "train"), seed)
    for s in range(case.trainings):
        net = _train(pixels, labels_N, [seed, case.repeat, s])
        save_file(net.state_dict(), f"{path}_{s}.safetensors")
        if s == 0:
            with torch.no_grad():
                scores_NK = torch.softmax(net(_as_pixels(images)).double(), 1).numpy()
            _table(files, scores_NK).to_csv(f"{path}_1.csv", index=False)


def _photos(*splits: Split) -> Int64Array:
    return np.concatenate([split.attributes for split in splits])


def _training_images(case: Case, train: Split, seed: int) -> tuple[UInt8Array, Int64Array]:
    rng = np.random.default_rng([seed, case.repeat, 99])
    if case.kind == "shuffled":
        return train.images, rng.permutation(train.labels)
    if case.kind == "biased":
        return train.images, train.labels
    strength = DRAWN_AGAIN[case.kind]
    source = {
        "kind": "photo_digits",
        "contrast": 0.7,
        "label_noise": 0.03,
        "strength": strength,
        "seed": seed,
    }
    drawn = PhotoDigits(PhotoDigitsSource.model_validate(SOURCE | source)).load().rows
    rows = [row for row in drawn if row.split == "train"]
    labels_N = np.array([CLASSES.index(row.label) for row in rows], np.int64)
    return np.stack([np.asarray(row.image, np.uint8) for row in rows]), labels_N


def _as_pixels(images_NHWC: UInt8Array) -> torch.Tensor:
    return torch.tensor(images_NHWC).permute(0, 3, 1, 2).float() / 255


def _train(images_NHWC: UInt8Array, labels_N: Int64Array, seed: list[int]) -> nn.Module:
    """Plain SGD, as anybody would write it."""
    torch.manual_seed(int(np.random.default_rng(seed).integers(2**31)))
    space: dict[str, Any] = {}
    exec(NET, space)  # the text above
    net: nn.Module = space["make"]()
    pixels, labels = _as_pixels(images_NHWC), torch.from_numpy(labels_N)
    steps = EPOCHS * -(-len(labels) // BATCH)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5 * RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(pixels[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def _drawn_scores(kind: str, labels_N: Int64Array, photos_N: Int64Array, seed: int) -> Float64Array:
    rng = np.random.default_rng([seed, 7])
    n = len(labels_N)
    classes_N = {
        "constant": np.ones(n, np.int64),
        "by chance": rng.integers(0, 2, n),
        "swapped": np.where(rng.random(n) < 0.9, 1 - labels_N, labels_N),
        "one class but for 2 %": np.where(rng.random(n) < 0.02, labels_N, 1),
        "the photograph's class": photos_N,
    }[kind]
    return np.where(classes_N[:, None] == np.arange(2), 0.9, 0.1).astype(np.float64)


def _table(files: Sequence[str], scores_NK: Float64Array) -> pd.DataFrame:
    return pd.DataFrame({"file": files} | {f"prob_{c}": scores_NK[:, k] for k, c in enumerate(CLASSES)})


# --- what is said ------------------------------------------------------------------------------


def _read(model: str) -> dict[str, Any]:
    verdict = load_artifact(verdict_dir(DATASET) / "verdict.json", Verdict)
    evaluation = load_artifact(evaluation_dir(DATASET, model) / "evaluation.json", EvaluationResult)
    rungs = {rung.rung: rung for rung in verdict.rungs}
    said = " ".join([verdict.headline, verdict.brief.title, verdict.brief.decision])
    right_G = [group.value for group in evaluation.test.groups]
    return {
        "average": round(evaluation.test.average.value, 4),
        # how much less often right where the photograph names the other class: test groups are of one size
        "follows": round((right_G[0] + right_G[3] - right_G[1] - right_G[2]) / 2, 4),
        "answers": {name: rung.status for name, rung in rungs.items()},
        "evidence": {name: rungs[name].evidence for name in ("used", "harmful")},
        "said": said,
        "all_clear": any(words in said for words in ALL_CLEAR),
        "not_asked": NOT_ASKED in said,
        # what the gate asks with --forbid used,harmful
        "gate_passed": rungs["used"].status == rungs["harmful"].status == "no",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2, help="packings of the data")
    parser.add_argument("--repeats", type=int, default=5, help="trainings of each kind on one packing")
    parser.add_argument("--kinds", nargs="*", default=[*TRAINED, *DRAWN])
    parser.add_argument("--log", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    entries = read_lines(chosen.log)
    done = {(e["seed"], _case(e)) for e in entries}
    wanted = [case for case in list_cases(chosen.repeats) if case.kind in chosen.kinds]
    for seed in range(chosen.seeds):
        cases = [case for case in wanted if (seed, case) not in done]
        for entry in audit_seed(seed, cases) if cases else []:
            add_line(chosen.log, entry)
            entries.append(entry)
            print("{seed} {kind} {door} {files}: {answers}".format(**entry), entry["said"], flush=True)
    _print_table(entries)


def _case(entry: dict[str, Any]) -> Case:
    return Case(*(entry[field] for field in Case._fields))


def _print_table(entries: Sequence[dict[str, Any]]) -> None:
    for kind in dict.fromkeys(_case(entry)._replace(repeat=0) for entry in entries):
        own = [e for e in entries if _case(e)._replace(repeat=0) == kind]
        shares = {rung: Counter(e["answers"][rung] for e in own) for rung in ("used", "harmful")}
        cells = [
            f"{rung} " + " / ".join(str(found[s]) for s in ("yes", "no", "insufficient"))
            for rung, found in shares.items()
        ]
        right, follows = ([e[key] for e in own] for key in ("average", "follows"))
        flags = [f"{flag} {sum(e[flag] for e in own)}" for flag in ("all_clear", "not_asked", "gate_passed")]
        ranges = (
            f"right {min(right):.2f} to {max(right):.2f}, follows {min(follows):+.2f} to {max(follows):+.2f}"
        )
        print(
            f"{kind.kind:24} {kind.door:8} {kind.files}  of {len(own)}: {ranges}; yes / no / insufficient: "
            f"{'; '.join(cells)}; {'; '.join(flags)}"
        )


if __name__ == "__main__":
    main()
