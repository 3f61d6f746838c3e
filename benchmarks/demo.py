"""Seconds per stage of the demo in a fresh clone, of a second `dvc repro`, and after one changed parameter.

Run: `python benchmarks/demo.py` (about five minutes). Uses the environment it is run in.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def repro(folder: Path, *arguments: str) -> tuple[float, list[str]]:
    """Wall seconds and the stages that `dvc repro` ran."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    started = time.perf_counter()
    done = subprocess.run(
        ["dvc", "repro", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, re.findall(r"Running stage '([^']+)'", done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        targets = ["data", "color", "groups", "train", "evaluate", "attribute", "gradcam", "report", "index"]
        total = 0.0
        for stage in targets:
            seconds, ran = repro(folder, "--single-item", "--glob", f"{stage}*")
            total += seconds
            print(f"{stage:10s} {seconds:7.1f} s  {len(ran)} stages", flush=True)
        print(f"{'all':10s} {total:7.1f} s")
        seconds, ran = repro(folder)
        print(f"second run {seconds:7.1f} s  {len(ran)} stages")
        params = folder / "params.yaml"
        params.write_text(params.read_text().replace("step_size: 0.01", "step_size: 0.011"))
        dry = subprocess.run(
            ["dvc", "repro", "--dry"], cwd=folder, check=True, capture_output=True, text=True
        )
        print(
            "after methods.group_dro.step_size changed:", *re.findall(r"Running stage '([^']+)'", dry.stdout)
        )


if __name__ == "__main__":
    main()
