"""README's call of `audit.run`, as it is written there: real stages under DVC, and nothing twice."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pipeline.project import reproduce
from pipeline.records.report import Report
from tests import ROOT
from tests.fixtures.quick_command import quick_command


@pytest.mark.slow
def test_the_call_in_the_readme_gives_the_report_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "bin").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    with quick_command(tmp_path / "bin") as scripts:
        monkeypatch.setattr(reproduce.sysconfig, "get_path", lambda _: str(scripts))
        names: dict[str, object] = {}
        exec(compile(code, "README.md", "exec"), names)
        first = capsys.readouterr().out
        exec(compile(code, "README.md", "exec"), names)
        second = capsys.readouterr().out
    report = names["report"]
    assert isinstance(report, Report)
    assert report.dataset.n["train"] == 400
    assert list(report.methods) == ["erm"]
    assert report.provenance.stages_note.startswith("All 13 stages fit")
    assert "'used': '" in first.splitlines()[-1]
    assert first.splitlines()[-1] == second.splitlines()[-1]
    ran = re.findall(r"^Running stage '(\w+)", first, re.MULTILINE)
    assert {"plan", "data", "train", "evaluate", "verdict", "report", "index"} <= set(ran)
    assert re.findall(r"^Running stage '(\w+)", second, re.MULTILINE) == ["plan"]
    assert Path.cwd() == tmp_path / "notebooks"
    assert os.listdir() == ["first_look"]
    assert Path("first_look/reports/photo_digits.html").exists()
