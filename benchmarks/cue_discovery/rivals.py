"""What cleanlab's Datalab and Deepchecks say of the same folders, in an environment of their own.

    python -m benchmarks.cue_discovery --write FOLDER --bases cifar100 --seeds 1
    python3.11 -m venv RIVALS
    RIVALS/bin/pip install torch torchvision "cleanlab[image]" "deepchecks[vision]" \
        "numpy<2" "scikit-learn<1.4" "pandas<2.2" "datasets<4" "pyarrow<22" "setuptools<81"
    RIVALS/bin/python -P benchmarks/cue_discovery/rivals.py FOLDER/cifar100/*

The bounds keep what Deepchecks 0.19.1 was made for; datasets and pyarrow are those that go with NumPy 1. It
needs torchvision, and torchvision the very torch that it was built with, so both come from one index. With
the CUDA libraries that PyPI's torch brings the installation took six minutes here (cleanlab 2.9.0, torch
2.15.0). `-P` keeps the modules beside this file from hiding libraries of the same name.

Both tools see training images as any user would hand them over, with their defaults. Datalab: a property of
the image (odd size, proportions, dark, light, blurry, gray, little information) is a spurious correlation
where its score is below .3. Deepchecks: a property (proportions, area, brightness, contrast, shares of red,
green, blue) fails where its predictive power score for the label is .3 or more.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

SPURIOUS_BELOW, PPS_FROM = 0.3, 0.3  # the tools' own thresholds
BATCH = 200


class Answer(NamedTuple):
    """The properties that a tool names, and of all the one that goes most with the label."""

    named: list[str]
    strongest: str
    score: float


def ask_datalab(files: list[Path], labels: list[str]) -> Answer:
    """Correlations of Datalab's image properties with the label; a lower score is a stronger one."""
    from cleanlab import Datalab
    from datasets import Dataset
    from datasets import Image as ImageColumn

    data = Dataset.from_dict({"image": [str(file) for file in files], "label": labels})
    lab = Datalab(data.cast_column("image", ImageColumn()), label_name="label", image_key="image")
    lab.find_issues()
    scores = lab.get_info("spurious_correlations")["correlations_df"].set_index("property")["score"]
    scores.index = [name.removesuffix("_score") for name in scores.index]
    strongest = str(scores.idxmin())
    return Answer(sorted(scores.index[scores < SPURIOUS_BELOW]), strongest, float(scores.min()))


def ask_deepchecks(files: list[Path], labels: list[str]) -> Answer:
    """Predictive power of Deepchecks' image properties for the label; a higher score is a stronger one."""
    from deepchecks.vision import VisionData
    from deepchecks.vision.checks import PropertyLabelCorrelation

    classes = sorted(set(labels))
    data = VisionData(
        batch_loader=list(_batches(files, [classes.index(label) for label in labels])),
        task_type="classification",
        label_map=dict(enumerate(classes)),
        reshuffle_data=False,
    )
    scores = pd.Series(PropertyLabelCorrelation().run(data, with_display=False).value)
    return Answer(sorted(scores.index[scores >= PPS_FROM]), str(scores.idxmax()), float(scores.max()))


TOOLS = {"Datalab": ask_datalab, "Deepchecks": ask_deepchecks}


def main() -> None:
    parser = argparse.ArgumentParser(description="What other tools say of folders with table.csv.")
    parser.add_argument("folders", nargs="+", type=Path)
    options = parser.parse_args()
    print(f"| folder | {' | '.join(f'{tool}: named | strongest' for tool in TOOLS)} |")
    print(f"| --- |{' --- | --- |' * len(TOOLS)}")
    for folder in options.folders:
        files, labels = read_training(folder)
        cells = [_cells(*_quietly(ask, files, labels)) for ask in TOOLS.values()]
        print(f"| {folder.name} | {' | '.join(cells)} |", flush=True)


def read_training(folder: Path) -> tuple[list[Path], list[str]]:
    """Files and labels of the training split, in the table's order."""
    table = pd.read_csv(folder / "table.csv")
    train = table[table["split"] == "train"]
    return [folder / name for name in train["file"]], list(train["label"])


def _batches(files: list[Path], labels: list[int]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(files), BATCH):
        part = slice(start, start + BATCH)
        images = [np.asarray(Image.open(file).convert("RGB")) for file in files[part]]
        yield {"images": images, "labels": labels[part]}


def _quietly(ask: Any, files: list[Path], labels: list[str]) -> Answer:
    """Without what the tools print on the way."""
    said = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        warnings.simplefilter("ignore")
        answer: Answer = ask(files, labels)
    return answer


def _cells(named: list[str], strongest: str, score: float) -> str:
    return f"{', '.join(named) or 'none'} | {strongest} {score:.2f}"


if __name__ == "__main__":
    main()
