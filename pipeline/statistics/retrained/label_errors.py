"""Training images whose label looks wrong: rankings, how good they are, and which images to look at.

A ranking is one number per image, higher = more suspect; NaN = the image cannot be ranked.

Shape legend: N images, K known wrong labels, R resamples, S seeds, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.records.attribution import (
    Agreement,
    GroupSuspects,
    LabelErrors,
    Suspect,
    SuspectList,
)
from pipeline.statistics.intervals import share_estimate
from pipeline.statistics.retrained.ranking_quality import rate_ranking

SHOWN = ("aum", "attribution")  # rankings that are listed, side by side
MOST_SUSPECTS = 0.1  # of the images: where more margins are negative the network has not learned the task
UNLEARNED = 0.5  # a group with a larger share of suspects was not learned, more likely than wrongly labelled


def find_label_errors(
    suspicion: Mapping[str, Float64Array],
    train: Split,
    *,
    suggested_N: Int64Array | None,
    group_names: Sequence[str],
    seed: int = 0,
    reason: str | None = None,
) -> LabelErrors:
    """What the rankings say about a training split.

    The two rankings whose sign has a meaning, `aum_suspicion` and `attribution_suspicion`, make a list
    each, see `suspects`; where neither ranks any image, the first that does makes one. No list is chosen:
    each misses a kind of wrong label that the other finds, and nobody knows which kind there is (measured in
    docs/decisions).

    Suspects are crossed with the groups, because images of a minority look like wrong labels to a model
    that relies on a shortcut, and those with wrong labels on the shortcut's side do not.

    Args:
        suspicion: name -> N.
        suggested_N: the class that the models would rather give each image, see `suggest_classes`.
        reason: why there are no margins, where there are none (`Dynamics.reason`).

    Raises:
        InputError: no ranking, or one of another length.
    """
    suspicion = _usable(suspicion, len(train))
    known_N = train.label_flipped
    shown = [name for name in SHOWN if name in suspicion] or list(suspicion)[:1]
    agreement, in_both_N = None, np.zeros(len(train), bool)
    if len(shown) == len(SHOWN):
        agreement, in_both_N = compare_lists(*(suspicion[name] for name in SHOWN))
    list_suspects = partial(
        _list_suspects,
        in_both_N=in_both_N,
        train=train,
        suggested_N=suggested_N,
        group_names=group_names,
    )
    return LabelErrors(
        lists=[list_suspects(name, suspicion[name]) for name in shown],
        agreement=agreement,
        n_known_wrong=None if known_N is None else int(known_N.sum()),
        rankings=[rate_ranking(key, values_N, known_N, seed=seed) for key, values_N in suspicion.items()],
        reason=reason,
    )


def _list_suspects(
    name: str,
    suspicion_N: Float64Array,
    *,
    in_both_N: BoolArray,
    train: Split,
    suggested_N: Int64Array | None,
    group_names: Sequence[str],
) -> SuspectList:
    rows, known_N = suspects(suspicion_N), train.label_flipped
    groups = suspects_by_group(rows, train.groups, group_names, known_N)
    return SuspectList(
        ranking=name,
        n_suspects=len(rows),
        suspects=[
            Suspect(
                id=int(train.ids[row]),
                label=int(train.labels[row]),
                group=int(train.groups[row]),
                suggested=None if suggested_N is None else int(suggested_N[row]),
                score=float(suspicion_N[row]),
                known_wrong=None if known_N is None else bool(known_N[row]),
                in_both=bool(in_both_N[row]),
            )
            for row in rows
        ],
        groups=groups,
        # harm to images that trained nothing says nothing about what was learned
        unlearned_groups=[g.group for g in groups if name == "aum" and g.share.low > UNLEARNED],
        precision=(
            share_estimate(int(known_N[rows].sum()), len(rows))
            if known_N is not None and known_N.any() and len(rows)
            else None
        ),
    )


def compare_lists(first_N: Float64Array, second_N: Float64Array) -> tuple[Agreement | None, BoolArray]:
    """How many images stand at the top of both rankings, beside what chance would give, and which.

    Compared are the images that both rank, as many of each as the shorter list of suspects has; None where
    one has none. Images drawn at random would share a hypergeometric number.
    """
    ranked_n = np.flatnonzero(~(np.isnan(first_N) | np.isnan(second_N)))
    first, second = suspects(first_N[ranked_n]), suspects(second_N[ranked_n])
    n, n_top, in_both_N = len(ranked_n), min(len(first), len(second)), np.zeros(len(first_N), bool)
    if n_top == 0:
        return None, in_both_N
    in_both_N[ranked_n[np.intersect1d(first[:n_top], second[:n_top])]] = True
    from scipy import stats  # late: it takes a second to load

    chance = stats.hypergeom(n, n_top, n_top)
    return Agreement(
        n_ranked=n,
        n_top=n_top,
        n_shared=int(in_both_N.sum()),
        expected=float(chance.mean()),
        chance_high=int(chance.ppf(0.975)),
    ), in_both_N


def aum_suspicion(aum_SN: Float64Array) -> Float64Array:
    """Minus the mean margin over the seeds that drew an image: above 0 another class was ahead on average.

    Source: Pleiss et al. 2020 (arXiv:2001.10528).

    >>> aum_suspicion(np.array([[2.0, -1.0], [4.0, np.nan]])).tolist()
    [-3.0, 1.0]
    """
    is_known_SN = ~np.isnan(aum_SN)
    n_N = is_known_SN.sum(0)
    sums_N = np.where(is_known_SN, aum_SN, 0.0).sum(0)
    mean_N = np.divide(sums_N, n_N, out=np.full(aum_SN.shape[1], np.nan), where=n_N > 0)
    suspicion_N: Float64Array = -mean_N
    return suspicion_N


def attribution_suspicion(scores_NG: Float64Array, p_label_N: Float64Array) -> Float64Array:
    """How much an image harms images that trained nothing, their groups counting alike: above 0 it does harm.

    Those images stand for what right labels look like, so they must not have more wrong ones than
    right ones.

    Args:
        scores_NG: mean score of each training image on such images of each group, positive = helps, without
            loss weighting; NaN for groups without any.
        p_label_N: probability that the models give the image's label: one that they have learned by heart
            pulls on nothing any more.
    """
    suspicion_N: Float64Array = -np.nanmean(scores_NG, axis=1) * (1.0 - p_label_N)
    return suspicion_N


def suspects(suspicion_N: Float64Array) -> Int64Array:
    """Rows of the suspects, most suspect first: those above 0, but a tenth of the images at most.

    Of AUM that says: over the whole run, in the mean over seeds, the network would rather have given
    another class. The cap keeps the list one that a person can look through where a task is so hard,
    or a run so short, that many right labels are never learned either.

    >>> suspects(np.array([-1.0, 3.0, 2.0] + [-1.0] * 17)).tolist()
    [1, 2]
    """
    order = np.argsort(-suspicion_N, kind="stable")  # NaN comes last
    most = int(MOST_SUSPECTS * len(suspicion_N))
    rows: Int64Array = order[: min(most, int((suspicion_N > 0).sum()))].astype(np.int64)
    return rows


def suggest_classes(probabilities_SNC: Float64Array, labels_N: Int64Array) -> Int64Array:
    """For each image the class, other than its label, with the largest mean probability over seeds."""
    mean_NC = probabilities_SNC.mean(0)
    mean_NC[np.arange(len(labels_N)), labels_N] = -np.inf
    suggested_N: Int64Array = mean_NC.argmax(1).astype(np.int64)
    return suggested_N


def suspects_by_group(
    rows: Int64Array, groups_N: Int64Array, names: Sequence[str], known_N: BoolArray | None
) -> list[GroupSuspects]:
    """The share of suspects in each group, with Wilson's interval; groups without images are left out."""
    is_suspect_N = np.zeros(len(groups_N), bool)
    is_suspect_N[rows] = True
    found = []
    for g, name in enumerate(names):
        members = groups_N == g
        n, n_suspects = int(members.sum()), int(is_suspect_N[members].sum())
        if n:
            n_known = None if known_N is None else int(known_N[members].sum())
            found.append(
                GroupSuspects(
                    index=g,
                    group=name,
                    n_train=n,
                    n_suspects=n_suspects,
                    share=share_estimate(n_suspects, n),
                    n_known_wrong=n_known,
                )
            )
    return found


def _usable(suspicion: Mapping[str, Float64Array], n: int) -> dict[str, Float64Array]:
    """The rankings that rank any image."""
    wrong = {name: len(values_N) for name, values_N in suspicion.items() if len(values_N) != n}
    usable = {name: values_N for name, values_N in suspicion.items() if not np.isnan(values_N).all()}
    if wrong or not usable:
        raise InputError(
            f"label errors need rankings of {n} images each, got "
            f"{', '.join(f'{name}: {size}' for name, size in wrong.items()) or 'none'}."
        )
    return usable
