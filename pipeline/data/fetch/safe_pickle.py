"""Unpickle the official CIFAR files without giving them the power to run code.

A pickle may name any importable function and call it. The official files (written by Python 2)
need three names; everything else is refused before it is imported.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

from pipeline.core.errors import InputError, UnsafeArchiveError


def _dtype(kind: bytes | str, align: object = False, copy: object = False) -> np.dtype[Any]:
    """`numpy.dtype` as Python 2 pickled it: bytes for the name, integers for the flags."""
    return np.dtype(kind.decode("ascii") if isinstance(kind, bytes) else kind)


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """`_codecs.encode`, which Python 3 uses to write bytes in old protocols: this one codec only."""
    return text.encode("latin1")


_ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _latin1,
}


class _RefusedGlobalError(Exception):
    pass


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[(module, name)]
        except KeyError:
            raise _RefusedGlobalError(f"{module}.{name}") from None


def load_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in `path`, its keys as str; nested byte strings stay bytes.

    `encoding="bytes"` keeps the pixels as they are instead of decoding 150 MB to text and back.

    Raises:
        UnsafeArchiveError: the pickle asks for a global that pictures and labels do not need.
        InputError: missing, truncated, damaged, or not a dictionary.
    """
    try:
        with path.open("rb") as file:
            content = _RestrictedUnpickler(file, encoding="bytes").load()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except _RefusedGlobalError as error:
        raise UnsafeArchiveError(
            f"{path} asks for {error}, which pictures and labels do not need: it was not loaded. "
            "Delete it and obtain the official file."
        ) from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(f"{path} is truncated or damaged ({error}). Obtain the official file.") from error
    except (AttributeError, ImportError, MemoryError, OverflowError) as error:
        raise InputError(f"{path} is not a CIFAR file ({error}). Obtain the official file.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, expected a dictionary of arrays.")
    return {text(key): value for key, value in content.items()}


def text(value: object) -> str:
    """A Python 2 string as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_guarded = threading.local()


@contextlib.contextmanager
def without_code(where: str) -> Iterator[None]:
    """Refuse, in this thread, what other libraries unpickle, where it asks for more than pictures need.

    Raises:
        UnsafeArchiveError: within, when something does; `where` says whose files these are.
    """
    _watch()
    before = getattr(_guarded, "where", None)
    _guarded.where = where
    try:
        yield
    finally:
        _guarded.where = before


@cache
def _watch() -> None:
    """Once a process, and for good: Python does not take such a hook back."""
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event != "pickle.find_class":
        return
    where = getattr(_guarded, "where", None)
    if where is not None and tuple(args[:2]) not in _ALLOWED:
        raise UnsafeArchiveError(
            f"{where}: a pickle asks for {'.'.join(map(str, args[:2]))}, which pictures and labels do not "
            "need: it was not loaded. Delete the file and obtain the official one."
        )
