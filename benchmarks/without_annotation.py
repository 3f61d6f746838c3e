"""Do groups of a found cue match those that people annotated: `python -m benchmarks.without_annotation`.

A dataset of `params.yaml` (the demo unless named) is packed with its attributes withheld; stages `cues` and
`groups` then run as ever. What they made is compared with the withheld attribute: an image is aligned there
when its value is the one that most training images of its class have. With `--repeat` the same is done for
other seeds of the demo.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import data_folders, dataset_dir, downloads_dir
from pipeline.artifacts.provenance import make_provenance
from pipeline.core.types import SPLIT_NAMES, Int64Array
from pipeline.data.pack import pack_dataset
from pipeline.data.raw import RawDataset
from pipeline.data.sources.registry import load_raw
from pipeline.plan.params_file import read_params
from pipeline.plan.write import refresh
from pipeline.records.data import CONFLICTING
from pipeline.stages import cues, groups
from pipeline.train.group_inference import agreement_in_classes


def withhold(raw: RawDataset) -> RawDataset:
    """The same without its attributes."""
    bare = [replace(row, attributes={}) for row in raw.rows]
    return replace(raw, rows=bare, attribute_values={}, attribute_descriptions={})


def run(name: str, seed: int) -> None:
    settings = read_params().dataset(name)
    source: Any = settings.source
    source = source.model_copy(update={"seed": seed}) if hasattr(source, "seed") else source
    raw = load_raw(source, downloads_dir() / name)
    folder = dataset_dir(name)
    pack_dataset(withhold(raw), settings.data, name=name, folder=folder, provenance=make_provenance(""))
    started = time.perf_counter()
    for stage, module in (("cues", cues), ("groups", groups)):
        refresh(stage, name)
        module.run(name)
    report(name, raw, time.perf_counter() - started)


def report(name: str, raw: RawDataset, seconds: float) -> None:
    info = load_info(data_folders(name))
    print(f"groups: {', '.join(group.name for group in info.groups)} ({seconds:.0f} s)")
    for asked in info.asked:
        used = asked.used
        shown = "cannot be told" if used is None else f"{used.value:+.3f} [{used.low:+.3f}, {used.high:+.3f}]"
        where = f", {asked.part}" if asked.part else ""
        print(f"  {asked.title}{where}: {shown} (n = {used.n if used else 0})")
    for note in info.notes:
        print(f"  {note}")
    if info.attributes[0].origin != "cue":
        return
    given = {row.name: next(iter(row.attributes.values()), "") for row in raw.rows}
    usual: dict[int, str] = {}
    for split_name in SPLIT_NAMES:
        split = load_split(data_folders(name), split_name)
        values_N = np.array([given[file] for file in split.files])
        if split_name == "train":
            usual = {k: _most_common(values_N[split.labels == k]) for k in np.unique(split.labels).tolist()}
        withheld_N = np.array([v != usual[k] for v, k in zip(values_N, split.labels.tolist(), strict=True)])
        is_conflicting_N = split.attributes == info.attributes[0].values.index(CONFLICTING)
        rand = agreement_in_classes(
            is_conflicting_N.astype(np.int64), withheld_N.astype(np.int64), split.labels
        )
        found = _recall(is_conflicting_N, withheld_N)
        agree, n_wanted = (is_conflicting_N == withheld_N).mean(), withheld_N.sum()
        print(
            f"  {split_name}: {agree:.1%} of {len(split):,} images agree; of {n_wanted:,} withheld "
            f"conflicting ones {found:.1%} are found; adjusted Rand {0 if rand is None else rand:.2f}"
        )


def _most_common(values: np.ndarray) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[counts.argmax()])


def _recall(found_N: np.ndarray, wanted_N: np.ndarray) -> float:
    wanted: Int64Array = np.flatnonzero(wanted_N)
    return float(found_N[wanted].mean()) if len(wanted) else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", default="photo_digits")
    parser.add_argument("--repeat", type=int, default=1, help="seeds of the demo")
    options = parser.parse_args()
    root = Path.cwd()
    for seed in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            shutil.copy(root / "params.yaml", "params.yaml")
            if (root / "downloads").exists():
                Path("downloads").symlink_to(root / "downloads")
            print(f"{options.dataset}, seed {seed}")
            run(options.dataset, seed)


if __name__ == "__main__":
    main()
