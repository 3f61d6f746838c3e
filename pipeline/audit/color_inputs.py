"""What color-only classifiers see of each split; made without labels.

The inputs are the features of the regions that every dataset has (whole, ring, center) and the main
components of the Lab histogram. Regions of a mask stay out: with them the numbers of datasets with
and without masks could not be compared, and which images lack a mask could give the label away.

Shape legend: N images, F features, C histogram components, D inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from pipeline.core.types import Float32Array, Int64Array, Split, UInt8Array
from pipeline.metrics.color_features import REGIONS, FeatureName, color_features, lab_histogram

MAX_COMPONENTS = 32  # of the histogram; the rest is mostly empty bins
SAMPLE = 10_000  # images whose histograms fix the components
VARIANCE_FLOOR = 0.1  # of a rotated direction; a standardized feature has variance 1
_BLOCK_PIXELS = 1 << 25  # read at a time, so that wide histograms never exist for all images


@dataclass(frozen=True)
class ColorView:
    """One split as the color audit sees it."""

    features_NF: Float32Array  # every region's features
    plain_ND: Float32Array  # features of `REGIONS` and histogram components: inputs of trees
    inputs_ND: Float32Array  # the same rotated and scaled: inputs of a logistic regression


@dataclass(frozen=True)
class HistogramComponents:
    """Main components of the Lab histogram, scaled so that the first has variance 1."""

    pca: PCA
    scale: float

    @classmethod
    def fit(cls, images_NHW3: UInt8Array, seed: int) -> HistogramComponents:
        """From at most `SAMPLE` random images."""
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.permutation(len(images_NHW3))[:SAMPLE])
        histogram_NB = np.concatenate(
            [lab_histogram(images_NHW3[block]) for block in _blocks(rows, images_NHW3)]
        )
        pca = _fit_pca(histogram_NB, min(MAX_COMPONENTS, *histogram_NB.shape))
        largest = float(np.sqrt(max(pca.explained_variance_[0], 0.0)))
        return cls(pca, largest if largest > 1e-6 else 1.0)

    def transform(self, images_NHW3: UInt8Array) -> Float32Array:
        """N x C, read block by block."""
        components_NC = np.zeros((len(images_NHW3), self.pca.n_components_), np.float32)
        for rows in _blocks(np.arange(len(images_NHW3)), images_NHW3):
            block = slice(rows[0], rows[-1] + 1)
            components_NC[block] = self.pca.transform(lab_histogram(images_NHW3[block])) / self.scale
        return components_NC


@dataclass(frozen=True)
class LinearInputs:
    """Turns correlated color features into nearly uncorrelated inputs; fitted on train, without labels.

    Features of the ring, the center and the whole are strongly correlated, which makes a logistic
    regression converge slowly. Rotating them apart needs a third of the iterations; the floor under
    the variances keeps directions that hold only noise small.
    """

    scaler: StandardScaler
    n_scaled: int  # the first columns are standardized, the rest (histogram components) are not
    rotation: PCA

    @classmethod
    def fit(cls, plain_ND: Float32Array, n_scaled: int) -> LinearInputs:
        """Standardize the first `n_scaled` columns and rotate all of them."""
        scaler = StandardScaler().fit(plain_ND[:, :n_scaled])
        joined_ND = np.hstack([scaler.transform(plain_ND[:, :n_scaled]), plain_ND[:, n_scaled:]])
        return cls(scaler, n_scaled, _fit_pca(joined_ND, min(joined_ND.shape)))

    def transform(self, plain_ND: Float32Array) -> Float32Array:
        """Inputs N x D."""
        if not len(plain_ND):
            return np.zeros((0, self.rotation.n_components_), np.float32)
        scaled_NF = self.scaler.transform(plain_ND[:, : self.n_scaled])
        variance_D = np.maximum(self.rotation.explained_variance_, 0)
        rotated_ND = self.rotation.transform(np.hstack([scaled_NF, plain_ND[:, self.n_scaled :]]))
        return np.asarray(rotated_ND / np.sqrt(variance_D + VARIANCE_FLOOR), np.float32)


def view_colors(train: Split, test: Split, seed: int) -> tuple[ColorView, ColorView, list[FeatureName]]:
    """Both splits' colors and the names of the feature columns; mask regions where both have masks.

    Raises:
        InputError: images that are not uint8 RGB, or masks of another shape.
    """
    has_masks = train.masks is not None and test.masks is not None
    train_NF, names = color_features(train.images, train.masks if has_masks else None)
    test_NF, _ = color_features(test.images, test.masks if has_masks else None)
    components = HistogramComponents.fit(train.images, seed)
    used = columns_of(names, *REGIONS)
    plain = [
        np.hstack([values_NF[:, used], components.transform(split.images)])
        for values_NF, split in ((train_NF, train), (test_NF, test))
    ]
    linear = LinearInputs.fit(plain[0], len(used))
    return (
        ColorView(train_NF, plain[0], linear.transform(plain[0])),
        ColorView(test_NF, plain[1], linear.transform(plain[1])),
        names,
    )


def columns_of(names: list[FeatureName], *regions: str) -> list[int]:
    """Columns of the feature matrix that belong to `regions`."""
    return [column for column, name in enumerate(names) if name.region in regions]


def region_inputs(features_NF: Float32Array, names: list[FeatureName], region: str) -> Float32Array | None:
    """Inputs of a linear classifier that sees one region's color alone; None without the region.

    Edges stay out: their density at the image's border and near an object is not that of the rest, so
    it would tell the size of the object.
    """
    columns = [c for c in columns_of(names, region) if names[c].feature != "edge_density"]
    if not columns:
        return None
    return LinearInputs.fit(features_NF[:, columns], len(columns)).transform(features_NF[:, columns])


def _fit_pca(values_ND: Float32Array, n_components: int) -> PCA:
    with np.errstate(invalid="ignore"):  # images that are all alike have no variance to share out
        return PCA(n_components, svd_solver="covariance_eigh").fit(values_ND)


def _blocks(rows: Int64Array, images_NHW3: UInt8Array) -> list[Int64Array]:
    size = max(1, _BLOCK_PIXELS // (images_NHW3.shape[1] * images_NHW3.shape[2]))
    return [rows[i : i + size] for i in range(0, len(rows), size)]
