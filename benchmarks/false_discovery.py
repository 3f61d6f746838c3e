"""How often label-shuffled copies of a data set report a finding: `python -m benchmarks.false_discovery`.

In a shuffled copy color says nothing about the label, so every report is false. Colors are measured
once; per copy the labels are permuted within each split, and the audit's findings and its linear
color-only classifier run with the default settings. A copy counts when there is any color finding, or
when color alone would be called available: kappa of at least `min_kappa`, p below `alpha` and an
interval above 0. At most 5 % of the copies should.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from benchmarks.color_features import random_images
from pipeline.artifacts.datasets import load_packed, load_packed_split
from pipeline.core.types import Float32Array, Int64Array, Split, SplitName
from pipeline.data_audit.color.classifier import Data, cross_fitted
from pipeline.data_audit.color.findings import Features, find_color_differences
from pipeline.data_audit.color.inputs import view_colors
from pipeline.data_audit.color.wording import LABEL, Target
from pipeline.pixels.color_features import FeatureName
from pipeline.plan.params_file import read_params
from pipeline.settings.audit import ColorSettings
from pipeline.settings.parsing import parse
from pipeline.statistics.intervals import wilson

SYNTHETIC: dict[SplitName, int] = {"train": 5000, "test": 1000}
SYNTHETIC_CLASSES = 10


class Measured(NamedTuple):
    """Everything of a data set that does not depend on its labels, and the labels."""

    train_NF: Float32Array
    test_NF: Float32Array
    inputs_ND: Float32Array
    names: list[FeatureName]
    classes: list[str]
    train_labels: Int64Array
    test_labels: Int64Array


class Copy(NamedTuple):
    """What one shuffled copy reported."""

    n_findings: int
    kappa: float
    p_value: float
    is_available: bool


def measure(folder: Path | None) -> Measured:
    """Colors and labels of a packed data set, or of synthetic images."""
    if folder is None:
        train, test = (synthetic(name, n) for name, n in SYNTHETIC.items())
        classes = [f"class {k}" for k in range(SYNTHETIC_CLASSES)]
    else:
        train, test = load_packed_split(folder, "train"), load_packed_split(folder, "test")
        classes = load_packed(folder).classes
    train_view, test_view, names = view_colors(train, test)
    return Measured(
        train_view.features_NF,
        test_view.features_NF,
        train_view.inputs_ND,
        names.colors,
        classes,
        train.labels,
        test.labels,
    )


def synthetic(name: SplitName, n: int) -> Split:
    labels = np.arange(n) % SYNTHETIC_CLASSES
    return Split(
        name=name,
        images=random_images(n, 32, seed=n),
        labels=labels,
        attributes=np.zeros_like(labels),
        groups=labels,
        ids=np.arange(n),
        files=np.full(n, ""),
    )


def audit_copy(data: Measured, settings: ColorSettings, copy: int) -> Copy:
    """Findings and color-only predictability of the data set with its labels shuffled."""
    rng = np.random.default_rng([copy, 1])
    train_labels, test_labels = rng.permutation(data.train_labels), rng.permutation(data.test_labels)
    chosen = settings.model_copy(update={"seed": copy})
    findings = find_color_differences(
        Features(data.train_NF, train_labels),
        Features(data.test_NF, test_labels),
        data.names,
        Target(LABEL, data.classes),
        chosen,
    )
    only = cross_fitted(Data(data.inputs_ND, train_labels), LABEL, len(data.classes), chosen)
    is_available = only.kappa >= chosen.min_kappa and only.p_value < chosen.alpha and only.low > 0
    return Copy(len(findings), only.kappa, only.p_value, is_available)


def summary(copies: list[Copy], alpha: float) -> str:
    """The share of copies that reported anything, with its interval."""
    n = len(copies)
    flagged = sum(copy.n_findings > 0 or copy.is_available for copy in copies)
    band = wilson(flagged, n)
    return (
        f"{flagged} of {n} copies report something: {flagged / n:.1%} [{band.low:.1%}, {band.high:.1%}] "
        f"(findings in {sum(c.n_findings > 0 for c in copies)}, color alone in "
        f"{sum(c.is_available for c in copies)}; p < {alpha} without regard to size in "
        f"{sum(c.p_value < alpha for c in copies)}; largest kappa {max(c.kappa for c in copies):.4f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?", help="packed folder; default: synthetic images")
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    settings = parse(ColorSettings, read_params().defaults["color"], "defaults.color")
    started = time.perf_counter()
    data = measure(options.dataset)
    print(
        f"{options.dataset or 'synthetic'}: {len(data.train_labels):,} train images, "
        f"{len(data.classes)} classes, {len(data.names)} features, {settings.permutations} permutations; "
        f"colors measured in {time.perf_counter() - started:.1f} s",
        flush=True,
    )
    started = time.perf_counter()
    copies: list[Copy] = []
    work = (delayed(audit_copy)(data, settings, copy) for copy in range(options.copies))
    for copy in Parallel(n_jobs=options.jobs, return_as="generator_unordered")(work):
        copies.append(copy)
        if len(copies) % 10 == 0 or len(copies) == options.copies:
            seconds = time.perf_counter() - started
            print(f"{seconds:7.0f} s: {summary(copies, settings.alpha)}", flush=True)


if __name__ == "__main__":
    main()
