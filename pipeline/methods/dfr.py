"""DFR: deep feature reweighting, ERM's network with its last layer trained again.

Source: Kirichenko et al. 2022 (arXiv:2204.02937). Its DFR-Val is `fit_on: val`, its DFR-Train
`fit_on: train`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.core.errors import CannotTrainError
from pipeline.methods.method import KnownLabels, Method, Words, Workload, base_labels
from pipeline.methods.recipe import Recipe, Trained
from pipeline.records.references import arxiv
from pipeline.settings.methods import MethodSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.methods.last_layer import Features
    from pipeline.models.interface import Classifier
    from pipeline.train.fitting import SeedRun
    from pipeline.train.groups import Groups

_log = logging.getLogger(__name__)
LEAST_MIN_IMAGES = 4  # of a group that is fitted on


class DfrSettings(MethodSettings):
    """ERM's network with its last layer trained again on balanced groups."""

    key: ClassVar[str] = "dfr"
    fit_on: Literal["val", "train"] = Field(description="the split the last layer is trained on")
    penalty: Literal["l1", "l2"] = Field(description="l2 where there are many classes: l1 is slow then")
    strengths: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="values tried for C, the inverse strength of the penalty"
    )
    n_fits: int = Field(ge=1, le=200, description="last layers averaged, each from its own balanced subset")
    min_images: int = Field(ge=LEAST_MIN_IMAGES, description="fewer images in the smallest group: an error")


class Dfr(Method[DfrSettings]):
    settings = DfrSettings
    words = Words(
        label="DFR",
        first="last layer fitted again (DFR)",
        subtitle="ERM whose last layer is fitted again on groups of equal size",
        text="Deep feature reweighting: ERM's network is kept and only its last layer is fitted again, as "
        "the mean of logistic regressions on subsets with equally large groups.",
        sources=(
            arxiv(
                "Kirichenko et al.",
                2023,
                "2204.02937",
                "Last layer re-training is sufficient for robustness to spurious correlations",
            ),
        ),
    )
    has_network = False
    is_side_by_side = False  # it has the base's networks

    def train_seed(self, run: SeedRun, recipe: Recipe[DfrSettings]) -> Trained:
        """ERM's outcome with a new last layer; its history and its margins stay those of the ERM model.

        Weights of other epochs do not: the new layer was fitted to the selected epoch's features.

        The result is an ordinary network, so whatever reads models needs to know nothing of DFR. The fits
        take seconds and are a pure function of the ERM model, so a killed run repeats them.

        Raises:
            CannotTrainError: a group with too few images to be balanced or judged.
        """
        import torch

        from pipeline.methods.last_layer import retrain_head

        settings = recipe.setup.settings
        self.check(settings, run.groups, batch_size=run.settings.batch_size)
        base = run.fit_base()
        if "head.weight" in base.weights and "head.bias" not in base.weights:
            raise CannotTrainError(
                f"DFR fits a last layer with a bias, and that of {run.settings.model} has none. Build it "
                "with one (bias=True), or take dfr out of active_methods."
            )
        network = run.network(run.base.settings, base.weights)
        head, record = retrain_head(
            _features(run, network, run.train) if settings.fit_on == "train" else None,
            _features(run, network, run.val),
            settings=settings,
            n_classes=len(run.info.classes),
            seed=run.seed,
        )
        _log.info(
            "%s seed %d: C = %g chosen, worst group %.3f on validation images held out; %.0f %% of weights "
            "kept",
            run.name, run.seed, record.strength, record.tried[f"{record.strength:g}"], 100 * record.nonzero,
        )  # fmt: skip
        weights = base.weights | {
            "head.weight": torch.from_numpy(head.weight_KD).float(),
            "head.bias": torch.from_numpy(head.bias_K).float(),
        }
        return Trained(replace(base, weights=weights, snapshots={}), last_layer=record)

    def check(self, settings: DfrSettings, groups: Groups, *, batch_size: int) -> None:
        """Refuse groups that are too small to be balanced, or that cannot be judged.

        Groups without images in both splits do not count.
        """
        n_train_G, n_val_G, names = groups.n_train(), groups.n_val(), groups.names
        n_fit_G = n_val_G if settings.fit_on == "val" else n_train_G
        present = [g for g in range(len(names)) if n_train_G[g] or n_val_G[g]]
        fewest = min(present, key=lambda g: n_fit_G[g])
        remedy = "Merge groups (groups.group_by), or raise data.val_fraction."
        if n_fit_G[fewest] < settings.min_images:
            if n_fit_G[fewest] >= LEAST_MIN_IMAGES and all(n_val_G[g] for g in present):
                remedy = (
                    "Merge groups (groups.group_by), raise data.val_fraction, "
                    f"or set methods.dfr: {{ min_images: {n_fit_G[fewest]} }}."
                )
            raise CannotTrainError(
                f"DFR fits on as many images of every group as the smallest one has: {names[fewest]} has "
                f"{n_fit_G[fewest]} in {settings.fit_on}, fewer than methods.dfr.min_images "
                f"({settings.min_images}). {remedy}"
            )
        unjudged = [names[g] for g in present if not n_val_G[g]]
        if unjudged:
            raise CannotTrainError(
                f"DFR chooses its strength by the worst group of the validation images; there are none in: "
                f"{', '.join(unjudged)}. {remedy}"
            )

    def labels_used(self, settings: DfrSettings, known: KnownLabels) -> list[str]:
        used = base_labels(known)
        if settings.fit_on == "train":
            used.append(f"{known.groups} (train, last layer)")
            return [*used, f"class and {known.groups} (validation, tuning)"]
        return [*used, f"class and {known.groups} (validation, last layer and tuning)"]

    def selects_by_given_groups(self, settings: DfrSettings) -> bool:
        return True

    def trains_on_val(self, settings: DfrSettings) -> bool:
        return settings.fit_on == "val"

    def images_seen(self, settings: DfrSettings, work: Workload) -> float:
        return 0.0 if work.has_base else work.seeds * work.epochs * work.epoch()


def _features(run: SeedRun, network: Classifier, split: Split) -> Features:
    from pipeline.methods.last_layer import Features

    return Features(run.base.embed(network, split), split.labels, split.groups)


METHOD = Dfr()
