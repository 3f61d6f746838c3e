"""Exchange: plain training in whose batches a cue is exchanged between images at random.

The cue is found by the method itself, on the training images alone (`audit.cues`): nothing that another
stage makes decides what it trains. Files' facts are not read, since networks see pixels.

Shape legend: N training images, B images of a batch, H height, W width.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pipeline.core.errors import CannotTrainError
from pipeline.methods.method import CLASSES, KnownLabels, NetworkMethod, Words, selection_labels
from pipeline.methods.recipe import Recipe, Trained
from pipeline.records.references import printed
from pipeline.settings.methods import NetworkSettings

if TYPE_CHECKING:
    from pipeline.core.types import Int64Array, Split, UInt8Array
    from pipeline.cues.cue import Cue
    from pipeline.records.cues import CueFinding
    from pipeline.settings.cues import CuesSettings
    from pipeline.train.fitting import SeedRun

_log = logging.getLogger(__name__)
# What a class looks like shows in texture, layout and single spots: exchanging these takes it away, while
# a class in other colors is mostly the same class.
HARMLESS = ("color",)
MOST_SEEN = 600  # training images on which it is seen what an exchange leaves


class ExchangeSettings(NetworkSettings):
    """A cue is exchanged between the images of a batch."""

    key: ClassVar[str] = "exchange"
    share: float = Field(gt=0, le=1, description="of a batch's images that get another image's cue")


class ExchangeMethod(NetworkMethod[ExchangeSettings]):
    settings = ExchangeSettings
    sections = ("cues",)  # how the cue is looked for
    words = Words(
        label="Exchange",
        first="exchanging the cue in training (Exchange)",
        subtitle="plain training in whose batches what gives the class away is exchanged at random",
        text="Of the cues that alone tell the class in training images, the one whose exchange leaves least "
        "to tell is exchanged at random between the images of every batch, by the edit that its use is "
        "tested with; an exchange of backgrounds takes the images' masks. No group labels are needed. Cues "
        "that may be what a class looks like are left alone, apart from color.",
        sources=(
            printed(
                "Yang, Soatto",
                2020,
                "CVPR, pp. 4085-4095",
                "FDA: Fourier domain adaptation for semantic segmentation",
            ),
        ),
    )

    def labels_used(self, settings: ExchangeSettings, known: KnownLabels) -> list[str]:
        found = "class labels (train, which cue tells them)"
        return [CLASSES, found, *selection_labels(settings.selection, known.groups, known.early)]

    def train_seed(self, run: SeedRun, recipe: Recipe[ExchangeSettings]) -> Trained:
        """Find the cue, then train with it exchanged.

        Raises:
            CannotTrainError: no cue that can be exchanged tells the class, or selection lacks validation
                images in a group.
        """
        from pipeline.settings.cues import CuesSettings
        from pipeline.train.plans import plain_plan

        settings = recipe.setup.settings
        self.check(settings, run.groups, batch_size=run.settings.batch_size)
        cue, parts = find_exchanged(
            run.train, run.info.classes, CuesSettings.model_validate(recipe.setup.sections["cues"])
        )
        named = f"{cue.title} ({', '.join(parts)})" if parts else cue.title
        _log.info("%s seed %d: %s is exchanged", run.name, run.seed, named)
        edit = BatchExchange(run.train, cue, tuple(parts), settings.share)
        plan = plain_plan(run.groups, settings.selection)
        return Trained(run.fit(replace(plan, edit=edit)))

    def why_not_retrained(self, settings: ExchangeSettings) -> str | None:
        return "its cue is found among all training images"


def find_exchanged(train: Split, classes: Sequence[str], settings: CuesSettings) -> tuple[Cue, list[str]]:
    """Of the cues that may be exchanged the one whose exchange leaves least to tell, and its places.

    Raises:
        CannotTrainError: there is none; with what was found instead.
    """
    import numpy as np

    from pipeline.cues.look import look
    from pipeline.cues.places import exchanged_places
    from pipeline.cues.registry import find_cue
    from pipeline.data_audit.cues.audit import audit_cues
    from pipeline.records.base import Provenance

    nothing = look(train.take(np.zeros(0, np.int64)), None)
    quick = settings.model_copy(
        update={"trees_max_train": 0}
    )  # what only trees see no edit is known to carry
    result = audit_cues(look(train, None), nothing, classes, quick, Provenance())
    found = [cue for cue in result.cues if cue.found]
    content = {cue.name for cue in found if cue.may_be_content and cue.name not in HARMLESS}
    candidates = [
        (find_cue(cue.name), exchanged_places(cue))
        for cue in found
        if cue.name in HARMLESS or not {cue.name, cue.under} & content  # what follows from content is content
    ]
    candidates = [(cue, parts) for cue, parts in candidates if cue.exchange is not None]
    if not candidates:
        raise CannotTrainError(f"exchange has no cue to exchange: {_instead(found, result.n_tests)}.")
    if len(candidates) == 1:
        return candidates[0]
    left = _told_after(train, found, candidates, settings.seed)
    return candidates[int(np.argmin(left))]


def _told_after(
    train: Split, found: Sequence[CueFinding], candidates: Sequence[tuple[Cue, list[str]]], seed: int
) -> list[float]:
    """Mean accuracy of the found cues' classifiers once each candidate was exchanged at random."""
    import numpy as np

    from pipeline.cues.cue import Seen
    from pipeline.cues.exchanges.pair import Pair
    from pipeline.cues.eye import CueEye
    from pipeline.cues.look import look
    from pipeline.cues.places import exchanged_places
    from pipeline.cues.registry import find_cue

    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:MOST_SEEN])
    sample, given = train.take(rows), np.random.default_rng(seed + 1).permutation(len(rows))
    seen = look(sample, None)
    fitted = [CueEye.fit(find_cue(cue.name), "linear", exchanged_places(cue), seen) for cue in found]
    eyes, masks = [eye for eye in fitted if eye is not None], sample.masks
    left = []
    for cue, parts in candidates:
        assert cue.exchange is not None
        donors_masks = None if masks is None else masks[given]
        pair = Pair(sample.images, sample.images[given], masks, donors_masks, parts=tuple(parts))
        edited = Seen(cue.exchange(pair), masks)
        left.append(float(np.mean([(eye.name_classes(edited) == sample.labels).mean() for eye in eyes])))
    return left


