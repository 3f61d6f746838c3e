"""JTT: just train twice. A first model finds hard images; the second sees them more often.

Source: Liu et al. 2021 (arXiv:2107.09044).

Shape legend: N training images.
"""

from __future__ import annotations

import logging

import numpy as np

from pipeline.core.errors import CannotTrainError
from pipeline.parallel.rank import current_world
from pipeline.records.training import GroupInference
from pipeline.settings.methods import JttSettings
from pipeline.settings.train import TrainSettings
from pipeline.train.fitting import SeedRun
from pipeline.train.group_inference import error_groups, is_error, score_groups
from pipeline.train.loop import Outcome
from pipeline.train.plans import check_groups, listed_plan
from pipeline.train.subsets import upweighted_rows

_log = logging.getLogger(__name__)
MANY = 0.5  # a first model that errs on more says little about which images are hard


def train_twice(run: SeedRun, method: JttSettings, first: TrainSettings) -> tuple[Outcome, GroupInference]:
    """Train the first model, then the second on all images with the first one's errors repeated.

    The first model's last epoch is taken, so no validation label decides which images are hard.

    Args:
        first: training settings of the first model.

    Returns:
        the second model, and how well "class x error" matches the dataset's groups.

    Raises:
        CannotTrainError: the first model makes no mistakes, or selection lacks validation images in a group.
    """
    check_groups(method, run.groups)
    everything = np.arange(len(run.train), dtype=np.int64)
    first = first.model_copy(update={"patience": None})  # it would look at validation
    outcome = run.fit(listed_plan(everything, run.groups, "last"), settings=first, part="first")
    groups = current_world().share(error_groups(run.network(first, outcome.weights), run))
    wrong_N = is_error(groups.train_N)
    if not wrong_N.any():
        raise CannotTrainError(
            f"the first model of JTT makes no mistakes on the {len(run.train)} training images after "
            f"{first.epochs} epochs (seed {run.seed}), so there is nothing to repeat. Stop it earlier or "
            "hold it back: lower methods.jtt.identification_epochs, or raise weight_decay in "
            "methods.jtt.identification."
        )
    _log.log(
        logging.WARNING if wrong_N.mean() > MANY else logging.INFO,
        "%s seed %d: %d of %d training images are shown %d times an epoch",
        run.name, run.seed, wrong_N.sum(), len(wrong_N), method.upweight,
    )  # fmt: skip
    inference = score_groups(groups, run, outcome, kind="first_model_errors")
    rows = upweighted_rows(len(run.train), np.flatnonzero(wrong_N), method.upweight)
    return run.fit(listed_plan(rows, run.groups, method.selection)), inference
