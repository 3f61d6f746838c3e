"""Does the model use the cue: exchanges of it between images, in both directions, beyond their controls.

Which exchanges are predicted is decided by whether they carry the cue (`carrying`), before any prediction
is looked at.

Shape legend: S models (seeds), N test images, n images that take part, V values, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from pipeline.core.progress import track
from pipeline.core.types import BoolArray, Int64Array, Split, UInt8Array
from pipeline.cues.exchanges.backgrounds import exchange_background
from pipeline.cues.exchanges.pair import Pair
from pipeline.explain.reliance.backgrounds import Donors, draw_donors
from pipeline.explain.reliance.carrying import AttributeEye, Sight
from pipeline.explain.reliance.changed import Changed, predict_classes
from pipeline.explain.reliance.exchanges import EXCHANGES
from pipeline.explain.reliance.interventions import SWAP, has_annotated_cue
from pipeline.explain.reliance.kept import Watch, look_away
from pipeline.records.base import Estimate
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import Carried, CueAssociation, CueExchange, CueUse
from pipeline.statistics.cues.association import cramers_v
from pipeline.statistics.cues.cue_use import exchange_shifts, favored_classes, natural_shift
from pipeline.statistics.intervals import accuracy_over_seeds

LOOK = "look_exchange"  # the most that can be exchanged without masks
COLOR = "color_exchange"
FULLY_CARRIED = 0.8  # a second exchange is not needed
CLOSE = 0.9  # of the best one's share: about as good
MAX_SEEN = 400  # images on which it is judged what an exchange carries


@dataclass(frozen=True)
class Cue:
    """What is exchanged: an annotated attribute or, where there is none, color by the class it points to."""

    name: str
    is_attribute: bool
    values: list[str]
    test_values_N: Int64Array
    known: Split  # images whose values `known_values_N` teach a classifier to see the cue
    known_values_N: Int64Array
    association: CueAssociation | None  # None of color: the color audit knows
    favored_VK: BoolArray


def attribute_cue(train: Split, test: Split, info: DatasetInfo) -> Cue:
    """The attribute that forms the groups, with the classes that go with each value in training."""
    attribute, n_classes = info.attributes[0], len(info.classes)
    n_values = len(attribute.values)
    table = np.zeros((n_classes, n_values), np.int64)
    np.add.at(table, (train.labels, train.attributes), 1)
    found = cramers_v(table)
    return Cue(
        attribute.name,
        True,
        attribute.values,
        test.attributes,
        train,
        train.attributes,
        CueAssociation(cramers_v=found.cramers_v, p_value=found.p_value, n=len(train)),
        favored_classes(train.labels, train.attributes, n_classes, n_values),
    )


def color_cue(test: Split, info: DatasetInfo, color_predicted_N: Int64Array) -> Cue:
    """Color, where no attribute is annotated; an image's value is the class that color alone names."""
    return Cue(
        "color",
        False,
        info.classes,
        color_predicted_N,
        test,
        color_predicted_N,
        None,
        np.eye(len(info.classes), dtype=bool),
    )


def choose_cue(train: Split, test: Split, info: DatasetInfo, color_predicted_N: Int64Array) -> Cue:
    """The annotated attribute that forms the groups, else color."""
    if has_annotated_cue(info):
        return attribute_cue(train, test, info)
    return color_cue(test, info, color_predicted_N)


def measure_cue_use(
    cue: Cue,
    *,
    models: Sequence[nn.Module],
    test: Split,
    rows: Int64Array,
    predicted_SN: Int64Array,
    swap: Changed | None,
    seed: int,
    batch_size: int = 256,
    watch: Watch = look_away,
) -> CueUse:
    """What exchanges of the cue do to predictions, and how real images with another value differ.

    Args:
        rows: the test images that take part.
        predicted_SN: on all test images, unchanged.
        swap: predictions with exchanged backgrounds, where masks allow them.
        watch: is shown every exchanged batch with its predictions.
    """
    exchanger = _Exchanger(
        cue, models, test, draw_cue_donors(cue, test, rows, seed), predicted_SN, seed, batch_size, watch
    )
    carried = exchanger.carried(swap)
    found = [exchanger.exchange(name, swap) for name in choose_exchanges(carried)]
    exchanges = [exchange for exchange in found if exchange is not None]
    return natural_use(cue, test, predicted_SN).model_copy(
        update={"carried": carried, "exchanges": exchanges}
    )


def natural_use(cue: Cue, test: Split, predicted_SN: Int64Array) -> CueUse:
    """What real images with another value of the cue say; nothing is exchanged."""
    return CueUse(
        cue=cue.name,
        is_attribute=cue.is_attribute,
        values=cue.values,
        association=cue.association,
        natural=natural_shift(predicted_SN, test.labels, cue.test_values_N, cue.favored_VK, test.sources),
        carried=[],
        exchanges=[],
    )


def draw_cue_donors(cue: Cue, test: Split, rows: Int64Array, seed: int) -> Donors:
    """Donors with another value and with the same, as positions in the test split."""
    drawn = draw_donors(test.labels[rows], cue.test_values_N[rows], seed)
    return Donors(rows[drawn.rows], rows[drawn.other], rows[drawn.same])


def is_full(carried: Carried) -> bool:
    """Whether an exchange carries all of the cue that simple statistics see."""
    return carried.share is not None and carried.share.value >= FULLY_CARRIED


def choose_exchanges(carried: Sequence[Carried]) -> list[str]:
    """The exchanges to predict, the one that carries most first: at most the best one, and the widest.

    Of those that carry the cue about equally well the first listed changes least.
    """
    enough = {c.name: c.share.value for c in carried if c.share is not None and c.is_of_the_cue}
    if any(found.name == SWAP and is_full(found) for found in carried):
        return [SWAP]
    single = {name: share for name, share in enough.items() if name != LOOK}
    chosen = (
        [next(name for name, share in single.items() if share >= CLOSE * max(single.values()))]
        if single
        else []
    )
    if LOOK in enough:
        chosen.append(LOOK)
    return sorted(chosen, key=lambda name: -enough[name])


