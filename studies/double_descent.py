"""Double descent: test error peaks where a model can just fit its training data, and falls beyond.

Shape legend: S seeds, X sizes, D inputs, P random features, N training samples, M test samples.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from pipeline.artifacts.arrays import Arrays
from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.settings.base import Seeds, Settings
from studies.frame.lists import Counts
from studies.frame.study import (
    Chart,
    Finding,
    Mark,
    Number,
    Study,
    Trainings,
    Verdict,
    line_over_seeds,
    over_seeds,
)

HIGH = 2.0  # times the error of the largest model, that the peak must be
N_TEST = 1000
NEARLY = 0.1  # training error


class RandomFeaturesSettings(Settings):
    samples: int = Field(ge=10, description="training samples")
    dimensions: int = Field(ge=2, description="of the inputs")
    features: Counts = Field(
        min_length=5, description="random features, ascending; as many as samples is one"
    )
    noise: float = Field(ge=0, description="standard deviation of what is added to training targets")
    draws: int = Field(
        ge=1, description="of samples and features; each seed is the geometric mean of so many"
    )
    seeds: Seeds = Field(min_length=2)

    @model_validator(mode="after")
    def _has_the_threshold(self) -> RandomFeaturesSettings:
        if self.samples not in self.features:
            raise ValueError(f"features must list {self.samples}, the number of samples")
        return self


class WidthsSettings(Settings):
    widths: Counts = Field(min_length=3, description="of small_resnet, ascending")
    n_train: int = Field(ge=20)
    label_noise: float = Field(ge=0, lt=0.5)
    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    seeds: Seeds = Field(min_length=2)


class DoubleDescentSettings(Settings):
    random_features: RandomFeaturesSettings
    widths: WidthsSettings


def random_features(settings: RandomFeaturesSettings, seed: int) -> Arrays:
    """Test errors of minimum-norm fits on more and more random ReLU features, X: geometric means of draws."""
    rng = np.random.default_rng(seed)
    logs = np.mean([np.log(_errors(settings, rng)) for _ in range(settings.draws)], axis=0)
    return {"errors": np.exp(logs)}


def _errors(settings: RandomFeaturesSettings, rng: np.random.Generator) -> list[float]:
    n, d = settings.samples, settings.dimensions
    beta_D = rng.normal(size=d) / d**0.5
    x_ND, test_MD = rng.normal(size=(n, d)), rng.normal(size=(N_TEST, d))
    y_N = x_ND @ beta_D + settings.noise * rng.normal(size=n)
    errors = []
    for n_features in settings.features:
        weights_DP = rng.normal(size=(d, n_features)) / d**0.5
        fit_P = np.linalg.pinv(np.maximum(x_ND @ weights_DP, 0)) @ y_N
        error_M = np.maximum(test_MD @ weights_DP, 0) @ fit_P - test_MD @ beta_D
        errors.append(float((error_M**2).mean()))
    return errors


def network_of_width(settings: WidthsSettings, width: int, seed: int) -> Arrays:
    """Errors of the audit's network on its training labels and on test images."""
    from pipeline.train.correct import correct_on
    from studies.frame.demo import fit, load_demo, train_settings

    demo = load_demo(
        n_train=settings.n_train, n_val=100, n_test=N_TEST, strength=0.5, contrast=1.0,
        label_noise=settings.label_noise, seed=seed,
    )  # fmt: skip
    train = train_settings(
        epochs=settings.epochs, lr=settings.lr, augment="none", weight_decay=0.0, schedule="cosine"
    ).model_copy(update={"width": width})  # narrower than an audit would ask for
    network, _ = fit(demo, train, seed)
    return {part.name: np.array(1 - correct_on(network, part).mean()) for part in (demo.train, demo.test)}


def run(settings: DoubleDescentSettings, train: Trainings) -> Finding:
    linear, widths = settings.random_features, settings.widths
    fits = train(random_features, {f"seed_{s}": (linear, s) for s in linear.seeds})
    tasks = {f"width_{w}_seed_{s}": (widths, w, s) for s in widths.seeds for w in widths.widths}
    trained = train(network_of_width, tasks)
    shape = (len(widths.seeds), len(widths.widths))
    errors = {
        part: np.array([found[part] for found in trained.values()]).reshape(shape)
        for part in ("train", "test")
    }
    return judge(
        np.array(linear.features) / linear.samples,
        np.stack([arrays["errors"] for arrays in fits.values()]),
        np.array(widths.widths, np.float64),
        errors["train"],
        errors["test"],
    )


