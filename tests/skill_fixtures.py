"""How well a model tells classes apart, for the report's tests."""

from __future__ import annotations

from pipeline.core.results import ClassSkill
from tests.proof_fixtures import around


def skill(
    *per_seed: float,
    half: float = 0.02,
    n_classes: int = 2,
    never: list[str] | None = None,
    follows: list[float] | None = None,
) -> ClassSkill:
    """Balanced accuracies of the seeds, their mean with an interval of `half` on either side."""
    found = [around(value, 0.02, 1000) for value in per_seed]
    mean = sum(per_seed) / len(per_seed)
    return ClassSkill(
        balanced_accuracy=around(mean, half, 1000),
        per_seed=found * (3 if len(found) == 1 else 1),
        n_classes=n_classes,
        never_predicted=never or [],
        follows=[around(value, 0.02, 1000) for value in follows or []],
    )
