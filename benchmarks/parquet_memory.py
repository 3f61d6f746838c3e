"""How much memory stage `data` takes on images inside of Parquet: `python -m benchmarks.parquet_memory`.

Shards as Hugging Face's `datasets` writes them (struct of bytes and path, ClassLabel) are made of a few
photographs, each row's bytes its own by a comment that counts. A process of its own packs them; its largest
resident set is printed, and how much of that was its own memory rather than pages of files. Packed images are
appended to their file, not mapped, so that its pages do not count. The folder is deleted at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.data.entry.write import write_entry

N_PICTURES, N_CLASSES, PER_SHARD, PER_GROUP = 50, 10, 10_000, 1_000
NAME = "parquet_memory"
ROOT = Path(__file__).resolve().parents[1]
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def draw(side: int) -> list[bytes]:
    """JPEGs about as large as photographs of that side are."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(N_PICTURES):
        coarse = Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.int16)
        noisy = (smooth + rng.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=85)
        pictures.append(buffer.getvalue())
    return pictures


def number(jpeg: bytes, i: int) -> bytes:
    """The same picture with a comment behind its first mark."""
    comment = f"{i:016}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def write_shards(folder: Path, n: int, side: int, per_group: int) -> int:
    """Shards of every split; returns their bytes."""
    names = {"label": {"names": [f"class {k}" for k in range(N_CLASSES)], "_type": "ClassLabel"}}
    info = {"info": {"features": {"image": {"_type": "Image"}} | names}}
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema({"image": kind, "label": pa.int64()}, metadata={"huggingface": json.dumps(info)})
    pictures, first = draw(side), 0
    for split, share in SHARES.items():
        sizes = [PER_SHARD] * (round(share * n) // PER_SHARD) + [round(share * n) % PER_SHARD]
        sizes = [size for size in sizes if size]
        for k, size in enumerate(sizes):
            path = folder / f"{split}-{k:05}-of-{len(sizes):05}.parquet"
            with pq.ParquetWriter(path, schema) as writer:
                for start in range(0, size, per_group):
                    ids = range(first + start, first + min(size, start + per_group))
                    image = [{"bytes": number(pictures[i % N_PICTURES], i), "path": f"{i}.jpg"} for i in ids]
                    label = [i % N_CLASSES for i in ids]
                    writer.write_table(pa.table({"image": image, "label": label}, schema=schema), per_group)
            first += size
    return sum(file.stat().st_size for file in folder.iterdir())


def watch(process: subprocess.Popen[bytes], largest: dict[str, float]) -> None:
    """Keep a process's largest resident set, and the most memory of its own, MiB.

    By the kernel's own marks: `ru_maxrss` of a child begins with what its parent had.
    """
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            for key in ("VmHWM", "RssAnon"):
                found = int(status.split(f"{key}:")[1].split()[0]) / 1024
                largest[key] = max(largest.get(key, 0), found)
        except (OSError, IndexError):
            return
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="How much memory stage data takes on images inside of Parquet."
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=224, help="of the images, px")
    parser.add_argument("--image-size", type=int, default=224, help="of the packed ones, px")
    parser.add_argument(
        "--row-group", type=int, default=PER_GROUP, help="rows of each row group, 10,000 at most"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=NAME) as name:
        folder = Path(name)
        (folder / "shards").mkdir()
        size = write_shards(folder / "shards", options.images, options.side, options.row_group)
        shutil.copy(ROOT / "params.yaml", folder)
        source = {"kind": "parquet", "path": str(folder / "shards")}
        write_entry(
            folder / "params.yaml", NAME, {"source": source, "data": {"image_size": options.image_size}}
        )
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "pipeline", "data", NAME]
        started, largest = time.perf_counter(), dict[str, float]()
        with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}) as process:
            thread = threading.Thread(target=watch, args=(process, largest))
            thread.start()
        thread.join()
        if process.returncode:
            sys.exit(process.returncode)
        seconds = time.perf_counter() - started
        packed = sum(file.stat().st_size for file in (folder / "data" / NAME / "packed").iterdir())
    print(
        f"{options.images:,} images of {options.side} px, {size / 1e9:.1f} GB of Parquet, in "
        f"groups of {options.row_group:,} rows, packed at {options.image_size} px ({packed / 1e9:.1f} GB) in "
        f"{seconds:.0f} s: largest resident set {largest['VmHWM']:,.0f} MiB, of which its own at most "
        f"{largest['RssAnon']:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
