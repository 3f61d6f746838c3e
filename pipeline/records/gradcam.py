"""Where models look: GradCAM in numbers."""

from __future__ import annotations

from typing import Literal

from pipeline.records.base import Artifact, Estimate, Record


class CamOverlay(Record):
    id: int
    group: int
    predicted: int
    label: int
    role: Literal["failure_in_worst_group", "success_in_best_group"]
    image: str  # file name of the overlay PNG inside the stage's folder
    energy_in_mask: float | None


class CamGroup(Record):
    """One group's maps in numbers; without masks the mask's numbers are None."""

    index: int
    name: str
    n: int  # images with a map
    sufficient: bool
    blank_rate: float | None
    energy_in_mask: Estimate | None
    lift: Estimate | None
    pointing: Estimate | None
    faithfulness: Estimate | None  # over random rankings; None below the least count of images


class Faithfulness(Record):
    """Insertion minus deletion area under the curve of the predicted class's probability.

    Positive = pixels the map ranks high raise the prediction sooner than those it ranks low.
    """

    n_steps: int
    score: Estimate
    random: Estimate  # the same for random rankings
    center: Estimate  # for a centered Gaussian
    over_random: Estimate  # paired differences
    over_center: Estimate


class SanityStep(Record):
    """Similarity of maps before and after the layers from the head down to `layer` are redrawn.

    Maps that do not change when the network forgets what it learned explain the images, not the network.
    """

    layer: str
    spearman: Estimate


class MapAgreement(Record):
    """How alike the maps of two methods are, beside two seeds of one method.

    Over images that both models of a pair predict alike: maps of other classes are of other things.
    """

    baseline: str
    method: str
    spearman: Estimate
    top_overlap: Estimate  # intersection over union of the top 20 % of cells
    seed_spearman: Estimate | None  # two seeds of the baseline, the same images; None with one seed
    seed_top_overlap: Estimate | None
    below_seeds: Estimate | None = None  # seed_spearman - spearman, paired over the images


class GradcamResult(Artifact):
    """`gradcam/<dataset>/<method>/gradcam.json`."""

    method: str
    library: str
    layer: str
    computed_by: Literal["closed form", "grad-cam", "cell by cell"]  # the last: tokens of a transformer
    cells: list[int]  # height and width of the map before upsampling
    n_images: int
    n_models: int
    blank_rate: float
    energy_in_mask: Estimate | None  # mean share of map energy on the foreground; None: no masks
    mask_area: float | None
    lift: Estimate | None  # energy over the energy of shuffled masks
    pointing: Estimate | None  # share of maps whose peak lies in the mask, dilated by one cell
    pointing_by_chance: float | None  # the same with shuffled masks
    faithfulness: Faithfulness | None
    sanity: list[SanityStep]
    groups: list[CamGroup]
    overlays: list[CamOverlay]
    seconds: float
