"""How long a report takes to be made and to open, how large it is, and how much memory that needs.

Run, where a finished run lies: python -m benchmarks.report_page DATASET [--loads 5]

The report stage runs in a process of its own. Chromium (headless, /usr/bin/chromium) then opens the page
from its file: first paint, and the end of the page's script, after which everything answers.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
TIMES = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [paint.startTime / 1000, page.domContentLoadedEventEnd / 1000];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--loads", type=int, default=5)
    args = parser.parse_args()
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", "report", args.dataset], check=True)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    page = Path("reports").absolute() / f"{args.dataset}.html"
    size, peak = page.stat().st_size / 1e6, used.ru_maxrss / 1024
    print(f"made in {seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of processor time)")
    print(f"{size:.2f} MB, peak memory {peak:.0f} MiB")
    paints, ends = zip(*open_page(page, args.loads), strict=True)
    print(
        f"opens: first paint {statistics.median(paints):.2f} s, answers after {statistics.median(ends):.2f} s"
    )


def open_page(page: Path, loads: int) -> list[tuple[float, float]]:
    """Seconds until the first paint and until the end of the script, load by load."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        found = []
        for _ in range(loads):
            opened = browser.new_page(viewport={"width": 1440, "height": 900})
            opened.goto(page.as_uri())
            paint, end = opened.evaluate(TIMES)
            found.append((paint, end))
            opened.close()
        browser.close()
    return found


if __name__ == "__main__":
    main()
