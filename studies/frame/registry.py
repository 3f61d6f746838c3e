"""All studies by name, in the order of the page; each is loaded when it is asked for."""

from __future__ import annotations

import importlib

from pipeline.core.errors import InputError
from pipeline.settings.parsing import did_you_mean
from studies.frame.study import Study

NAMES = (
    # in this order on the page
    "grokking",
    "double_descent",
    "scaling_law",
    "memorization",
    "batch_size",
    "jacobian_gap",
    "simplicity_bias",
    "delayed_robustness",
    "regularization",
    "lottery_ticket",
    "flat_minima",
)


def find_study(name: str) -> Study:
    """The study of that name.

    Raises:
        InputError: there is none.
    """
    if name not in NAMES:
        raise InputError(
            f"there is no study {name!r}{did_you_mean(name, NAMES) or '.'} Known: {', '.join(NAMES)}."
        )
    study = importlib.import_module(f"studies.{name}").STUDY
    assert isinstance(study, Study)
    return study
