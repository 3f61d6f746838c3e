"""Copy the demo's report JSON here and regenerate README's table from it: `make sample` after `make demo`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SAMPLE = Path(__file__).parent / "photo_digits.json"
START, END = "<!-- table: docs/sample/photo_digits.json -->\n", "<!-- end table -->"
NAMES = {
    "erm": "ERM",
    "group_dro": "group DRO",
    "subg": "SUBG",
    "dfr": "DFR",
    "jtt": "JTT",
    "repair": "repair",
}


def build_table(report: dict[str, Any]) -> str:
    """README's table as Markdown."""
    lines = [
        "| method | average | worst group | worst group's interval | n | each seed's worst group "
        "| gain in ERM's worst group, points |",
        "|---|---|---|---|---|---|---|",
    ]
    gains = {c["method"]: c for c in report["comparisons"]}
    for method, result in report["methods"].items():
        test = result["test"]
        worst = test["worst_group"]
        seeds = ", ".join(f"{100 * seed['worst_group']:.1f}" for seed in test["per_seed"])
        lines.append(
            f"| {NAMES[method]} | {100 * test['average']['value']:.1f} % "
            f"| {100 * worst['value']:.1f} % ({worst['name']}) "
            f"| {100 * worst['low']:.1f} to {100 * worst['high']:.1f} % "
            f"| {worst['n']} | {seeds} | {_gain(gains.get(method))} |"
        )
    return "\n".join(lines) + "\n"


def _gain(comparison: dict[str, Any] | None) -> str:
    """A paired gain with its interval, and its p-value corrected for the number of methods."""
    if comparison is None:
        return ""
    value, low, high = (100 * comparison["gain"][key] for key in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}], p = {comparison['p_holm']:.3f}"


def replace_table(readme: str, table: str) -> str:
    before, rest = readme.split(START)
    return before + START + table + END + rest.split(END)[1]


def main() -> None:
    shutil.copy(ROOT / "reports" / "photo_digits.json", SAMPLE)
    readme = ROOT / "README.md"
    table = build_table(json.loads(SAMPLE.read_text()))
    readme.write_text(replace_table(readme.read_text(), table))


if __name__ == "__main__":
    main()
