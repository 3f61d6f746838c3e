"""Does the model use cues that nobody annotated: each found one exchanged between images by its own edit.

An image's value of a cue is the class that the cue alone names, by a classifier of training images. Donors
with another value stand against donors with the same one, of the image's own class wherever there are any.

Shape legend: S models (seeds), N test images, n images that take part, K classes, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from pipeline.core.progress import track
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.cues.cue import Seen
from pipeline.cues.exchanges.pair import Pair, exchange_side_by_side
from pipeline.cues.eye import CueEye, TraceEye
from pipeline.cues.look import Looked
from pipeline.cues.places import exchanged_places
from pipeline.cues.registry import find_cue
from pipeline.cues.tell import Kind
from pipeline.explain.reliance.backgrounds import Donors, draw_donors
from pipeline.explain.reliance.carrying import Sight
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.cue_use import MAX_SEEN, measure_exchange
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.evaluation import CueExchange, CueUseFound
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.cues.cue_use import natural_shift
from pipeline.statistics.intervals import clip_difference, widen

MOST_CUES = 5  # that are exchanged, the strongest
MOST_IMAGES = 2000  # test images that each is exchanged in: intervals are then 4 points wide at most
MAX_FITTED = 4000  # training images that teach a classifier the cue
ALPHA = 0.05


@dataclass(frozen=True)
class Exchanged:
    """What found cues are exchanged in."""

    models: Sequence[nn.Module]
    train: Looked  # teaches what a cue names
    test: Split
    seen: Seen  # the test split, as cues see it
    rows: Int64Array  # n, test images that take part
    predicted_SN: Int64Array  # of the unchanged test images
    group_names: Sequence[str]
    min_test: int  # images of a group that is large enough
    seed: int
    batch_size: int = 256


def cues_to_exchange(cues: CuesResult | None, *, with_content: bool = True) -> list[CueFinding]:
    """Found cues that stand for themselves and that models can see, the strongest; attributes apart.

    Args:
        with_content: also those that may be what a class looks like, from whose use nothing follows.
    """
    found = [] if cues is None else cues.cues
    kept = [c for c in found if c.found and c.under is None and c.is_visible and c.kind != "column"]
    return [c for c in kept if with_content or not c.may_be_content][:MOST_CUES]


def measure_found_cues(findings: Sequence[CueFinding], data: Exchanged) -> list[CueUseFound]:
    """What exchanging each of them does to predictions; intervals allow for how many there are."""
    if not findings:
        return []
    n = len(data.train.labels_N)
    chosen = np.sort(np.random.default_rng(data.seed).permutation(n)[:MAX_FITTED])
    train = data.train.take(chosen)
    return [_measure(finding, train, data, len(findings)) for finding in findings]


def _measure(finding: CueFinding, train: Looked, data: Exchanged, n_cues: int) -> CueUseFound:
    cue, parts = find_cue(finding.name), exchanged_places(finding)
    blank = CueUseFound(
        name=finding.name,
        title=finding.title,
        part=finding.part,
        parts=parts,
        may_be_content=finding.may_be_content,
        n_images=0,
        own_class=0.0,
        carried=None,
        natural=None,
        exchange=None,
    )
    if cue.exchange is None:
        return blank.model_copy(update={"why_not": "no edit of pixels exchanges it"})
    kind: Kind = "trees" if finding.classifier == "trees" else "centroids" if cue.mostly_silent else "linear"
    eye = CueEye.fit(cue, kind, parts, train)
    if eye is None:
        return blank.model_copy(update={"why_not": "these training images do not have it"})
    return _Exchanger(eye, parts, eye.name_classes(data.seen), data).measure(blank, train, n_cues)


@dataclass(frozen=True)
class _Exchanger:
    """One cue's exchange: made, shown to the classifier of the cue, and to the models."""

    eye: CueEye
    parts: Sequence[str]
    values_N: Int64Array  # the class that the cue names for each test image
    data: Exchanged

    def measure(self, blank: CueUseFound, train: Looked, n_cues: int) -> CueUseFound:
        data = self.data
        rows, test, favored_KK = data.rows, data.test, np.eye(self._n_classes(), dtype=bool)
        drawn = draw_donors(test.labels[rows], self.values_N[rows], data.seed)
        donors = Donors(rows[drawn.rows], rows[drawn.other], rows[drawn.same])
        if not len(donors.rows):
            return blank.model_copy(update={"why_not": "too few test images differ in it"})
        own_class = float((test.labels[donors.other] == test.labels[donors.rows]).mean())
        told = blank.model_copy(
            update={
                "n_images": len(donors.rows),
                "own_class": own_class,
                "natural": natural_shift(
                    data.predicted_SN, test.labels, self.values_N, favored_KK, test.sources
                ),
                "carried": self._carried(train, donors),
            }
        )
        if not told.is_carried:
            return told
        exchanged_Sn, control_Sn = (self._predict(donors.rows, d) for d in (donors.other, donors.same))
        found = measure_exchange(
            f"{blank.name}_exchange",
            exchanged_Sn,
            control_Sn,
            donors=donors,
            test=test,
            values_N=self.values_N,
            predicted_SN=data.predicted_SN,
            favored_VK=favored_KK,
            seed=data.seed,
        )
        groups = self._flips_beyond(exchanged_Sn, control_Sn, donors.rows, n_cues)
        return told.model_copy(update={"exchange": found and _widened(found, n_cues), "groups": groups})

    def _n_classes(self) -> int:
        data = self.data
        return 1 + int(max(data.test.labels.max(), data.predicted_SN.max(), self.values_N.max()))

    def _carried(self, train: Looked, donors: Donors) -> Estimate | None:
        """What a classifier that sees pixels says of a sample of images, before any prediction."""
        witness: CueEye | TraceEye = self.eye
        if self.eye.cue.kind == "file":  # which is read from files: what it leaves in pixels is looked for
            values_N = self.eye.name_classes(train.seen)
            if len(np.unique(values_N)) < 2:
                return None
            witness = TraceEye(train, values_N)
        seed = self.data.seed
        picked = np.sort(np.random.default_rng(seed).permutation(len(donors.rows))[:MAX_SEEN])
        rows, other, same = (column[picked] for column in donors)

        def see(images: UInt8Array, of: Int64Array) -> Int64Array:
            return witness.name_classes(Seen(images, self._masks(of)))

        test = self.data.test
        sight = Sight(
            own_n=see(test.images[rows], rows),
            donor_n=see(test.images[other], other),
            exchanged_n=see(self._edit(rows, other), rows),
            control_n=see(self._edit(rows, same), rows),
        )
        return sight.carried(self.values_N[rows], self.values_N[other])

    def _predict(self, rows: Int64Array, given: Int64Array) -> Int64Array:
        data = self.data
        predicted_Sn = np.empty((len(data.models), len(rows)), np.int64)
        for i in track(range(0, len(rows), data.batch_size), f"exchange of {self.eye.cue.title}"):
            part = slice(i, i + data.batch_size)
            edited = self._edit(rows[part], given[part])
            predicted_Sn[:, part] = predict_classes(data.models, edited, data.batch_size)
        return predicted_Sn

    def _edit(self, rows: Int64Array, given: Int64Array) -> UInt8Array:
        images, facts = self.data.test.images, self.data.seen.facts
        assert self.eye.cue.exchange is not None
        pair = Pair(
            images[rows],
            images[given],
            self._masks(rows),
            self._masks(given),
            None if facts is None else facts.iloc[rows],
            None if facts is None else facts.iloc[given],
            tuple(self.parts),
        )
        return exchange_side_by_side(self.eye.cue.exchange, pair)

    def _masks(self, rows: Int64Array) -> UInt8Array | None:
        masks = self.data.test.masks
        return None if masks is None else masks[rows]

    def _flips_beyond(
        self, exchanged_Sn: Int64Array, control_Sn: Int64Array, rows: Int64Array, n_cues: int
    ) -> list[GroupEstimate]:
        """Per group with images, the flips that the control does not make."""
        data, original_Sn = self.data, self.data.predicted_SN[:, rows]
        groups_n, sources = data.test.groups[rows], data.test.sources
        present = np.unique(groups_n)
        found = []
        for g in present:
            inside = groups_n == g
            change = paired_change(
                (control_Sn != original_Sn)[:, inside],
                (exchanged_Sn != original_Sn)[:, inside],
                seed=data.seed,
                sources_N=None if sources is None else sources[rows][inside],
            )
            wide = clip_difference(widen(change, n_comparisons=n_cues * len(present), alpha=ALPHA))
            found.append(
                GroupEstimate(
                    **wide.model_dump(),
                    index=int(g),
                    name=data.group_names[g],
                    sufficient=wide.n >= data.min_test,
                )
            )
        return found


def _widened(found: CueExchange, n_cues: int) -> CueExchange:
    """Its shifts with intervals that allow for all cues."""
    wide = {
        name: clip_difference(widen(getattr(found, name), n_comparisons=n_cues, alpha=ALPHA))
        for name in ("up", "down", "size")
    }
    return found.model_copy(update=wide)
