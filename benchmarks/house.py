"""The shape of the code: lengths of files and functions, imports. `house.py [FOLDER OF A CHECKOUT ...]`.

Lines are all lines, with blank ones and comments. A function runs from `def` to its last line; nested ones
count on their own as well. Give two checkouts to see them side by side.
"""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from statistics import median

from tabulate import tabulate

LONG_FILE = 300


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("roots", nargs="*", type=Path, default=[Path()])
    roots = parser.parse_args().roots
    columns = [measure(root) for root in roots]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    print(tabulate(rows, headers=["", *map(str, roots)], disable_numparse=True))


def measure(root: Path) -> dict[str, str]:
    """What the table shows of one checkout."""
    files = {path: path.read_text() for path in sorted((root / "pipeline").rglob("*.py"))}
    lengths = {path: len(text.splitlines()) for path, text in files.items()}
    functions = sorted(
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(root)}:{node.name}")
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    n_lines, n_import_lines = sum(lengths.values()), sum(map(import_lines, files.values()))
    long = [str(path.relative_to(root)) for path, n in lengths.items() if n > LONG_FILE]
    templates = [p for p in (root / "pipeline").rglob("*") if p.suffix in (".j2", ".js", ".css")]
    return {
        "files in pipeline/": f"{len(files):,}",
        "lines in pipeline/": f"{n_lines:,}",
        "lines of templates": f"{count_lines(templates):,}",
        "lines in tests/": f"{count_lines((root / 'tests').rglob('*.py')):,}",
        "lines in benchmarks/": f"{count_lines((root / 'benchmarks').rglob('*.py')):,}",
        "median file": f"{median(lengths.values()):g}",
        "median function": f"{median(n for n, _ in functions):g}",
        "longest function": "{} ({})".format(*functions[-1]),
        f"files above {LONG_FILE} lines": f"{len(long)}" + (f" ({', '.join(long)})" if len(long) < 4 else ""),
        "share of import lines": f"{n_import_lines / n_lines:.1%}",
    }


def import_lines(text: str) -> int:
    """Lines of import statements, anywhere."""
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)]
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in found)


def count_lines(paths) -> int:  # type: ignore[no-untyped-def]
    return sum(len(path.read_text().splitlines()) for path in paths)


if __name__ == "__main__":
    main()
