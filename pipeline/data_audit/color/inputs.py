"""What color-only classifiers see of each split; made without labels.

The inputs are the colors of the whole image and the border ring's tint. Regions of a mask stay out:
with them the numbers of datasets with and without masks could not be compared, and which images lack a
mask could give the label away. The detail of pixels (spreads, edges) is an input of its own kind, which
is never called color.

Shape legend: N images, F features, D inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from pipeline.core.types import Float32Array, PackedSplit
from pipeline.pixels.color_features import COLOR_FEATURES, REGIONS, FeatureName, color_features
from pipeline.pixels.detail_features import detail_features

VARIANCE_FLOOR = 0.1  # of a rotated direction; a standardized feature has variance 1
# Where it is light or dark inside an image is shape: the ring and the center would tell digits apart.
SEEN = [*(("whole", feature) for feature in COLOR_FEATURES), ("ring", "a_mean"), ("ring", "b_mean")]


@dataclass(frozen=True)
class ColorView:
    """One split as the color audit sees it."""

    features_NF: Float32Array  # every region's color features
    plain_ND: Float32Array  # those of `REGIONS`: inputs of trees, which also see where a color is
    inputs_ND: Float32Array  # `SEEN`, also bent, rotated and scaled: inputs of a logistic regression
    details_NF: Float32Array  # every region's detail features
    detail_inputs_ND: Float32Array  # the same rotated and scaled


@dataclass(frozen=True)
class Names:
    """Names of a view's feature columns."""

    colors: list[FeatureName]
    details: list[FeatureName]


@dataclass(frozen=True)
class LinearInputs:
    """Turns correlated features into nearly uncorrelated inputs; fitted on train, without labels.

    Features of the ring, the center and the whole are strongly correlated, which makes a logistic
    regression converge slowly. Rotating them apart needs a third of the iterations; the floor under
    the variances keeps directions that hold only noise small.
    """

    scaler: StandardScaler
    rotation: PCA

    @classmethod
    def fit(cls, plain_ND: Float32Array) -> LinearInputs:
        """Standardize all columns and rotate them."""
        scaler = StandardScaler().fit(plain_ND)
        return cls(scaler, _fit_pca(scaler.transform(plain_ND)))

    def transform(self, plain_ND: Float32Array) -> Float32Array:
        """Inputs N x D."""
        if not len(plain_ND):
            return np.zeros((0, self.rotation.n_components_), np.float32)
        variance_D = np.maximum(self.rotation.explained_variance_, 0)
        rotated_ND = self.rotation.transform(self.scaler.transform(plain_ND))
        return np.asarray(rotated_ND / np.sqrt(variance_D + VARIANCE_FLOOR), np.float32)


def view_colors(train: PackedSplit, test: PackedSplit) -> tuple[ColorView, ColorView, Names]:
    """Both splits' colors and the names of the feature columns; mask regions where both have masks.

    Raises:
        InputError: images that are not uint8 RGB, or masks of another shape.
    """
    has_masks = train.masks is not None and test.masks is not None
    train_NF, names = color_features(train.images, train.masks if has_masks else None)
    test_NF, _ = color_features(test.images, test.masks if has_masks else None)
    train_details_NF, detail_names = detail_features(train.images)
    test_details_NF, _ = detail_features(test.images)
    everywhere = columns_of(names, *REGIONS)
    plain, test_plain = _seen(train_NF, names), _seen(test_NF, names)
    linear, linear_details = LinearInputs.fit(plain), LinearInputs.fit(train_details_NF)
    train_view, test_view = (
        ColorView(
            values,
            values[:, everywhere],
            linear.transform(seen),
            details,
            linear_details.transform(details),
        )
        for values, seen, details in (
            (train_NF, plain, train_details_NF),
            (test_NF, test_plain, test_details_NF),
        )
    )
    return train_view, test_view, Names(names, detail_names)


def columns_of(names: list[FeatureName], *regions: str) -> list[int]:
    """Columns of the feature matrix that belong to `regions`."""
    return [column for column, name in enumerate(names) if name.region in regions]


def region_inputs(features_NF: Float32Array, names: list[FeatureName], region: str) -> Float32Array | None:
    """Inputs of a linear classifier that sees one region's color alone; None without the region."""
    columns = columns_of(names, region)
    if not columns:
        return None
    return LinearInputs.fit(features_NF[:, columns]).transform(features_NF[:, columns])


def _seen(features_NF: Float32Array, names: list[FeatureName]) -> Float32Array:
    """Columns of `SEEN`, the hue's second harmonic and the squared distance from mid-gray.

    A linear classifier is then told that a class is red or green, or dark or light, against one in
    between. Bent average colors are as blind to detail as the colors themselves.
    """
    column = {tuple(name): i for i, name in enumerate(names)}
    seen_ND = features_NF[:, [column[pair] for pair in SEEN]]
    cosine, sine, lightness = (
        features_NF[:, column["whole", feature]] for feature in ("hue_cos", "hue_sin", "lightness_mean")
    )
    length = np.maximum(np.hypot(cosine, sine), 1e-6)
    bent = [(cosine**2 - sine**2) / length, 2 * cosine * sine / length, (lightness - 50) ** 2 / 50]
    return np.column_stack([seen_ND, *bent]).astype(np.float32)


def _fit_pca(values_ND: Float32Array) -> PCA:
    with np.errstate(invalid="ignore"):  # images that are all alike have no variance to share out
        return PCA(min(values_ND.shape), svd_solver="covariance_eigh").fit(values_ND)
