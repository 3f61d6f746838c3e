"""`python -m studies NAME` runs one study, `python -m studies page` makes the page of all."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts.files import write_text
from pipeline.artifacts.running import locked
from pipeline.core.errors import PipelineError
from pipeline.settings.base import deciding
from studies.frame.registry import NAMES, find_study
from studies.frame.runs import side_by_side, versions
from studies.frame.settings import read_settings
from studies.frame.study import Result

OUT = Path("studies") / "out"
PAGE = Path("reports") / "studies.html"
_log = logging.getLogger("studies")


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="python -m studies", description=__doc__)
    parser.add_argument("name", help=f"page, or a study: {', '.join(NAMES)}")
    name = parser.parse_args(arguments).name
    try:
        make_page() if name == "page" else run_study(name)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last training", file=sys.stderr)
        return 130
    return 0


def run_study(name: str) -> None:
    """Write `studies/out/<name>.json`."""
    study = find_study(name)
    settings, runs = read_settings(name)
    started = time.monotonic()
    with locked("studies", name), side_by_side(study, settings, runs) as train:
        finding = study.run(settings, train)
        result = Result(name=name, settings=deciding(settings), versions=versions(), finding=finding)
        write_text(OUT / f"{name}.json", result.model_dump_json(indent=1) + "\n")
    wall = time.monotonic() - started
    _log.info("%s: %s (%.0f s). %s", name, finding.verdict, wall, finding.sentence)


def make_page() -> None:
    """Write the page of all studies; those that were not run yet say so."""
    from studies.frame.page import load_results, make_html

    write_text(PAGE, make_html(load_results(OUT)))
    _log.info("wrote %s", PAGE)


if __name__ == "__main__":
    sys.exit(main())
