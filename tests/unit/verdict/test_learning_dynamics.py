"""Decisions about planted histories: what was learned first, late generalization, jumps, early stops."""

from __future__ import annotations

import numpy as np

from pipeline.records.data import GroupInfo
from pipeline.records.learning import LearningDynamics
from pipeline.records.training import EpochDynamics, EpochRecord
from pipeline.records.verdict import Thresholds
from pipeline.verdict.learning_dynamics import judge_dynamics

LIMITS = Thresholds(
    min_effect=0.05, min_test=30, min_val=30, min_kappa=0.2, min_cramers_v=0.1, alpha=0.05, min_seeds=3
)
GROUPS = [
    GroupInfo(name=name, label=name, attribute="a", n_train=500, n_val=100, n_test=100) for name in ("x", "y")
]
EPOCHS = 30


def history(kind: str, seeds: int = 4, epochs: int = EPOCHS) -> list[EpochRecord]:
    """Of training that follows the cue for five epochs, generalizes late, or lets group y fall again."""
    rng, records = np.random.default_rng(18), []
    for seed in range(seeds):
        for epoch in range(epochs):
            fit = 0.99 - 0.49 * np.exp(-epoch / 3)
            val = [fit - 0.1, fit - 0.1]
            if kind == "late":
                val = [0.95, 0.95] if epoch >= 18 + seed % 2 else [0.5, 0.5]
            if kind == "falls":
                val[1] = float(np.interp(epoch, [0, 8, 29], [0.5, 0.85, 0.5]))
            shares = [float(rng.binomial(100, v) / 100) for v in val]
            cue = 0.85 if kind == "cue" and epoch < 5 else 0.5 if kind != "cue" else 0.1
            records.append(
                EpochRecord(
                    seed=seed, epoch=epoch, train_loss=1.0, train_accuracy=[fit, fit],
                    val_accuracy=list(shares), val_average=float(np.mean(shares)), val_worst=min(shares),
                    seconds=1.0,
                    dynamics=EpochDynamics(
                        n_steps=10, train_loss=[1.0] * 2, train_margin=[1.0] * 2, val_loss=[1.0] * 2,
                        val_margin=[1.0] * 2, gradient_norm=2.0 + seed, update_norm=0.1,
                        parameter_norm=9.0 + epoch, moved={"head": 0.2, "body": None}, n_effective=80.0,
                        n_conflicting=100,
                        follows_cue=cue + float(rng.normal(0, 0.02)), follows_label=1 - cue,
                    ),
                )
            )  # fmt: skip
    return records


def judged(kind: str, **changes: int) -> LearningDynamics:
    found = judge_dynamics(history(kind, **changes), GROUPS, LIMITS)
    assert found is not None
    return found


def test_a_cue_that_is_followed_while_the_fit_is_made_was_learned_first() -> None:
    found = judged("cue")
    assert found.first is not None
    assert found.first.first == "cue first"
    assert "the cue was learned first: label minus cue −" in found.first.sentence
    assert found.followed is not None
    assert found.followed.cue[0] > 0.7 > found.followed.cue[-1]
    assert not found.delay.is_delayed
    assert found.jumps.epoch is None
    assert found.stops == []


def test_late_generalization_is_told_with_its_jump() -> None:
    found = judged("late")
    assert found.delay.is_delayed
    assert found.delay.steps is not None
    assert 130 <= found.delay.steps.value <= 170, "from the fifth epoch to the nineteenth, ten steps each"
    assert found.jumps.epoch in (18, 19)
    assert "jumped by +4" in found.jumps.sentence
    assert found.first is not None
    assert found.first.first == "cannot tell"


def test_a_group_that_falls_asks_for_an_early_stop() -> None:
    found = judged("falls")
    assert [stop.fall.name for stop in found.stops] == ["y"]
    assert 6 <= found.stops[0].epoch <= 11
    assert f"consider stopping after epoch {found.stops[0].epoch + 1}" in found.stop_sentence


def test_norms_are_means_over_seeds_at_both_ends() -> None:
    found = judged("cue")
    assert [(s.epoch, s.gradient_norm, s.parameter_norm) for s in found.sizes] == [
        (0, 3.5, 9.0),
        (29, 3.5, 38.0),
    ]
    assert found.sizes[0].moved == {"head": 0.2}


def test_one_training_decides_nothing_and_older_ones_have_no_record() -> None:
    found = judged("late", seeds=1, epochs=1)
    assert found.first is not None
    assert (found.first.first, found.first.lead, found.delay.is_delayed) == ("cannot tell", None, False)
    assert "one training" in found.delay.sentence
    assert len(found.sizes) == 1
    old = [record.model_copy(update={"dynamics": None}) for record in history("late")]
    assert judge_dynamics(old, GROUPS, LIMITS) is None
    assert judge_dynamics([], GROUPS, LIMITS) is None
