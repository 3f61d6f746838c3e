"""One hash for the code behind a stage's result: DVC does not see imports, grimp does.

Hashed are the bytes of every module that a stage, and the method that it runs, import: whoever they import in
turn and imports inside functions included. Files of a package that are no modules (page templates) belong to
whoever imports a module beside them, who renders them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

import grimp

import pipeline

# Modules that decide no number, with the reason. What they alone import is left out with them.
NOT_HASHED = {
    "pipeline.artifacts.plans": "reads what the plan says, and DVC tracks what it says",
    "pipeline.artifacts.running": "takes locks and tells a user's files from the stage's own",
    "pipeline.core.progress": "tells how far the work is",
    "pipeline.methods.registry": "names every method; the one that runs is a root of its own",
}


class Code:
    """The package's modules and files as they are now."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: holds the package's files; another than the imported one's only for what-ifs."""
        self._folder = folder or Path(pipeline.__path__[0])

    def fingerprint(self, *roots: str) -> str:
        """16 hex digits that change when a file does that `roots` (modules) import, wherever it lies."""
        total = hashlib.sha256()
        for path in self.files(*roots):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(self._folder).as_posix()} {content}\n".encode())
        return total.hexdigest()[:16]

    def files(self, *roots: str) -> list[Path]:
        """Every file that is hashed for `roots`, in order."""
        modules = self._reached(roots)
        found = {self._path(module) for module in modules if self._has_code(module)}
        for package in {self._path(module).parent for module in modules}:
            found.update(_other_files(package))
        return sorted(found)

    def has(self, module: str) -> bool:
        return module in self._graph.modules

    @cached_property
    def _graph(self) -> grimp.ImportGraph:
        graph = grimp.build_graph("pipeline", cache_dir=None)  # 0.1 s for 400 modules
        for module in NOT_HASHED.keys() & graph.modules:
            graph.remove_module(module)
        return graph

    def _reached(self, roots: Iterable[str]) -> set[str]:
        modules = set()
        for root in roots:
            modules |= {root, *self._graph.find_upstream_modules(root)}
        return modules | {package for module in modules for package in _packages(module)}

    def _path(self, module: str) -> Path:
        path = self._folder.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def _has_code(self, module: str) -> bool:
        """A package's `__init__` runs when a module of it is imported; most hold a docstring only."""
        path = self._path(module)
        return path.name != "__init__.py" or _runs_something(path, path.stat().st_mtime_ns)


def _packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts)))


@lru_cache
def _runs_something(path: Path, _changed: int) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def _other_files(package: Path) -> Iterator[Path]:
    """Files at and below a package's folder that are no modules and lie in no package of their own."""
    for child in package.iterdir():
        if child.is_dir():
            if child.name != "__pycache__" and not (child / "__init__.py").exists():
                yield from (path for path in child.rglob("*") if path.is_file())
        elif child.suffix not in (".py", ".pyc") and child.name != "py.typed":
            yield child