def _instead(found: Sequence[CueFinding], n_tests: int) -> str:
    if not found:
        return f"none of {n_tests} tries on the pixels of the training images tells the class"
    return (
        f"what tells the class, {found[0].title} first, may be what the classes look like, and exchanging "
        "that would take it away"
    )


@dataclass(frozen=True)
class BatchExchange:
    """Images of a batch with the cue of others of the batch."""

    train: Split
    cue: Cue
    parts: tuple[str, ...]
    share: float

    def __call__(self, rows_B: Int64Array, seed: int) -> UInt8Array:
        """The edited images, B x H x W x 3: which get whose cue is a function of `rows_B` and `seed`."""
        import numpy as np

        from pipeline.cues.exchanges.pair import Pair

        assert self.cue.exchange is not None
        rng = np.random.default_rng(seed)
        given_B = np.where(rng.random(len(rows_B)) < self.share, rng.permutation(rows_B), rows_B)
        images = self.train.images[rows_B]
        changed = np.flatnonzero(given_B != rows_B)
        own, given, masks = rows_B[changed], given_B[changed], self.train.masks
        if not len(changed):
            return images
        pair = Pair(
            images[changed],
            self.train.images[given],
            None if masks is None else masks[own],
            None if masks is None else masks[given],
            parts=self.parts,
        )
        images[changed] = self.cue.exchange(pair)
        return images


METHOD = ExchangeMethod()
