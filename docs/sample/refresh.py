"""The sample report: `make sample` after `make demo` makes it again, `--check` says whether it is stale.

It copies the demo's page and JSON, photographs the verdict (with Chromium, where there is one) and
regenerates README's table and the numbers below it.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SAMPLE = Path(__file__).parent / "photo_digits.json"
PAGE, PICTURE = SAMPLE.with_suffix(".html"), SAMPLE.with_name("verdict.png")
FRESH = ROOT / "reports" / "photo_digits.json"
CHROMIUM = Path("/usr/bin/chromium")
TABLE = "<!-- table: docs/sample/photo_digits.json -->\n", "<!-- end table -->"
FINDINGS = "<!-- findings: docs/sample/photo_digits.json -->\n", "<!-- end findings -->"
# rounding differs between processors, and with it which of five good methods comes first and what it costs
_SAME_FIX = {"yes", "partly"}
_BY_ANSWER = {"dynamics"}  # what it holds depends on what was found
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
        f"| method | average | worst group | its interval | n | gain in {_harmed(report)}, points |",
        "|---|---|---|---|---|---|",
    ]
    gains = {c["method"]: c for c in report["verdict"]["comparisons"]}
    for method, result in report["methods"].items():
        test = result["test"]
        worst = test["worst_group"]
        lines.append(
            f"| {NAMES[method]} | {100 * test['average']['value']:.1f} % "
            f"| {100 * worst['value']:.1f} % ({worst['name']}) "
            f"| {100 * worst['low']:.1f} to {100 * worst['high']:.1f} % "
            f"| {worst['n']} | {_gain(gains.get(method))} |"
        )
    return "\n".join(lines) + "\n"


def build_findings(report: dict[str, Any]) -> str:
    """What README says of the attributions, with the sample's numbers."""
    found, repair = report["attribution"]["erm"], report["methods"]["repair"]
    lds, check, n_wrong = found["lds"], found["group_check"], report["dataset"]["n_label_flips"]
    controls = {control["control"]: control for control in repair["removal_controls"]}
    random, removal = controls["random"], report["training"]["repair"]["removal"]
    gain = _interval(random["gain"], 100, ".0f", sign="+")
    own, others = repair["test"]["worst_group"]["value"], random["control_worst"]["value"]
    sentences = [
        f"Of the {n_wrong} images that do the test images most harm by ERM's attributions,",
        f"{100 * found['flipped_share_in_harmful']:.0f} % are among the {n_wrong} whose label is wrong.",
        "Summed scores foretell retrained models with a linear datamodeling score of",
        f"{_interval(lds)} where {lds['ceiling']:.2f} [{lds['ceiling_low']:.2f},",
        f"{lds['ceiling_high']:.2f}] is possible ({lds['n_subsets']} random halves; a rule that knows only",
        f"groups {lds['group_rule']:.2f}, same class {lds['same_class']:.2f}). Group changes when a training",
        f"group is left out correlate {check['correlation']:.2f} with them, but",
        f"{check['rule']['value']:.2f} with that rule, so this is no evidence for the scores.",
        f"Leaving out the {removal['chosen']} images that harm most (`repair`) gives a worst group of",
        f"{100 * own:.1f} %, as many random ones {100 * others:.1f} %: in {_harmed(report)}",
        f"paired {gain} points.",
    ]
    return textwrap.fill(" ".join(sentences), 130, break_on_hyphens=False) + "\n"


