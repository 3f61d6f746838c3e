"""`gate --from-baseline`: what it writes is met by that report, and not by one that is worse beyond noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.files import load_artifact, save_artifact
from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.records.report import Report
from pipeline.report.gate.judge import choose_gated, judge_report
from pipeline.report.gate.thresholds import format_proposal, propose
from pipeline.settings.gate import GateSettings
from tests import ROOT
from tests.fixtures.report import (
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
    replant,
)
from tests.unit.report.test_compare import DRO, write_project

SAMPLE = ROOT / "docs" / "sample" / "photo_digits.json"


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder without params.yaml."""
    monkeypatch.chdir(tmp_path)


def tiny_bad_group() -> ReportInputs:
    """All groups but one have enough images; that one is never right."""
    return replant(photo_birds(), test=[400, 400, 200, 20], erm=[0.95, 0.9, 0.8, 0.0])


@pytest.mark.parametrize(
    "make", [photo_birds, repaired_birds, plain_hundred, hostile_birds, bare, tiny_bad_group]
)
@pytest.mark.parametrize("use", ["estimate", "lower"])
def test_the_report_meets_what_is_made_of_it(make: Callable[[], ReportInputs], use: Any) -> None:
    report = build_report(make())
    methods = choose_gated(report, "all")
    found = propose(report, methods, method="all", use=use)
    text = format_proposal(found, "datasets.x", "x.json")
    pasted = GateSettings(**YAML(typ="safe", pure=True).load(text)["gate"])
    assert pasted == found.settings
    judged = judge_report(report, pasted, methods, {})
    assert judged.checks
    assert judged.n_failed == 0
    asked = {key for key, value in pasted if key.startswith(("min_", "max_")) and value is not None}
    assert asked | set(pasted.forbid) | set(found.left_out) == {
        "min_worst_group", "min_average", "max_gap", "max_flip_rate", "max_leaking", "max_drop",
        "max_ece", "max_psi", "min_attacked", "min_corrupted",
        "available", "used", "harmful",
    }  # fmt: skip
    assert not asked & set(found.left_out), "what is not asked is said, and nothing else"


def test_a_run_as_good_passes_and_a_worse_one_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def project(name: str, accuracies: list[float], draw: int) -> Path:
        return write_project(tmp_path / name, {"group_dro": accuracies}, draw=draw)

    before = load_artifact(project("before", DRO, 0), Report)
    settings = propose(before, ["group_dro"], method=None, use="estimate").settings
    assert settings.min_worst_group is not None
    worst = before.methods["group_dro"].test.worst_group
    assert worst.low - 0.001 <= settings.min_worst_group <= worst.low
    redrawn = load_artifact(project("redrawn", DRO, 7), Report)
    assert judge_report(redrawn, settings, ["group_dro"], {}).n_failed == 0
    worse = load_artifact(project("worse", [0.94, 0.90, 0.70, 0.90], 0), Report)
    failed = [c.what for c in judge_report(worse, settings, ["group_dro"], {}).checks if not c.passed]
    assert "worst group" in failed


def test_what_the_report_cannot_answer_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    report = build_report(bare())
    found = propose(report, [], method=None, use="estimate")
    assert found.left_out["min_worst_group"] == "no model was evaluated"
    assert "max_leaking" not in found.left_out
    save_artifact(Path("birds.json"), build_report(photo_birds()))
    assert main(["gate", "--from-baseline", "birds.json"]) == 0
    text = capsys.readouterr().out
    assert (
        "# left out: max_drop: it compares with an earlier report: --baseline OLD.json --max-drop 0.02"
        in text
    )
    assert "# left out: harmful: answered yes today" in text
    unlooked = replace(bare(), hygiene=None)
    with pytest.raises(
        InputError, match=r"answers nothing that a gate can ask.*max_leaking: .*not looked for"
    ):
        propose(build_report(unlooked), [], method=None, use="estimate")


def test_it_is_written_into_the_datasets_entry_and_met(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = (ROOT / "params.yaml").read_text()
    strict = shipped.replace("    min_average: null # ", "    max_drop: 0.01\n    min_average: 0.99 # ", 1)
    strict = strict.replace("    max_drop: null", "    # max_drop: null", 1)
    Path("params.yaml").write_text(strict)
    asked = ["gate", "--from-baseline", str(SAMPLE), "--write", "--method", "Group DRO"]
    for _ in range(2):  # again: in place
        assert main(asked) == 0
        assert main(["gate", str(SAMPLE)]) == 0
    entry = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())["datasets"]["photo_digits"]
    assert entry["gate"]["method"] == "group_dro"
    assert entry["gate"]["max_drop"] is None, "defaults ask it, and this report alone cannot answer"
    before, after = (text.splitlines() for text in (strict, Path("params.yaml").read_text()))
    added = [line for line in after if line not in before]
    assert [line for line in after if line not in added] == before, "every other line stays"
    assert "wrote datasets.photo_digits.gate to params.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no report is given"),
        (["--write"], "no report is given"),
        (["birds.json", "--write", "--min-average", "0.5"], "--write is for --from-baseline"),
        (["--from-baseline", "birds.json", "birds.json"], "judges no report, but birds.json is given"),
        (["--from-baseline", "birds.json", "--write"], "has no dataset 'photo_birds', only photo_digits"),
        (["--from-baseline", "gone.json"], "there is no such report"),
        (["--from-baseline", "birds.json", "--method", "jtt"], "the report of photo_birds"),
    ],
)
def test_wrong_flags_are_explained(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_artifact(Path("birds.json"), build_report(photo_birds()))
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    assert main(["gate", *flags]) == 2
    assert message in capsys.readouterr().err