def measure_exchange(
    name: str,
    exchanged_Sn: Int64Array,
    control_Sn: Int64Array,
    *,
    donors: Donors,
    test: Split,
    values_N: Int64Array,
    predicted_SN: Int64Array,
    favored_VK: BoolArray,
    seed: int,
) -> CueExchange | None:
    """Flips and shifts by an exchange beyond its control; None where no two values favor different classes.

    Args:
        exchanged_Sn, control_Sn: classes of `donors.rows` with donors of another value and of the same.
        values_N: of all test images, as `predicted_SN`, which is of them unchanged.
    """
    original_Sn = predicted_SN[:, donors.rows]
    sources_n = None if test.sources is None else test.sources[donors.rows]
    shifts = exchange_shifts(
        exchanged_Sn,
        control_Sn,
        test.labels[donors.rows],
        values_N[donors.rows],
        values_N[donors.other],
        favored_VK,
        seed=seed,
        sources_N=sources_n,
    )
    if shifts is None:
        return None
    return CueExchange(
        name=name,
        n_images=len(donors.rows),
        flip_rate=accuracy_over_seeds(exchanged_Sn != original_Sn, sources_N=sources_n),
        flip_rate_control=accuracy_over_seeds(control_Sn != original_Sn, sources_N=sources_n),
        **shifts._asdict(),
    )


@dataclass(frozen=True)
class _Exchanger:
    """Makes exchanged images, shows them to the classifier of the cue, and to the models."""

    cue: Cue
    models: Sequence[nn.Module]
    test: Split
    donors: Donors  # of exchanges that need no swapped background
    predicted_SN: Int64Array
    seed: int
    batch_size: int
    watch: Watch

    def carried(self, swap: Changed | None) -> list[Carried]:
        """Every exchange that masks and cue allow, with what it carries; a full swap stands alone."""
        if len(np.unique(self.cue.known_values_N)) < 2 or not len(self.donors.rows):
            return []
        found = list[Carried]()
        if swap is not None and swap.donors is not None and self.cue.is_attribute:
            found.append(
                Carried(name=SWAP, share=self._share(self._eye(background_only=True), SWAP, swap.donors))
            )
            if is_full(found[0]):
                return found
        eye = self._eye(background_only=False)
        for name, exchange in EXCHANGES.items():
            is_possible = self.test.masks is not None or not exchange.needs_masks
            if is_possible and (self.cue.is_attribute or name == COLOR):
                found.append(Carried(name=name, share=self._share(eye, name, self.donors)))
        return found

    def _eye(self, *, background_only: bool) -> AttributeEye:
        with_masks = self.test.masks is not None
        return AttributeEye(
            self.cue.known,
            self.cue.known_values_N,
            self.seed,
            with_masks=with_masks,
            background_only=background_only,
        )

    def exchange(self, name: str, swap: Changed | None) -> CueExchange | None:
        """Predictions after one exchange; None where no two values favor different classes."""
        donors = self.donors
        if name == SWAP and swap is not None and swap.donors is not None and swap.control_Sn is not None:
            donors, exchanged_Sn, control_Sn = swap.donors, swap.predicted_Sn, swap.control_Sn
        else:
            exchanged_Sn = self._predict(name, donors.other, self.watch)
            control_Sn = self._predict(name, donors.same, look_away)
        return measure_exchange(
            name,
            exchanged_Sn,
            control_Sn,
            donors=donors,
            test=self.test,
            values_N=self.cue.test_values_N,
            predicted_SN=self.predicted_SN,
            favored_VK=self.cue.favored_VK,
            seed=self.seed,
        )

    def _predict(self, name: str, given_n: Int64Array, watch: Watch) -> Int64Array:
        rows = self.donors.rows
        predicted_Sn = np.empty((len(self.models), len(rows)), np.int64)
        for i in track(range(0, len(rows), self.batch_size), name.replace("_", " ")):
            part = slice(i, i + self.batch_size)
            edited = self._edit(name, rows[part], given_n[part])
            predicted_Sn[:, part] = predict_classes(self.models, edited, self.batch_size)
            watch(name, rows[part], edited, predicted_Sn[:, part])
        return predicted_Sn

    def _share(self, eye: AttributeEye, name: str, donors: Donors) -> Estimate | None:
        """What the classifier of the cue says of a sample of images."""
        values_N = self.cue.test_values_N
        picked = np.sort(np.random.default_rng(self.seed).permutation(len(donors.rows))[:MAX_SEEN])
        rows, other, same = (column[picked] for column in donors)
        sight = Sight(
            own_n=eye.see(*self._look_up(rows)),
            donor_n=eye.see(*self._look_up(other)),
            exchanged_n=eye.see(self._edit(name, rows, other), self._look_up(rows)[1]),
            control_n=eye.see(self._edit(name, rows, same), self._look_up(rows)[1]),
        )
        return sight.carried(values_N[rows], values_N[other])

    def _edit(self, name: str, rows: Int64Array, given: Int64Array) -> UInt8Array:
        images, masks = self._look_up(rows)
        donors, donor_masks = self._look_up(given)
        edit = exchange_background if name == SWAP else EXCHANGES[name].edit
        return edit(Pair(images, donors, masks, donor_masks))

    def _look_up(self, rows: Int64Array) -> tuple[UInt8Array, UInt8Array | None]:
        masks = None if self.test.masks is None else self.test.masks[rows]
        return self.test.images[rows], masks
