"""Our linear discriminant against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from pipeline.statistics.discriminant import Discriminant


@pytest.mark.parametrize(("n", "n_inputs", "n_classes"), [(300, 7, 2), (800, 40, 10), (120, 130, 3)])
def test_every_guess_is_scikit_learns(n: int, n_inputs: int, n_classes: int) -> None:
    rng = np.random.default_rng(n)
    shares = rng.dirichlet(np.full(n_classes, 2.0))
    labels_N = np.concatenate([np.arange(n_classes), rng.choice(n_classes, n - n_classes, p=shares)])
    inputs_ND = rng.normal(size=(n, n_inputs)) + 0.4 * rng.normal(size=(n_classes, n_inputs))[labels_N]
    inputs_ND = inputs_ND.astype(np.float32)
    inputs_ND[:, 0] = 0  # tells nothing
    oracle = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=0.1, priors=np.full(n_classes, 1 / n_classes)
    )
    expected_N = oracle.fit(inputs_ND, labels_N).predict(inputs_ND)
    found_N = Discriminant.fit(inputs_ND, labels_N, 0.1).predict(inputs_ND)
    assert (found_N == expected_N).all()
    assert len(set(found_N.tolist())) == n_classes


def test_inputs_that_are_all_alike_tell_nothing() -> None:
    model = Discriminant.fit(np.zeros((10, 3), np.float32), np.arange(10) % 2, 0.1)
    assert set(model.predict(np.zeros((4, 3), np.float32)).tolist()) == {0}
