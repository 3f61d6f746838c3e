"""Errors that a user can act on. Each message names the value, what was allowed and the remedy."""

from __future__ import annotations


class PipelineError(Exception):
    """Base of every error that the command line prints without a traceback."""


class InputError(PipelineError, ValueError):
    """The user's data, parameters or files are not usable as they are."""


class UnmatchedClassesError(InputError):
    """Which output of a model is which class of a dataset is not plain."""


class CannotTrainError(InputError):
    """One method cannot be trained on these data; others may be, so the pipeline goes on without it."""


class CannotExplainError(InputError):
    """A network lacks what one explanation needs; everything else can be asked of it."""


class DownloadError(PipelineError, OSError):
    """A file could not be obtained, or is not the file it should be."""


class UnsafeArchiveError(InputError):
    """An archive member would be written outside its target, or a pickle asks for code."""


class ArtifactError(PipelineError, RuntimeError):
    """An artifact on disk is missing, truncated or of another schema version."""


class TrainingError(PipelineError, RuntimeError):
    """Training cannot go on (for example a NaN loss); the last good checkpoint is kept."""


class TaskError(PipelineError, RuntimeError):
    """One of many tasks that run side by side failed; the results of the others are kept."""
