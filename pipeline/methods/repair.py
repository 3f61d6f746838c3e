"""Repair: ERM again, without the training images that attribution finds most harmful.

It is trained and selected as ERM is, so that the images left out are all that differs. How they are found and
counted is in `removal`.

Source: data debiasing with datamodels (D3M), Jain et al. 2024 (arXiv:2406.16846).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.core.errors import CannotTrainError
from pipeline.methods.method import KnownLabels, Method, Words, Workload, base_labels
from pipeline.methods.recipe import AllTrained, Recipe, SaveSeed, Trained
from pipeline.methods.sources import PARK
from pipeline.records.references import arxiv
from pipeline.settings.methods import MethodSettings

if TYPE_CHECKING:
    from pipeline.methods.removal.scoring import Attribution
    from pipeline.train.fitting import SeedRun
    from pipeline.train.groups import Groups


class RepairSettings(MethodSettings):
    """ERM again, without the images that attribution finds most harmful to the worst group.

    It is trained and selected as ERM is, so that the images left out are all that differs.
    """

    key: ClassVar[str] = "repair"
    groups: Literal["given", "inferred"] = Field(
        description="inferred: the worst cluster of the attributions of validation images, no attribute read"
    )
    fractions: list[Annotated[float, Field(gt=0, lt=0.9)]] = Field(
        min_length=1, description="shares of the training images whose removal is tried"
    )
    curve_seeds: int = Field(ge=1, description="seeds that each share is tried with")
    controls: bool = Field(
        description="also leave out as many at random, as many group-balanced, and the suspected labels alone"
    )


class Repair(Method[RepairSettings]):
    settings = RepairSettings
    words = Words(
        label="Removal (repair)",
        first="removal of harmful images, Removal (repair)",
        subtitle="ERM without the training images that attribution finds most harmful to its worst group",
        text="ERM again without the training images whose attribution says that they harm the worst group of "
        "the validation images most, in the spirit of D3M. How many is chosen on validation; leaving out as "
        "many at random and from the largest groups is the control.",
        sources=(
            arxiv(
                "Jain et al.", 2024, "2406.16846", "Improving subgroup robustness via data selection (D3M)"
            ),
            PARK,
        ),
    )
    has_network = False
    sections = ("attribute",)
    joins_seeds = True  # all seeds' models say which images do harm

    def train_seed(self, run: SeedRun, recipe: Recipe[RepairSettings]) -> Trained:
        raise NotImplementedError("repair trains all seeds together")

    def train_all(self, run: SeedRun, recipe: Recipe[RepairSettings], save_seed: SaveSeed) -> AllTrained:
        from pipeline.methods.removal.search import repair

        settings = recipe.setup.settings
        self.check(settings, run.groups, batch_size=run.settings.batch_size)
        found = repair(run, settings, self.attribution(recipe), recipe.ahead)
        spec = run.spec(run.settings)
        for seed, outcome in found.outcomes.items():
            save_seed(seed, outcome, spec)
        for control, outcomes in found.controls.items():
            for seed, outcome in outcomes.items():
                save_seed(seed, outcome, spec, control=control)
        trained = {seed: Trained(outcome) for seed, outcome in found.outcomes.items()}
        return AllTrained(trained, found.removal, found.search_seconds)

    def attribution(self, recipe: Recipe[RepairSettings]) -> Attribution:
        """What says how training images act on validation images."""
        from pipeline.attribution.effects import Attributor
        from pipeline.models.hardware import choose_device
        from pipeline.settings.attribution import AttributeSettings

        settings = AttributeSettings.model_validate(recipe.setup.sections["attribute"])
        assert recipe.work_dir is not None, "scores are kept on disk"
        device = choose_device(recipe.setup.train.device).type
        return Attributor(settings, recipe.work_dir / "attribution", device)

    def check(self, settings: RepairSettings, groups: Groups, *, batch_size: int) -> None:
        """Refuse groups whose accuracy cannot be known."""
        if settings.groups == "given" and (unseen := groups.unseen()):
            raise CannotTrainError(
                "methods.repair.groups: given needs validation images in every group, to find the worst one; "
                f"there are none in: {unseen}. Raise data.val_fraction, merge groups "
                "(groups.group_by), or set methods.repair.groups: inferred."
            )

    def labels_used(self, settings: RepairSettings, known: KnownLabels) -> list[str]:
        is_given = settings.groups == "given"
        labels = f"class and {known.groups}" if is_given else "class labels and inferred groups"
        return [*base_labels(known), f"{labels} (validation, images to leave out)"]

    def selects_by_given_groups(self, settings: RepairSettings) -> bool:
        return settings.groups == "given"

    def images_seen(self, settings: RepairSettings, work: Workload) -> float:
        """Every size with its controls and the seeds that it is tried with, then one size with all seeds."""
        base = 0.0 if work.has_base else work.seeds * work.epochs * work.epoch()
        kinds = 3 if settings.controls else 1
        kept = [1 - fraction for fraction in settings.fractions]
        searched = sum(kept) * kinds * min(settings.curve_seeds, work.seeds)
        final = (sum(kept) / len(kept) * kinds + settings.controls) * work.seeds  # few labels are suspected
        scores = work.gradient * work.n_train * work.seeds
        return base + (searched + final) * work.epochs * work.epoch() + scores


METHOD = Repair()