def _interval(estimate: dict[str, Any], factor: float = 1, form: str = ".2f", sign: str = "") -> str:
    value, low, high = (format(factor * estimate[key], sign + form) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _harmed(report: dict[str, Any]) -> str:
    """The group that all gains are in."""
    return str(report["verdict"]["harmed_group"]["name"])


def _gain(comparison: dict[str, Any] | None) -> str:
    """A paired gain with its interval and p-value, both corrected for the number of methods."""
    if comparison is None:
        return ""
    return f"{_interval(comparison['gain'], 100, '.1f', sign='+')}, {_p(comparison['p_value'])}"


def _p(p_value: float | None) -> str:
    if p_value is None:
        return "no p below three seeds"
    return "p < .001" if p_value < 0.001 else f"p = {p_value:.3f}"


def refresh_readme(readme: str, report: dict[str, Any]) -> str:
    """README with the sample's numbers between its markers."""
    for (start, end), text in ((TABLE, build_table(report)), (FINDINGS, build_findings(report))):
        before, rest = readme.split(start)
        readme = before + start + text + end + rest.split(end)[1]
    return readme


def differences(old: dict[str, Any], new: dict[str, Any], old_page: str, new_page: str) -> list[str]:
    """Why the sample no longer shows what the demo makes; numbers may differ between machines."""
    found = []
    for what, paths in (
        ("lacks", set(keys(new)) - set(keys(old))),
        ("still has", set(keys(old)) - set(keys(new))),
    ):
        if paths:
            found.append(f"the sample {what} {', '.join(sorted(paths)[:5])}")
    if old["provenance"]["params_hash"] != new["provenance"]["params_hash"]:
        found.append("it was made with other settings")
    answers = {rung["rung"]: rung["status"] for rung in old["verdict"]["rungs"]}
    found += [
        f"the demo answers {rung['rung']!r} {rung['status']}, the sample {answers.get(rung['rung'])}"
        for rung in new["verdict"]["rungs"]
        if not {rung["status"], answers.get(rung["rung"])} <= _SAME_FIX
        and rung["status"] != answers.get(rung["rung"])
    ]
    if headings(old_page, findings=False) != headings(new_page, findings=False):
        found.append("its page has other headings")
    return found


def keys(part: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys; items of a list share theirs, and so do the methods whose slices are shown."""
    if isinstance(part, dict):
        for key, value in part.items():
            name = "*" if path == ".verdict.slices" else key
            yield f"{path}.{name}"
            if key not in _BY_ANSWER:
                yield from keys(value, f"{path}.{name}")
    elif isinstance(part, list):
        for value in part:
            yield from keys(value, path)


def headings(page: str, findings: bool = True) -> list[str]:
    """Texts of a page's headings of the first three levels, without numbers; findings are its sentences."""
    found = re.findall(r"<h[1-3][^>]*>(.*?)</h[1-3]>", page, flags=re.DOTALL)
    if not findings:
        found = ["finding" if text.startswith("<span dir=") else text for text in found]
    return [re.sub(r"<svg.*?</svg>|<[^>]+>|[\d.,]+", "", text, flags=re.DOTALL).strip() for text in found]


def photograph(page: Path, picture: Path) -> None:
    """Screen one as a reader sees it on a wide screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="light")
        opened.goto(page.as_uri())
        box = opened.locator("#verdict").bounding_box()
        if box is None:
            raise SystemExit("the page shows no verdict")
        opened.screenshot(path=str(picture), clip=box, full_page=True)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the sample is stale")
    if parser.parse_args().check:
        pages = PAGE.read_text(), FRESH.with_suffix(".html").read_text()
        stale = differences(json.loads(SAMPLE.read_text()), json.loads(FRESH.read_text()), *pages)
        sys.exit(f"docs/sample is stale: {'; '.join(stale)}. Run `make sample`." if stale else 0)
    shutil.copy(FRESH, SAMPLE)
    shutil.copy(FRESH.with_suffix(".html"), PAGE)
    readme = ROOT / "README.md"
    readme.write_text(refresh_readme(readme.read_text(), json.loads(SAMPLE.read_text())))
    if CHROMIUM.exists():
        photograph(PAGE, PICTURE)
    else:
        print(f"no {CHROMIUM}: {PICTURE.name} was not made again", file=sys.stderr)


if __name__ == "__main__":
    main()
