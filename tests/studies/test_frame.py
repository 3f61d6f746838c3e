"""The frame of the studies: settings, the DVC file, trainings that go on, the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from scipy import stats

from pipeline.artifacts.arrays import Arrays
from pipeline.core.errors import InputError
from pipeline.records.base import Estimate
from studies.__main__ import main
from studies.frame.page import make_html
from studies.frame.registry import NAMES, find_study
from studies.frame.runs import side_by_side
from studies.frame.settings import RunsSettings, read_settings
from studies.frame.study import Chart, Finding, Line, Mark, Number, Result, line_over_seeds, over_seeds
from tests import ROOT

PARAMS = ROOT / "studies" / "params.yaml"
RUNS = RunsSettings(executor="local", workers=1, submitit={})


def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def test_dvc_has_a_stage_for_each_study_and_the_page_waits_for_all() -> None:
    stages = _yaml(ROOT / "studies" / "dvc.yaml")["stages"]
    assert set(stages) == {*NAMES, "page"}
    for name in NAMES:
        stage = stages[name]
        assert stage["cmd"] == f"python -m studies {name}"
        assert {f"studies/{name}.py", "studies/frame"} <= set(stage["deps"])
        assert stage["params"] == [{"studies/params.yaml": [name]}]
        assert stage["outs"] == [{f"studies/out/{name}.json": {"cache": False}}]
        assert f"studies/out/{name}.json" in stages["page"]["deps"]


@pytest.mark.parametrize("name", NAMES)
def test_each_study_is_told_and_its_settings_are_valid(name: str) -> None:
    study = find_study(name)
    assert study.name == name
    assert all((study.title, study.claim, study.refuted_by, study.source))
    settings, _ = read_settings(name, PARAMS)
    assert isinstance(settings, study.settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["grokking"].update(steps=0), r"grokking\.steps.*at least 1"),
        (lambda p: p["grokking"].update(stepz=3), r"stepz.*did you mean 'steps'"),
        (lambda p: p.update(groking={}), "groking is no study; did you mean 'grokking'"),
        (lambda p: p.pop("grokking"), "has no section grokking"),
        (lambda p: p["runs"].update(executor="cloud"), "executor"),
        (
            lambda p: p["grokking"].update(seeds=[0, 0]),
            r"grokking\.seeds = .*: seeds must be different",
        ),
        (lambda p: p["grokking"].update(fractions=[0.3, 1.5]), r"fractions\.1 = 1\.5: must be below 1"),
        (lambda p: p["grokking"].update(claimed=[0.9]), r"claimed has 0\.9, which fractions .* not train"),
        (lambda p: p["grokking"].update(every=77777), r"every = 77777 must be at most steps"),
        (lambda p: p["double_descent"]["random_features"].update(samples=99), "must list 99"),
    ],
)
def test_wrong_settings_are_named(change: Any, message: str, tmp_path: Path) -> None:
    params = _yaml(PARAMS)
    change(params)
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    name = "double_descent" if "99" in message else "grokking"
    with pytest.raises(InputError, match=re.compile(message, re.DOTALL)):
        read_settings(name, path)


def test_an_unknown_study_is_refused_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grokin"]) == 1
    assert "did you mean 'grokking'?" in capsys.readouterr().err


def count_and_fail(folder: str, fails: bool) -> Arrays:
    """Notes that it was called; a task of the test below."""
    with (Path(folder) / "calls").open("a") as file:
        file.write("x")
    if fails and not (Path(folder) / "mended").exists():
        raise RuntimeError("killed")
    return {"value": np.array(3.0)}


@pytest.mark.slow  # two fan-outs start processes
def test_a_killed_study_goes_on_with_what_is_missing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    study = find_study("grokking")
    settings, _ = read_settings("grokking", PARAMS)
    tasks = {"whole": (str(tmp_path), False), "broken": (str(tmp_path), True)}
    with pytest.raises(Exception, match="killed"), side_by_side(study, settings, RUNS) as train:
        train(count_and_fail, tasks)
    (tmp_path / "mended").touch()
    with side_by_side(study, settings, RUNS) as train:
        found = train(count_and_fail, tasks)
    assert [float(arrays["value"]) for arrays in found.values()] == [3.0, 3.0]
    assert len((tmp_path / "calls").read_text()) == 3  # the whole one was not computed again
    assert not list((tmp_path / ".scratch" / "studies").iterdir())


def test_means_over_seeds_are_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    found = over_seeds(values)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.value, found.n) == (3.5, 4)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert over_seeds([2.0, 2.0]) == Estimate(value=2, low=2, high=2, n=2)
    assert over_seeds([1.0, np.nan, 3.0]).n == 2


def test_a_line_of_logarithms_has_the_geometric_mean() -> None:
    line = line_over_seeds("a", [1.0], np.array([[1.0], [100.0]]), log=True)
    assert line.y == pytest.approx([10.0])
    assert line.low is not None
    assert line.low[0] > 0


def test_the_page_shows_findings_first_and_says_what_was_not_run() -> None:
    number = Number(
        title="a <b> share", estimate=Estimate(value=0.5, low=0.25, high=0.75, n=8), seeds=8, unit="share"
    )
    line = Line(name="one & two", x=[1, 2], y=[0.1, 0.2], low=[0.0, 0.1], high=[0.2, 0.3])
    chart = Chart(
        title="T", x_label="x", y_label="y", lines=[line], marks=[Mark(x=1.5, text="here")], share=True
    )
    finding = Finding(verdict="refuted", sentence="It was not so.", numbers=[number], charts=[chart])
    result = Result(name=NAMES[0], settings={"steps": 3}, versions={}, finding=finding)
    html = make_html({NAMES[0]: result})
    section = html[html.index(f'id="{NAMES[0]}"') :]
    assert section.index("It was not so.") < section.index("<svg viewBox") < section.index("Claim, stated")
    assert "25.0 % to 75.0 %" in html
    assert "a &lt;b&gt; share" in html
    assert html.count(">not run</span>") == len(NAMES) - 1
    assert not re.search(r"https?://(?!www\.w3\.org)[^\"]*\.(js|css|woff)", html)
    assert make_html({NAMES[0]: result}) == html
