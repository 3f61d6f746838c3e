"""The YAML head of the cards, as huggingface_hub writes it."""

from __future__ import annotations

import re

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from pipeline.core import words
from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.markdown import plain
from pipeline.verdict import phrases

TAGS = ["image-classification", "spurious-correlations", "shortcut-learning"]
_SIZES = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
]
# what people write -> the hub's identifier; everything else is "other" with the name beside it
_LICENSES = {"mit": "mit", "apache 2.0": "apache-2.0", "cc0": "cc0-1.0", "not stated": "unknown"}
_CREATIVE_COMMONS = re.compile(r"^cc[ -](by(?:-(?:nc-nd|nc-sa|nc|nd|sa))?)[ -](2\.0|2\.5|3\.0|4\.0)$")


def model_data(s: Report, method: str) -> ModelCardData:
    """Metadata of a model: labels for searching and its main results."""
    test = s.methods[method].test
    results: list[tuple[str, Estimate]] = [("Average accuracy", test.average)]
    if test.worst_group.sufficient:
        results.append(("Worst-group accuracy", test.worst_group))
    return ModelCardData(
        model_name=plain(f"{phrases.method_label(method)} on {s.dataset.title}"),
        pipeline_tag="image-classification",
        library_name="pytorch",
        tags=[*TAGS, method.replace("_", "-")],
        metrics=["accuracy"],
        eval_results=[
            EvalResult(
                task_type="image-classification",
                dataset_type=s.dataset.name,
                dataset_name=plain(s.dataset.title),
                dataset_split="test",
                metric_type="accuracy",
                metric_name=f"{name} ({_interval(estimate)})",
                metric_value=estimate.value,
            )
            for name, estimate in results
        ],
    )


def dataset_data(s: Report) -> DatasetCardData:
    """Metadata of a dataset."""
    licence, licence_name = license_id(s.dataset.source_info.licence)
    return DatasetCardData(
        pretty_name=plain(s.dataset.title),
        license=licence,
        license_name=licence_name,
        task_categories=["image-classification"],
        size_categories=[size_category(sum(s.dataset.n.values()))],
        tags=TAGS[1:],
    )


def license_id(text: str) -> tuple[str, str | None]:
    """The hub's identifier of a license and, where it has none, the words that name it."""
    words = " ".join(plain(text).lower().split())
    known = _LICENSES.get(words)
    found = _CREATIVE_COMMONS.match(words)
    if found:
        known = f"cc-{found[1]}-{found[2]}"
    return (known, None) if known else ("other", plain(text))


def size_category(n: int) -> str:
    """The hub's range that `n` images fall into."""
    return next((name for limit, name in _SIZES if n < limit), "n>10M")


def _interval(e: Estimate) -> str:
    """Its own field does not exist, and an accuracy alone would say too much."""
    return f"95% interval {words.number(e.low, 3)} to {words.number(e.high, 3)}, n = {words.count(e.n)}"
