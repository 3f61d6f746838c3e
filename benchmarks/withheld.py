"""What does annotation buy? The same dataset without its attributes, run whole, beside the annotated one.

    python -m benchmarks.withheld write photo_digits FOLDER   # images and a table of labels and splits alone
    # add the entry that it prints to params.yaml, make both datasets active, `dvc repro`, then
    python -m benchmarks.withheld compare photo_digits photo_digits_bare --methods erm group_dro repair

`compare` measures both runs by the groups of the *withheld* attribute, on the same test images: true
worst-group accuracy of each method, and what the run without annotation gains less (paired, over seeds).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.paths import data_folders, downloads_dir, evaluation_dir
from pipeline.core.types import BoolArray, Int64Array
from pipeline.data.raw import RawRow
from pipeline.data.sources.registry import load_raw
from pipeline.plan.params_file import read_params
from pipeline.records.base import Estimate
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.intervals import accuracy_over_seeds


def write(name: str, folder: Path) -> None:
    """Images under their own names, and `table.csv` with file, label and split."""
    raw = load_raw(read_params().dataset(name).source, downloads_dir() / name)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(_put(row, folder), row.label, row.split or "") for row in raw.rows]
    with (folder / "table.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label", "split"), *rows])
    print(f"  {name}_bare:\n    source:\n      kind: table\n      path: {folder.resolve()}")
    print("      table: table.csv")
    print("      columns: { file: file, label: label, split: split }")
    print(f"    # and what else the entry of {name} has, apart from what names its attribute")


def _put(row: RawRow, folder: Path) -> str:
    name = _bare_name(row.name)
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(row.image, Path):
        file.unlink(missing_ok=True)
        file.symlink_to(row.image.resolve())
    else:
        cv2.imwrite(str(file), cv2.cvtColor(row.image, cv2.COLOR_RGB2BGR))
    return name


def _bare_name(name: str) -> str:
    """Says nothing: names of the demo's images, and folders of official ones, tell what was withheld."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:12] + Path(name).suffix


def compare(given: str, bare: str, methods: list[str]) -> None:
    split = load_split(data_folders(given), "test")
    files = [_bare_name(file) for file in split.files]
    place = {file: i for i, file in enumerate(load_split(data_folders(bare), "test").files)}
    order = [place[file] for file in files]
    print("| method | group | with annotation | without | without - with |\n|---|---|---|---|---|")
    for method in methods:
        with_SN, without_SN = load_correct(given, method), load_correct(bare, method)[:, order]
        worst = _worst(with_SN, split.groups), _worst(without_SN, split.groups)
        for g in sorted(set(worst)):
            inside = split.groups == g
            change = paired_change(with_SN[:, inside], without_SN[:, inside], seed=0)
            told = [
                percent(accuracy_over_seeds(correct_SN[:, inside])) for correct_SN in (with_SN, without_SN)
            ]
            marks = ["*" if g == w else "" for w in worst]
            print(
                f"| {method} | {g} (n = {inside.sum():,}) | {told[0]}{marks[0]} | {told[1]}{marks[1]} "
                f"| {percent(change, sign='+')} |"
            )
    print("\n*: the worst group of that run; groups are those of the annotated attribute")


def load_correct(name: str, method: str) -> BoolArray:
    """What a method gets right on test, seed by seed."""
    table = pd.read_parquet(evaluation_dir(name, method) / "predictions.parquet")
    table = table[table["split"] == "test"].sort_values(["seed", "id"])
    return table["correct"].to_numpy().reshape(table["seed"].nunique(), -1)


def _worst(correct_SN: BoolArray, groups_N: Int64Array) -> int:
    shares = {int(g): correct_SN[:, groups_N == g].mean() for g in np.unique(groups_N)}
    return min(shares, key=lambda g: shares[g])


def percent(found: Estimate, sign: str = "") -> str:
    return f"{100 * found.value:{sign}.1f} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    writing = commands.add_parser("write")
    writing.add_argument("dataset")
    writing.add_argument("folder", type=Path)
    writing.set_defaults(run=lambda asked: write(asked.dataset, asked.folder))
    comparing = commands.add_parser("compare")
    comparing.add_argument("given")
    comparing.add_argument("bare")
    comparing.add_argument("--methods", nargs="+", default=["erm", "group_dro", "repair"])
    comparing.set_defaults(run=lambda asked: compare(asked.given, asked.bare, asked.methods))
    asked = parser.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
