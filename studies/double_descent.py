"""Double descent: the error of minimum-norm fits peaks where features are as many as samples."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.settings.base import Seed, Settings
from studies.frame.study import Chart, Finding, Mark, Number, Study, Trainings, line_over_seeds, over_seeds


class DoubleDescentSettings(Settings):
    samples: int = Field(ge=10, description="training samples")
    dimensions: int = Field(ge=2, description="of the inputs")
    ratios: list[float] = Field(min_length=5, description="random features / samples, ascending")
    noise: float = Field(ge=0, description="standard deviation of what is added to training targets")
    seeds: list[Seed] = Field(min_length=2)


def random_features(settings: DoubleDescentSettings, seed: int) -> Arrays:
    """Test errors of minimum-norm fits with more and more random ReLU features, X."""
    rng = np.random.default_rng(seed)
    n, d = settings.samples, settings.dimensions
    beta_D = rng.normal(size=d) / d**0.5
    x_ND, test_MD = rng.normal(size=(n, d)), rng.normal(size=(2000, d))
    y_N = x_ND @ beta_D + settings.noise * rng.normal(size=n)
    errors = []
    for ratio in settings.ratios:
        weights_DP = rng.normal(size=(d, round(ratio * n))) / d**0.5
        fit_P = np.linalg.pinv(np.maximum(x_ND @ weights_DP, 0)) @ y_N
        error_M = np.maximum(test_MD @ weights_DP, 0) @ fit_P - test_MD @ beta_D
        errors.append(float((error_M**2).mean()))
    return {"errors": np.array(errors)}


def run(settings: DoubleDescentSettings, train: Trainings) -> Finding:
    found = train(random_features, {f"seed_{s}": (settings, s) for s in settings.seeds})
    return judge(np.array(settings.ratios), np.stack([arrays["errors"] for arrays in found.values()]))


def judge(ratios_X: Float64Array, errors_SX: Float64Array) -> Finding:
    """The verdict on errors of S seeds at X ratios."""
    line = line_over_seeds("random features", ratios_X, errors_SX, log=True)
    peaks_S = ratios_X[errors_SX.argmax(axis=1)]
    chart = Chart(
        title="Test error against features", x_label="features / samples", y_label="squared error",
        lines=[line], marks=[Mark(x=1, text="features = samples")], log_x=True, log_y=True,
    )  # fmt: skip
    return Finding(
        verdict="supported" if (peaks_S == 1).all() else "refuted",
        sentence=f"The error peaks at a ratio of {peaks_S.mean():.2f}.",
        numbers=[Number(title="ratio of the peak", estimate=over_seeds(peaks_S), seeds=len(peaks_S))],
        charts=[chart],
    )


STUDY = Study(
    name="double_descent",
    title="Double descent",
    claim="The test error of minimum-norm regression on random features peaks exactly where features are as "
    "many as samples.",
    refuted_by="A peak at another ratio in any seed.",
    source="Belkin, Hsu, Ma and Mandal 2019, PNAS 116:15849; Nakkiran et al. 2020, ICLR",
    settings=DoubleDescentSettings,
    run=run,
)
