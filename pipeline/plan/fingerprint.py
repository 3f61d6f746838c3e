"""One hash for the code behind a stage's result: DVC does not see imports, grimp does.

Hashed are the bytes of every module that a stage, and the method that it runs, import: whoever they import in
turn and imports inside functions included. Files of a package that are no modules (page templates) belong to
whoever imports a module beside them, who renders them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

import grimp
import grimp.exceptions

from pipeline.core.errors import InputError

# Modules that decide no number, with the reason. What they alone import is left out with them.
NOT_HASHED = {
    "pipeline.artifacts.outputs": "names the files of all stages, as dvc.yaml does",
    "pipeline.artifacts.plans": "reads what the plan says, and DVC tracks what it says",
    "pipeline.artifacts.running": "takes locks and tells a user's files from a stage's own",
    "pipeline.core.progress": "tells how far the work is",
    "pipeline.methods.registry": "names every method; the one that runs is a root of its own",
}

# what Python, editors and file managers leave beside the files that people write
_LEFT_BEHIND = re.compile(r"__pycache__|py\.typed|[.#].*|.*(~|\.pyc|\.orig|\.rej)")


class Code:
    """A package's modules and files as they are when they are first asked for."""

    def __init__(self, package: str = "pipeline", *, folder: Path | None = None) -> None:
        """`folder`: holds the files; another than the imported package's tells what an edit would change."""
        self._package = package
        self._folder = folder or Path(importlib.import_module(package).__path__[0])
        self._hash, self._runs_something = cache(_hash), cache(_runs_something)
        self._upstream, self._path = cache(self._find_upstream), cache(self._find_path)
        self.fingerprint = cache(self._fingerprint)

    def _fingerprint(self, *roots: str, alone: tuple[str, ...] = ()) -> str:
        """16 hex digits that change when a file does that `roots` (modules) import, wherever it lies.

        Args:
            alone: modules whose own file is hashed, too, and not what they import.
        """
        total = hashlib.sha256()
        for path in self.files(*roots, alone=alone):
            total.update(f"{path.relative_to(self._folder).as_posix()} {self._hash(path)}\n".encode())
        return total.hexdigest()[:16]

    def files(self, *roots: str, alone: tuple[str, ...] = ()) -> list[Path]:
        """Every file that is hashed for `roots` and `alone`, in order.

        Raises:
            InputError: a module of the package, not only of these, is not Python.
        """
        modules = {module for root in roots for module in self._upstream(root)} | set(alone)
        found = {self._path(module) for module in modules}
        for folder in {path.parent for path in found}:
            found.update(_other_files(folder))
        # an `__init__` runs when a module below it is imported; most hold a docstring only
        found |= {self._path(package) for module in modules for package in _packages(module)}
        return sorted(path for path in found if path.name != "__init__.py" or self._runs_something(path))

    def has(self, module: str) -> bool:
        return module in self._graph.modules

    def _check_packages(self) -> None:
        """Python imports from any folder, grimp sees packages only: an edit would rerun nothing."""
        for path in self._folder.rglob("*.py"):
            parts = path.relative_to(self._folder).parts
            if not (path.parent / "__init__.py").exists() and not any(map(_LEFT_BEHIND.fullmatch, parts)):
                raise InputError(
                    f"{path} lies in a folder without __init__.py, so that nobody sees who imports it. "
                    f"Nothing was run. Make it a package (touch {path.parent / '__init__.py'}), or move the "
                    "file away."
                )

    @cached_property
    def _graph(self) -> grimp.ImportGraph:
        self._check_packages()
        try:
            graph = grimp.build_graph(self._package, cache_dir=None)  # 0.1 s for 400 modules
        except grimp.exceptions.SourceSyntaxError as error:
            raise InputError(f"{error}. Nothing was run. Mend the file, or move it away.") from None
        for module in NOT_HASHED.keys() & graph.modules:
            graph.remove_module(module)
        return graph

    def _find_upstream(self, root: str) -> set[str]:
        return {root, *self._graph.find_upstream_modules(root)}

    def _find_path(self, module: str) -> Path:
        path = self._folder.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _runs_something(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def _other_files(folder: Path, *, is_package: bool = True) -> Iterator[Path]:
    """Files in a package's folder, and below in folders that are no packages, that are no modules."""
    for child in folder.iterdir():
        if _LEFT_BEHIND.fullmatch(child.name):
            continue
        if not child.is_dir():
            if not is_package or child.suffix != ".py":
                yield child
        elif not is_package or not (child / "__init__.py").exists():
            yield from _other_files(child, is_package=False)
