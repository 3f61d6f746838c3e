"""`python -m pipeline export`: from a JSON file alone, replaced as a whole, and nothing else is touched."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.artifacts.exports import MARKER, neutralize, save_export
from pipeline.artifacts.files import save_artifact
from pipeline.cli.main import main
from pipeline.core.errors import InputError
from tests.fixtures.report import ReportInputs, bare, build_report, hostile_birds, photo_birds

FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "＝1"]


def write_report(folder: Path, make: Callable[[], ReportInputs]) -> Path:
    summary = build_report(make())
    path = folder / f"{summary.dataset.name}.json"
    save_artifact(path, summary)
    return path


@pytest.mark.parametrize("make", [bare, hostile_birds])
def test_an_export_needs_the_json_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], ReportInputs]
) -> None:
    monkeypatch.chdir(tmp_path)
    report = write_report(tmp_path, make)
    assert main(["export", report.name]) == 0
    folder = tmp_path / "reports" / "export" / report.stem
    written = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert written == {*json.loads((folder / MARKER).read_text())["files"], MARKER}
    assert {"README.md", "DATASET_CARD.md", "tables/groups.csv", "tables/groups.parquet"} <= written
    assert ("MODEL_CARD_erm.md" in written) == (make is not bare)
    for path in (folder / "tables").glob("*.parquet"):
        raw = pd.read_parquet(path)
        sheet = pd.read_csv(path.with_suffix(".csv"), keep_default_na=False)
        assert len(raw) == len(sheet) > 0
        assert list(raw.columns) == list(sheet.columns)
    if make is hostile_birds:
        names = set(pd.read_parquet(folder / "tables" / "groups.parquet")["group"])
        assert {"<script>alert(1)</script> / land", "x" * 300 + " / water"} <= names


def test_csv_cells_are_no_formulas_and_parquet_keeps_the_text(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"name": pd.Series([*FORMULAS, "plain", None], dtype="string"), "value": [-1.5] * (len(FORMULAS) + 2)}
    )
    save_export(tmp_path / "out", {"t": table}, {})
    with (tmp_path / "out/tables/t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows] == [f"'{text}" for text in FORMULAS] + ["plain", ""]
    assert {row[1] for row in rows} == {"-1.5"}, "numbers stay numbers"
    kept = pd.read_parquet(tmp_path / "out/tables/t.parquet")["name"].tolist()
    assert kept[:-1] == [*FORMULAS, "plain"]
    assert pd.isna(kept[-1])
    assert table["name"].iloc[0] == FORMULAS[0], "the given table is left as it was"


@pytest.mark.parametrize("dtype", ["object", "string"])
def test_text_is_neutralized_whatever_its_type(dtype: str) -> None:
    assert neutralize(pd.DataFrame({"a": pd.Series(["=1"], dtype=dtype)}))["a"].iloc[0] == "'=1"


def test_an_export_replaces_the_last_one_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save_export(out, {}, {"figures/old.svg": "<svg/>", "README.md": "old"})
    save_export(out, {}, {"README.md": "new"})
    assert sorted(p.name for p in out.iterdir()) == [MARKER, "README.md"]
    assert (out / "README.md").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out], "no temporary folder is left"


def test_a_folder_of_someone_else_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path, bare)
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    assert main(["export", str(report), "--to", str(other)]) == 1
    assert "is not an export" in capsys.readouterr().err
    assert (other / "chapter.txt").read_text() == "years of work"


def test_a_file_put_into_an_export_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save_export(out, {}, {"README.md": "1"})
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt, which no export wrote"):
        save_export(out, {}, {"README.md": "2"})
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "README.md").read_text() == "1"


@pytest.mark.parametrize("marker", ["", "[]", '{"files": 3}', "not json"])
def test_a_broken_marker_is_no_permission(tmp_path: Path, marker: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MARKER).write_text(marker)
    (out / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="is not an export"):
        save_export(out, {}, {"README.md": "2"})
    assert (out / "a.txt").exists()


def test_an_empty_folder_and_a_link_to_one_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    save_export(tmp_path / "link", {}, {"README.md": "1"})
    assert (tmp_path / "empty" / "README.md").exists()
    assert (tmp_path / "link").is_symlink()


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        save_export(tmp_path / "out", {}, {})


@pytest.mark.parametrize("name", ["../../etc", "a/b", "A b", ""])
def test_names_in_the_json_choose_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    report = write_report(tmp_path, photo_birds)
    for change in (
        lambda raw: raw["dataset"].update(name=name),
        lambda raw: raw["methods"].update({name: raw["methods"]["erm"]}),
    ):
        raw = json.loads(report.read_text())
        change(raw)
        Path("changed.json").write_text(json.dumps(raw))
        assert main(["export", "changed.json", "--to", "out"]) == 1
        assert "a-z, 0-9 and _ were expected" in capsys.readouterr().err
        assert not Path("out").exists()


@pytest.mark.parametrize("content", [None, "{", '{"schema_version": 1}'])
def test_a_missing_or_damaged_report_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    assert main(["export", str(path), "--to", str(tmp_path / "out")]) == 1
    assert "report.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
