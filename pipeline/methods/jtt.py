"""JTT: just train twice. A first model finds hard images; the second sees them more often.

Source: Liu et al. 2021 (arXiv:2107.09044).

Shape legend: N training images.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipeline.core.errors import CannotTrainError
from pipeline.methods.method import Method, NetworkMethod, Words, Workload
from pipeline.methods.recipe import Recipe, Trained
from pipeline.methods.sources import LIU
from pipeline.settings.methods import NetworkSettings

if TYPE_CHECKING:
    from pipeline.core.types import BoolArray
    from pipeline.train.fitting import SeedRun

_log = logging.getLogger(__name__)
MANY = 0.5  # a first model that errs on more says little about which images are hard
FIRST = "identification"  # the first network
_ERRING = 0.1  # share of the images that a brief first model gets wrong, to foresee how long it takes


class JttSettings(NetworkSettings):
    """Images that a first model gets wrong are repeated."""

    key: ClassVar[str] = "jtt"
    identification_epochs: int = Field(ge=1, description="epochs of the first model")
    identification: dict[str, Any] = Field(
        default_factory=dict, description="train settings the first model overrides"
    )
    upweight: int = Field(ge=2, description="how often an epoch shows an image the first model got wrong")


class Jtt(NetworkMethod[JttSettings]):
    settings = JttSettings
    words = Words(
        label="JTT",
        first="training twice (JTT)",
        subtitle="training again with the images that a first model got wrong drawn more often",
        text="Just train twice: a first, briefly trained model marks the training images that it gets wrong, "
        "and a second one is trained with these repeated.",
        sources=(LIU,),
    )

    def further(self, settings: JttSettings) -> Mapping[str, Mapping[str, Any]]:
        # none of its weights are kept, and it may be too short for as many
        return {
            FIRST: {**settings.identification, "epochs": settings.identification_epochs, "checkpoints": 0}
        }

    def train_seed(self, run: SeedRun, recipe: Recipe[JttSettings]) -> Trained:
        """Train the first model, then the second on all images with the first one's errors repeated.

        The first model's last epoch is taken, so no validation label decides which images are hard.

        Returns:
            the second model, and how well "class x error" matches the dataset's groups.

        Raises:
            CannotTrainError: the first model makes no mistakes, or selection lacks validation images in a
                group.
        """
        import numpy as np

        from pipeline.parallel.rank import current_world
        from pipeline.train.group_inference import error_groups, is_error, score_groups
        from pipeline.train.plans import listed_plan
        from pipeline.train.subsets import upweighted_rows

        settings = recipe.setup.settings
        self.check(settings, run.groups, batch_size=run.settings.batch_size)
        everything = np.arange(len(run.train), dtype=np.int64)
        # patience would look at validation
        first = recipe.setup.further[FIRST].model_copy(update={"patience": None})
        outcome = run.fit(listed_plan(everything, run.groups, "last"), settings=first, part="first")
        groups = current_world().share(error_groups(run.network(first, outcome.weights), run))
        wrong_N = is_error(groups.train_N)
        self._judge(wrong_N, run, first.epochs, settings.upweight)
        inference = score_groups(groups, run, outcome, kind="first_model_errors")
        rows = upweighted_rows(len(run.train), np.flatnonzero(wrong_N), settings.upweight)
        return Trained(run.fit(listed_plan(rows, run.groups, settings.selection)), inference)

    def _judge(self, wrong_N: BoolArray, run: SeedRun, epochs: int, upweight: int) -> None:
        """Say how many images the first model gets wrong; none is an error."""
        if not wrong_N.any():
            raise CannotTrainError(
                f"the first model of JTT makes no mistakes on the {len(wrong_N)} training images after "
                f"{epochs} epochs (seed {run.seed}), so there is nothing to repeat. Stop it earlier or "
                "hold it back: lower methods.jtt.identification_epochs, or raise weight_decay in "
                "methods.jtt.identification."
            )
        _log.log(
            logging.WARNING if wrong_N.mean() > MANY else logging.INFO,
            "%s seed %d: %d of %d training images are shown %d times an epoch",
            run.name, run.seed, wrong_N.sum(), len(wrong_N), upweight,
        )  # fmt: skip

    def drawn(self, settings: JttSettings, work: Workload) -> float:
        return work.n_train * (1 + _ERRING * settings.upweight)

    def seen_before(self, settings: JttSettings, work: Workload) -> float:
        return settings.identification_epochs * work.epoch()

    def why_not_retrained(self, settings: JttSettings) -> str | None:
        return Method.why_not_retrained(self, settings)


METHOD = Jtt()
