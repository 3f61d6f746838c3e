"""Which list of wrong labels holds where: `python -m benchmarks.label_errors [--seeds 2] [--keep FOLDER]`.

Digits on two photographs, where the photograph agrees with the class in 95 % of 3,000 images. Wrong labels
are planted in five ways, ERM is trained and attributed as the stages do it, and each ranking's average
precision is printed: of the two lists that are shown, of rankings that are not, and the better of the two
lists against the best of all. Nobody who audits knows which of these ways it is.

    uniform        as many in every group of the given label: an annotator who looks at the photograph
    class          the same, in one class only
    filling        drawn at random whatever the photograph: most land in the small groups
    within         of the small groups only: they land in the large ones
    both           half of `uniform`, half of `filling`
    none           no wrong label, for the number of suspects
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from pipeline.artifacts.datasets import load_info, load_packed_split, load_split, write_groups
from pipeline.artifacts.paths import DataFolders
from pipeline.artifacts.provenance import make_provenance
from pipeline.attribution.estimators.estimate import estimate
from pipeline.attribution.selection import choose_targets, select
from pipeline.attribution.streaming import mean_weights
from pipeline.core.types import SPLIT_NAMES, Split
from pipeline.data.pack import pack_dataset
from pipeline.data.sources.photo_digits import PhotoDigits
from pipeline.groups.form import of_attribute
from pipeline.groups.make import make_groups
from pipeline.plan.params import DatasetSettings
from pipeline.plan.params_file import read_params
from pipeline.records.data import DatasetInfo
from pipeline.statistics.retrained.label_errors import (
    SHOWN,
    attribution_suspicion,
    aum_suspicion,
    compare_lists,
    suspects,
)
from pipeline.statistics.retrained.ranking_quality import average_precision
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.networks import network_of
from pipeline.train.plans import plain_plan

PATTERNS = ("uniform", "class", "filling", "within", "both", "none")
N_WRONG = 90


def planted(train: Split, pattern: str, rng: np.random.Generator) -> Split:
    """The split with wrong labels; `train` has `2 * N_WRONG` that agree with the photograph, flagged."""
    assert train.label_flipped is not None
    agreeing = rng.permutation(np.flatnonzero(train.label_flipped))
    if pattern == "class":
        agreeing = agreeing[train.labels[agreeing] == 1]
    kept = {"uniform": N_WRONG, "class": N_WRONG, "both": N_WRONG // 2}.get(pattern, 0)
    rows = np.setdiff1d(np.arange(len(train)), agreeing[kept:])  # without the others
    if pattern == "class":
        rows = np.setdiff1d(rows, np.flatnonzero(train.label_flipped & (train.labels == 0)))
    split = train.take(rows)
    right = np.flatnonzero(~np.asarray(split.label_flipped))
    if pattern == "within":
        right = right[split.labels[right] != split.attributes[right]]
        flips = rng.choice(right, size=len(right) * 3 // 10, replace=False)
    else:
        n = {"filling": N_WRONG, "both": N_WRONG // 2}.get(pattern, 0)
        flips = rng.choice(right, size=n, replace=False)
    labels, wrong = split.labels.copy(), np.asarray(split.label_flipped).copy()
    labels[flips], wrong[flips] = 1 - labels[flips], True
    groups = labels * 2 + split.attributes
    return replace(split, labels=labels, groups=groups, label_flipped=wrong)


class Evidence(dict[str, np.ndarray]):
    """What a run leaves of each training image, as `run_attribution` has it."""


def evidence(
    train: Split, val: Split, test: Split, info: DatasetInfo, settings: DatasetSettings, seeds: int
) -> Evidence:
    train_settings = settings.train_for("erm")
    aum, models = [], []
    for seed in range(seeds):
        plan = plain_plan(Groups(train.groups, val.groups, [g.name for g in info.groups]), "last")
        outcome = train_seed(
            network_of(train_settings, info, seed), train, val,
            Job(train_settings, plan, seed, len(info.groups)), resume=None,
            save=lambda state: None, tick=lambda steps: None,
        )  # fmt: skip
        assert outcome.dynamics is not None
        aum.append(outcome.dynamics.aum)
        models.append(network_of(train_settings, info, seed, outcome.weights))
    rows = choose_targets(test, settings.attribute.targets_per_group, 0)
    targets = select(test, rows)
    with tempfile.TemporaryDirectory() as folder:
        found = estimate(
            [[m] for m in models], train=select(train, np.arange(len(train))), targets=targets,
            settings=settings.attribute, work_dir=Path(folder), device="cpu",
        )  # fmt: skip
        assert found.plain is not None
        assert found.one_minus_p_N is not None
        by_group = mean_weights(targets.groups, len(info.groups))
        effects = found.plain.target_sums(by_group)
        return Evidence(
            aum=np.stack(aum), effects=effects, one_minus_p=found.one_minus_p_N,
            self_influence=found.self_influence_N, groups=train.groups, labels=train.labels,
            wrong=np.asarray(train.label_flipped),
        )  # fmt: skip


def gather(folder: Path, options: argparse.Namespace) -> dict[str, Evidence]:
    settings = read_params().dataset("photo_digits")
    changes = {"label_noise": 2 * N_WRONG / 3000, "seed": options.data_seed, "strength": options.strength}
    source = settings.source.model_copy(update=changes)
    data = DataFolders(folder / "packed", folder / "groups")
    packed = pack_dataset(
        PhotoDigits(source).load(), settings.data, name="photo_digits", folder=data.packed,
        provenance=make_provenance("", [0]),
    )  # fmt: skip
    parts = [load_packed_split(data.packed, name) for name in SPLIT_NAMES]
    photo = of_attribute(packed.attributes, parts, packed.attributes[0].name)
    provenance = make_provenance("", data=packed.packing)
    made = make_groups(packed, parts, photo, settings.groups.group_by, provenance)
    write_groups(data.groups, *made)
    info = load_info(data)
    train, val, test = (load_split(data, name) for name in ("train", "val", "test"))
    found = {}
    for i, pattern in enumerate(PATTERNS):
        path = options.keep / f"{pattern}.npz" if options.keep else None
        if path and path.exists():
            found[pattern] = Evidence(np.load(path))
            continue
        split = planted(train, pattern, np.random.default_rng(i))
        found[pattern] = evidence(split, val, test, info, settings, options.seeds)
        if path:
            np.savez(path, **found[pattern])
        print(f"{pattern}: {len(split)} images, {int(split.label_flipped.sum())} wrong", flush=True)
    return found


def rankings(kept: Evidence) -> dict[str, np.ndarray]:
    """The two lists shown, then rankings that are not: on their own, or both lists in one."""
    aum = aum_suspicion(kept["aum"])
    harm = attribution_suspicion(kept["effects"], 1 - kept["one_minus_p"])
    places = [stats.rankdata(-values) / len(values) for values in (aum, harm)]
    return {
        "aum": aum,
        "attribution": harm,
        "self_influence": kept["self_influence"],
        "loss": kept["one_minus_p"],
        "fisher": -np.log(places).sum(axis=0),  # Fisher 1932
        "sum": stats.zscore(aum) + stats.zscore(harm),
        "larger": -np.minimum(*places),
    }


def report(found: dict[str, Evidence]) -> None:
    print(
        "pattern     wrong  aum  attribution  self_influence  loss  fisher  sum  larger  shown / best  "
        "suspects  in both (at most by chance)  wrong of these"
    )
    for pattern, kept in found.items():
        ranked, wrong = rankings(kept), kept["wrong"].astype(bool)
        n = [len(suspects(ranked[name])) for name in SHOWN]
        shared, in_both = compare_lists(*(ranked[name] for name in SHOWN))
        counts = f"{n[0]} and {n[1]}"
        if shared:
            counts += f"  {shared.n_shared} of {shared.n_top} ({shared.chance_high})"
            counts += f"  {wrong[in_both].mean():.2f}"
        if not wrong.any():
            print(f"{pattern:10} {0:6}  {counts}")
            continue
        value = {name: average_precision(values, wrong) for name, values in ranked.items()}
        ratio = max(value[name] for name in SHOWN) / max(value.values())
        columns = "  ".join(f"{value[name]:.2f}" for name in value)
        print(f"{pattern:10} {int(wrong.sum()):6}  {columns}  {ratio:.2f}  {counts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder that keeps what the trainings left")
    parser.add_argument("--data-seed", type=int, default=0)
    parser.add_argument("--strength", type=float, default=0.95, help="how often the photograph agrees")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = gather(Path(folder), options)
    report(found)


if __name__ == "__main__":
    main()
