"""How much of a report's page people have to read, measured in Chromium.

    python -m benchmarks.reading reports/photo_digits.html [OTHER.html ...]

Of the view *Audit*: screens at 1,440 x 900 and at 390 x 844, words and numbers that are in sight, words and
numbers of screen one, the top of the first picture, sheets of A4, stops of the Tab key before the first
image that caused it; of the file: its size, and when a click is answered. Pages without views are measured
whole. Digits in names of classes and groups are no numbers.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDE, PHONE = (1440, 900), (390, 844)
LIMITS = {
    "screens at 1440": 8,
    "screens at 390": 20,
    "words on screen one": 120,
    "numbers on screen one": 12,
    "words": 1500,
    "numbers": 150,
    "first picture, px": 700,
    "A4 pages": 8,
    "Tab stops to the cause": 10,
    "ready, s": 1.0,
    "MB": 3.0,
}
NUMBER = re.compile(r"(?<![\w])[+−-]?\d[\d,]*(?:\.\d+)?%?")


def measure(browser: Browser, file: Path) -> dict[str, float]:
    """The measured values, by the names of `LIMITS`."""
    page = _open(browser, file, WIDE)
    text = page.locator(_audit(page)).inner_text()
    one = page.locator("#verdict").inner_text()
    names = [name for name in set(page.locator(".name").all_inner_texts()) if name]
    phone = _open(browser, file, PHONE)
    found = {
        "screens at 1440": _height(page) / WIDE[1],
        "screens at 390": _height(phone) / PHONE[1],
        "words on screen one": count_words(one),
        "numbers on screen one": len(numbers(one, names)),
        "words": count_words(text),
        "numbers": len(numbers(text, names)),
        "first picture, px": page.evaluate(
            "[...document.images].filter(i => i.checkVisibility())[0]?.getBoundingClientRect().top ?? NaN"
        ),
        "A4 pages": len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4"))),
        "Tab stops to the cause": _stops(page),
        "ready, s": page.evaluate(
            "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
        ),
        "MB": file.stat().st_size / 1e6,
    }
    page.context.close()
    phone.context.close()
    return found


def count_words(text: str) -> int:
    """Words and numbers; marks such as "/" are none."""
    return sum(any(char.isalnum() for char in part) for part in text.split())


def numbers(text: str, names: Sequence[str] = ()) -> list[str]:
    """Numbers as people see them: "39.7%", "+54.5", "1,425"; not those inside names."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    return NUMBER.findall(re.sub("“[^”]*”", " ", text))


def _open(browser: Browser, file: Path, size: tuple[int, int]) -> Page:
    page = browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
    page.goto(file.resolve().as_uri())
    return page


def _audit(page: Page) -> str:
    return "#audit" if page.locator("#audit").count() else "main"


def _height(page: Page) -> float:
    return float(page.evaluate("document.documentElement.scrollHeight"))


def _stops(page: Page) -> float:
    """Tab stops before an image of the chapter on causes has the focus, links to it followed."""
    page.evaluate("scrollTo(0, 0)")
    for stop in range(1, 200):
        page.keyboard.press("Tab")
        at: Any = page.evaluate(
            "[document.activeElement.getAttribute('href'), !!document.activeElement.closest('#traced, "
            "#attribution') && document.activeElement.matches('button.look')]"
        )
        if at[1]:
            return stop
        if at[0] == "#traced" and page.evaluate("document.activeElement.classList.contains('skip')"):
            page.keyboard.press("Enter")
    return float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="+", type=Path)
    files = parser.parse_args().pages
    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = [measure(browser, file) for file in files]
        browser.close()
    print("| measured | limit | " + " | ".join(file.stem for file in files) + " |")
    print("|---|---|" + "---|" * len(files))
    for name, limit in LIMITS.items():
        values = " | ".join(f"{one[name]:,.1f}".removesuffix(".0") for one in found)
        print(f"| {name} | {limit} | {values} |")


if __name__ == "__main__":
    main()
