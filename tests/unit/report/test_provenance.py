"""Provenance: what dvc.lock, git and the settings say of a report, and what is said where they are silent."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.plans import plan_path
from pipeline.records.base import Provenance
from pipeline.records.report import FileHash, Machine, Report, ReportProvenance, Revision, StageRun
from pipeline.report import origins
from pipeline.report.origins import trace_report
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from pipeline.report.provenance import describe_stages, yaml_text
from tests.fixtures.report import HOSTILE_CLASS, build_report, photo_birds

DVC_YAML = """
stages:
  plan:
    cmd: python plan.py
    deps: [pipeline]
    outs: [.plan: {persist: true}]
  data:
    foreach: [birds]
    do:
      cmd: python make.py
      params: [.plan/birds/data.json: ]
      outs: [data/birds]
  train:
    matrix: {dataset: [birds], method: [erm]}
    cmd: python -c "open('weights', 'w').write('w')"
    params: [.plan/birds/train-erm.json: ]
    deps: [data/birds]
    outs: [weights]
"""
PLAN = """
import json
from pathlib import Path
Path(".plan/birds").mkdir(parents=True)
settings = {"lr": 1e-5, "seeds": [0, 1], "note": "3", "none": None}
Path(".plan/birds/data.json").write_text(json.dumps({"settings": {}, "code": "0" * 16}))
Path(".plan/birds/train-erm.json").write_text(json.dumps({"settings": settings, "code": "1" * 16}))
"""
MAKE = """
from pathlib import Path
Path("data/birds/sub").mkdir(parents=True)
for name in ("b.txt", "a.txt", "sub/c.txt"):
    Path("data/birds", name).write_text(name)
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `dvc repro` ran in: its hashes are DVC's own."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "pipeline").mkdir()
    (folder / "pipeline" / "core.py").write_text("x = 1\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "make.py").write_text(MAKE)
    (folder / "plan.py").write_text(PLAN)
    for command in (["init", "--no-scm", "-q"], ["config", "core.analytics", "false"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run("cp", "-rL", str(built), str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return tmp_path / "project"


def trace(**changes: object) -> ReportProvenance:
    return trace_report(Provenance(), dataset="birds", methods=["erm"], params={"a": 1}, **changes)  # type: ignore[arg-type]


def commit_all() -> None:
    run("git", "init", "-q")
    run("git", "add", "pipeline/core.py", "dvc.yaml")
    run("git", "-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "first")


@pytest.mark.slow
def test_hashes_are_those_of_dvc(project: Path) -> None:
    found = trace()
    assert [stage.stage for stage in found.stages] == ["plan", "data@birds", "train@birds-erm"]
    assert [stage.changed for stage in found.stages] == [[], [], []]
    lock = YAML(typ="safe", pure=True).load((project / "dvc.lock").read_text())
    full = lock["stages"]["data@birds"]["outs"][0]["md5"]
    assert found.stages[1].outs == [FileHash(path="data/birds", md5=full[:8] + ".dir")]
    assert [stage.code for stage in found.stages] == [None, "0" * 16, "1" * 16]
    assert "All 3 stages fit" in found.stages_note


def test_a_stage_run_by_hand_is_noticed(project: Path) -> None:
    (project / "data" / "birds" / "a.txt").write_text("b.txt")  # the same size
    found = trace()
    assert [stage.changed for stage in found.stages] == [[], ["data/birds"], ["data/birds"]]
    assert "2 of 3 stages do not fit" in found.stages_note


@pytest.mark.parametrize("change", ["deleted", "added", "edited"])
def test_changed_code_is_noticed(project: Path, change: str) -> None:
    if change == "deleted":
        (project / "pipeline" / "core.py").unlink()
    else:
        (project / "pipeline" / ("core.py" if change == "edited" else "new.py")).write_text("x = 2\n")
    assert trace().stages[0].changed == ["pipeline"]


def test_other_datasets_and_methods_are_left_out(project: Path) -> None:
    (stage,) = trace_report(Provenance(), dataset="bird", methods=["erm"], params={}).stages
    assert stage.stage == "plan"
    found = trace_report(Provenance(), dataset="birds", methods=["dfr"], params={}).stages
    assert [stage.stage for stage in found] == ["plan", "data@birds"]


def test_a_plan_that_a_stage_by_hand_made_anew_is_noticed(project: Path) -> None:
    path = plan_path("train", "birds", "erm")
    text = path.read_text()
    path.write_text(text.replace("1e-05", "2e-05"))
    assert [stage.changed for stage in trace().stages] == [[".plan"], [], [str(path)]]
    path.unlink()
    assert trace().stages[2].changed == [str(path)]


@pytest.mark.parametrize("text", ["stages: [", "- a list", "stages:\n  data@birds: {}\n", "\x00"])
def test_a_damaged_lock_stops_no_report(project: Path, text: str) -> None:
    (project / "dvc.lock").write_text(text)
    found = trace()
    assert found.stages == []
    assert "dvc.lock cannot be read" in found.stages_note


def test_without_a_lock_a_sentence_says_so(project: Path) -> None:
    (project / "dvc.lock").unlink()
    assert "run without DVC" in trace().stages_note
    assert "made without DVC" in describe_stages([])


def test_the_commit_and_what_differs_from_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "PACKAGE", project / "pipeline")
    commit_all()
    clean = trace()
    assert clean.revision is not None
    assert clean.revision.changed == []
    assert clean.reproduce == [f"git checkout {clean.revision.commit}", "dvc repro report@birds"]
    (project / "pipeline" / "ö new.py").write_text("")
    (project / "notes.txt").write_text("decides nothing")
    dirty = trace()
    assert dirty.revision == Revision(commit=clean.revision.commit, changed=["pipeline/ö new.py"])
    assert "commit the changes" in dirty.revision_note


def test_where_the_package_is_installed_the_commit_is_of_the_settings_alone(project: Path) -> None:
    """`pipeline/` is a user's own here."""
    commit_all()
    (project / "pipeline" / "core.py").write_text("x = 3\n")
    assert trace().revision_note.startswith(
        "The settings were those of this commit; the code was shortcut-audit"
    )
    (project / "dvc.yaml").write_text(DVC_YAML + "# mine\n")
    found = trace()
    assert found.revision is not None
    assert found.revision.changed == ["dvc.yaml"]
    assert found.revision_note.startswith("The settings differed from those of this commit")


def test_without_git_a_sentence_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "names no commit" in trace().revision_note
    assert trace().reproduce == ["dvc repro report@birds"]
    commit_all()
    monkeypatch.setenv("PATH", "")
    assert trace().revision is None


def test_a_repository_around_the_project_is_not_its_own(project: Path) -> None:
    run("git", "init", "-q")
    run("git", "-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "outer", "--allow-empty")
    assert trace().revision is None
    assert "does not track" in trace().revision_note


def full() -> ReportProvenance:
    return ReportProvenance(
        params={"train": {"lr": 0.02, "seeds": [0, 1]}, "source": {"path": f"/data/{HOSTILE_CLASS}\u202e"}},
        stages=[
            StageRun(
                stage="data@x",
                command="python -m pipeline data x",
                code="01234567",
                outs=[FileHash(path="data/x", md5="89abcdef.dir")],
                changed=[f"data/{HOSTILE_CLASS}"],
            )
        ],
        stages_note="1 of 1 stages do not fit",
        revision=Revision(commit="0" * 40, changed=["params.yaml"]),
        revision_note="Code or settings differed from this commit",
        machine=Machine(system="Linux", processor="some <cpu>", cpu_threads=2),
        reproduce=["git checkout " + "0" * 40, "dvc repro report@x"],
    )


def test_the_page_shows_it_as_text() -> None:
    html = render_report(build_report(replace(photo_birds(), provenance=full())), Pictures())
    section = html[html.index('<section id="provenance"') :]
    assert "89abcdef.dir" in section
    assert ">01234567<" in section
    assert "dvc repro report@x</code></pre>" in section
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in section
    assert HOSTILE_CLASS not in section
    assert "  lr: 0.02\n" in section
    assert "some &lt;cpu&gt;, 2 threads" in section


def test_a_report_without_origins_says_so() -> None:
    summary = build_report(photo_birds())
    old = summary.model_dump(mode="json")
    old["provenance"] = {key: old["provenance"][key] for key in (*Provenance.model_fields, "command")}
    html = render_report(Report.model_validate(old), Pictures())
    for sentence in ("revision was not recorded", "stages were not recorded", "settings were not recorded"):
        assert sentence in html


def test_settings_are_yaml_that_reads_back() -> None:
    values = {"b": 1e-5, "a": {"name": "x: y\n# no", "none": None, "on": "yes"}, "list": [1, "é"]}
    text = yaml_text(values)
    assert YAML(typ="safe", pure=True).load(text) == values
    assert text.startswith("b:")
