"""What this project calls of the library traker: whether it is there, and how to call it without noise."""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import InputError

CALLED = {
    "__init__": (
        "model", "task", "train_set_size", "save_dir", "load_from_save_dir", "device", "gradient_computer",
        "projector", "score_computer", "proj_dim", "logging_level", "use_half_precision", "projector_seed",
        "lambda_reg",
    ),
    "load_checkpoint": ("checkpoint", "model_id"),
    "featurize": ("batch", "inds"),
    "finalize_features": (),
    "start_scoring_checkpoint": ("exp_name", "checkpoint", "model_id", "num_targets"),
    "score": ("batch", "inds"),
    "finalize_scores": ("exp_name",),
}  # fmt: skip


def require_traker() -> None:
    """Raises: InputError (traker is not installed, or has another interface than the one called here)."""
    try:
        from trak import TRAKer

        known = {name: inspect.signature(getattr(TRAKer, name)).parameters for name in CALLED}
    except (ImportError, AttributeError) as error:
        raise InputError(_no_interface(str(error))) from None
    lacking = [f"{name}({key})" for name, keys in CALLED.items() for key in keys if key not in known[name]]
    if lacking:
        raise InputError(_no_interface(f"TRAKer lacks {', '.join(lacking)}"))


def _no_interface(why: str) -> str:
    try:
        found = f"version {importlib.metadata.version('traker')} is installed"
    except importlib.metadata.PackageNotFoundError:
        found = "it is not installed"
    return (
        f"attribute.estimator = traker needs the package traker with the interface of 0.3; {found} ({why}). "
        "Install it with pip install 'traker>=0.3.2,<0.4', or set attribute.estimator: trak, which needs "
        "no such package."
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Neither traker's progress bars nor the handler that it puts on the root logger."""
    root = logging.getLogger()
    before = list(root.handlers)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        try:
            yield
        finally:
            root.handlers = before
