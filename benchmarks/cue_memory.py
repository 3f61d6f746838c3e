"""How much memory the search for cues takes as data sets grow: `python -m benchmarks.cue_memory`.

Images lie in a file, as packed data do; each size is looked at by a process of its own, whose largest
memory is printed: its own, and not the pages of the file, which the system takes back when it
needs them. At most `max_train` images of a split are looked at, so it must not grow.

Shape legend: N images.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cue_discovery.examine import default_settings
from pipeline.cues.cue import Seen
from pipeline.cues.look import Looked
from pipeline.data_audit.cues.audit import audit_cues
from pipeline.records.base import Provenance

SIZES = (62_500, 250_000, 1_000_000)
SIDE, N_CLASSES, BLOCK = 32, 10, 50_000


def write_images(path: Path, n: int) -> None:
    """Smooth colored noise, block by block."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (n, SIDE, SIDE, 3))
    for start in range(0, n, BLOCK):
        rng = np.random.default_rng(start)
        coarse = rng.integers(60, 190, (min(BLOCK, n - start), 8, 8, 3), np.uint8)
        images[start : start + BLOCK] = coarse.repeat(SIDE // 8, 1).repeat(SIDE // 8, 2)
    images.flush()


def look_at(path: Path, n: int) -> None:
    """Every cue of four fifths of the images, read on the rest; prints seconds and MiB."""
    images = np.load(path, mmap_mode="r")
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, N_CLASSES, n)
    quality_N = rng.choice([60.0, 75.0, 92.0], n)
    facts = pd.DataFrame({"bytes": (quality_N * 90).astype(int), "jpeg_quality": quality_N})
    n_train = 4 * n // 5
    parts = [slice(n_train), slice(n_train, None)]
    train, test = (
        Looked(Seen(images[part], facts=facts.iloc[part].reset_index(drop=True)), labels_N[part])
        for part in parts
    )
    started, largest = time.perf_counter(), [0.0]
    threading.Thread(target=watch, args=(largest,), daemon=True).start()
    audit_cues(train, test, [str(k) for k in range(N_CLASSES)], default_settings(), Provenance())
    print(f"| {n:,} | {time.perf_counter() - started:.0f} | {largest[0]:,.0f} |", flush=True)


def watch(largest: list[float]) -> None:
    """Keep the most memory of its own that this process has had, MiB."""
    while True:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        own = int(status.split("RssAnon:")[1].split()[0]) / 1024
        largest[0] = max(largest[0], own)
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description="How much memory the search for cues takes.")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="images")
    parser.add_argument("--look", nargs=2, metavar=("FILE", "N"), help="one size, of a file that is there")
    options = parser.parse_args()
    if options.look:
        look_at(Path(options.look[0]), int(options.look[1]))
        return
    print("| images | seconds | most memory of its own, MiB |\n| --- | --- | --- |", flush=True)
    for n in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npy"
            write_images(path, n)
            command = [sys.executable, "-m", "benchmarks.cue_memory", "--look", str(path), str(n)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
