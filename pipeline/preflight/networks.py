"""A smaller network where the one asked for would take hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.preflight.minutes import Work, estimate_seconds
from pipeline.preflight.speed import Speed, measure_speed
from pipeline.settings.train import TrainSettings

MANY_SECONDS = 2 * 3600.0
_GOAL_SECONDS = 3600.0


@dataclass(frozen=True)
class Proposal:
    """What to write under `train`, and how long all stages would take then."""

    train: dict[str, object]
    seconds: float


def propose_network(work: Work, classes: Sequence[str], seconds: float) -> Proposal | None:
    """The largest network that ends within an hour, else the fastest; None where nothing need be done."""
    if seconds < MANY_SECONDS:
        return None
    best: Proposal | None = None
    for change in _smaller(work.settings.train, work.settings.data.image_size):
        settings = work.settings.model_copy(update={"train": work.settings.train.model_copy(update=change)})
        changed = Work(settings, work.sizes, work.methods, work.explained)
        taken = sum(estimate_seconds(changed, baseline_speed(changed, classes)).values())
        if best is None or taken < best.seconds:
            best = Proposal(change, taken)
        if taken <= _GOAL_SECONDS:
            break
    return best if best is not None and best.seconds < seconds / 2 else None


def baseline_speed(work: Work, classes: Sequence[str]) -> Speed:
    """The speed of the baseline's network."""
    return measure_speed(work.settings.train_for(work.methods[0]), classes, work.settings.data.image_size)


def _smaller(train: TrainSettings, image_size: int) -> Iterator[dict[str, object]]:
    """Small residual networks, the largest first; larger images are taken in with larger strides."""
    stride = 1 if image_size <= 32 else 2 if image_size <= 64 else 4
    for width in (32, 16, 8):
        change: dict[str, object] = {"model": "small_resnet", "width": width, "stem_stride": stride}
        if train.pretrained:
            change["pretrained"] = False
        is_same = train.model == "small_resnet" and (train.width, train.stem_stride) == (width, stride)
        is_larger = train.model == "small_resnet" and width > train.width
        if not is_same and not is_larger:
            yield change
