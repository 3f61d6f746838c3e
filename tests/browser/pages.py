"""Pages in Chromium, and what they complained about or asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import ROOT
from tests.fixtures.report import (
    ReportInputs,
    bare,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
)

CHROMIUM = Path("/usr/bin/chromium")
# the demo's own page, with every part
SAMPLE = ROOT / "docs" / "sample" / "photo_digits.html"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What axe-core calls serious or critical. The colors of a text take it milliseconds, those of thousands
# nearly all of its time: of texts whose elements are alike up to the page, in
# class and color, it is given the first.
RUN_AXE = """async () => {
  const firsts = new Map();
  for (const e of document.body.querySelectorAll("*")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.checkVisibility()) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(e);
    const styles = [color, fontSize, fontWeight];
    for (let p = e; p; p = p.parentElement) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(p);
      styles.push(p.tagName, p.getAttribute("class"), backgroundColor, backgroundImage, opacity);
    }
    const key = styles.join();
    if (!firsts.has(key)) firsts.set(key, e);
  }
  const options = { resultTypes: ["violations"] };
  const rules = { "color-contrast": { enabled: false } };
  const runs = [await axe.run(document, { ...options, rules })];
  runs.push(await axe.run({ include: [...firsts.values()] }, { ...options, runOnly: ["color-contrast"] }));
  return runs.flatMap((run) => run.violations)
    .filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${v.id} (${v.impact}): ${v.nodes.length} x ${v.nodes[0].html.slice(0, 160)}`);
}"""
VARIANTS: dict[str, Callable[[], ReportInputs]] = {
    "birds": photo_birds,
    "repaired": repaired_birds,
    "hundred": plain_hundred,
    "hostile": hostile_birds,
    "bare": bare,
}


class Visit:
    """One open page with everything it complained about or asked for."""

    def __init__(
        self,
        browser: Any,
        file: Path,
        *,
        width: int,
        dark: bool = False,
        scripts: bool = True,
        fragment: str = "",
        bypass_csp: bool = False,
        still: bool = False,
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            bypass_csp=bypass_csp,  # to run a checker inside the page
            reduced_motion="reduce" if still else "no-preference",  # nothing glides to its place
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri() + (f"#{fragment}" if fragment else ""))

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