def judge(
    ratios_X: Float64Array,
    errors_SX: Float64Array,
    widths_X: Float64Array,
    train_SX: Float64Array,
    test_SX: Float64Array,
) -> Finding:
    """Both halves must hold; the first alone refutes, since it is a theorem's.

    The network's half: a middle width errs more than the narrowest and the widest one. It is looked for at
    the width of the largest mean error, which favors finding it, and only where the narrowest network cannot
    fit its labels and the widest does.
    """
    peaks_S = ratios_X[errors_SX.argmax(axis=1)]
    height_S = errors_SX[:, ratios_X == 1][:, 0] / errors_SX[:, -1]
    height = over_seeds(height_S)
    linear_holds = bool((peaks_S == 1).all()) and height.low > HIGH
    middle = 1 + int(test_SX.mean(axis=0)[1:-1].argmax())
    above = [over_seeds(test_SX[:, middle] - test_SX[:, end]) for end in (0, -1)]
    fell = over_seeds(test_SX[:, 0] - test_SX[:, -1])
    known, widest = (over_seeds(train_SX[:, end]) for end in (0, -1))
    network: Verdict = "not shown"
    if known.value >= NEARLY > widest.value:  # from networks that cannot fit to networks that do
        network = _peak_in_the_middle(test_SX, above)
    verdict: Verdict = network if linear_holds else "refuted"
    peak = f"at {peaks_S.min():g} to {peaks_S.max():g} features a sample"
    if (peaks_S == 1).all():
        peak = "exactly where features are as many as samples, in every seed"
    sentence = (
        f"With random features the error peaks {peak}, at {height.value:.0f} times that of the largest "
        f"model. The network's error at width {widths_X[middle]:g} is {_points(above[0])} from that of the "
        f"narrowest and {_points(above[1])} from that of the widest; the narrowest one "
        f"leaves {100 * known.value:.0f} % training errors."
    )
    n_fits, n_seeds = len(errors_SX), len(test_SX)
    numbers = [
        Number(title="features / samples at the peak", estimate=over_seeds(peaks_S), seeds=n_fits),
        Number(title="error at the threshold / that of the largest model", estimate=height, seeds=n_fits),
        Number(
            title="network: middle width less narrowest, test error",
            estimate=above[0],
            seeds=n_seeds,
            unit="share",
        ),
        Number(
            title="network: middle width less widest, test error",
            estimate=above[1],
            seeds=n_seeds,
            unit="share",
        ),
        Number(
            title="network: narrowest less widest, test error", estimate=fell, seeds=n_seeds, unit="share"
        ),
    ]
    fits = Chart(
        title="Random features", x_label="features / samples", y_label="squared test error",
        lines=[line_over_seeds("minimum-norm fit", ratios_X, errors_SX, log=True)],
        marks=[Mark(x=1, text="features = samples")], log_x=True, log_y=True,
    )  # fmt: skip
    networks = Chart(
        title="The audit's network by width", x_label="channels of the first stage", y_label="error",
        lines=[
            line_over_seeds("test images", widths_X, test_SX, least=0, most=1),
            line_over_seeds("training labels as given", widths_X, train_SX, least=0, most=1),
        ],
        log_x=True, share=True,
    )  # fmt: skip
    notes = ["The width of the network's middle error is chosen by the same errors, in favor of a peak."]
    if known.value < NEARLY:
        notes.append(
            "The narrowest network nearly fits its training labels: a peak could lie only below it, so the "
            "network's half cannot be shown here."
        )
    if widest.value >= NEARLY:
        notes.append(
            f"The widest network leaves {widest.value:.0%} training errors: it is no large one that fits."
        )
    return Finding(verdict=verdict, sentence=sentence, numbers=numbers, charts=[fits, networks], notes=notes)


def _peak_in_the_middle(test_SX: Float64Array, above: list[Estimate]) -> Verdict:
    """`above`: the middle width of the largest mean error less the narrowest, and less the widest."""
    if all(e.low > 0 for e in above):
        return "supported"
    lower = [
        any(over_seeds(test_SX[:, x] - test_SX[:, end]).high < 0 for end in (0, -1))
        for x in range(1, test_SX.shape[1] - 1)
    ]
    return "refuted" if all(lower) else "not shown"


def _points(difference: Estimate) -> str:
    low, high = 100 * difference.low, 100 * difference.high
    return f"{100 * difference.value:+.1f} points ({low:+.1f} to {high:+.1f})"


STUDY = Study(
    name="double_descent",
    title="Double descent",
    claim="The test error of minimum-norm regression on random features peaks exactly where features "
    "are as many as samples, in every seed, at more than twice the error of the largest model. With noisy "
    "labels the audit's own network errs more on test images at a middle width than at the narrowest and "
    "the widest.",
    refuted_by="A peak at another ratio in any seed, or one that is not twice as high; or networks of every "
    "middle width that err less than the narrowest or the widest (95 % interval over seeds), where the "
    "narrowest cannot fit its labels and the widest does.",
    source="Belkin, Hsu, Ma and Mandal 2019, PNAS 116:15849; Nakkiran et al. 2020, ICLR (arXiv:1912.02292)",
    settings=DoubleDescentSettings,
    run=run,
)
