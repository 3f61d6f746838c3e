"""Every stage on a tiny planted dataset and its null twin: the cue is found where it was planted, only there.

The stages run in-process, one after the other, as dvc.yaml orders them.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, stage_outputs
from pipeline.cli.main import main
from tests.fixtures.demo import EXPLAINED, METHODS, write_params

USERS_FILES = (
    "data/photo_digits/raw/1.jpg",
    "data/photo_digits/packed/notes.txt",
    "data/.photo_digits.backup",
    "data/my_birds/gull/1.jpg",
    "audit/photo_digits/notes.md",
    "groups/photo_digits/notes.md",
    "models/resnet50.pt",
    "models/photo_digits/erm/thoughts.md",
    "evaluation/photo_digits/erm/.evaluation.json.old",
    "gradcam/photo_digits/erm/best.png",
    "reports/notes.md",
    "reports/plots/photo_digits/mine.svg",
    "downloads/photo_digits/archive.zip",
    "results.csv",
)


def run_all(methods: Sequence[str] = METHODS, explained: Sequence[str] = EXPLAINED) -> dict[str, Any]:
    for stage in ("data", "hygiene", "color", "cues", "groups"):
        assert main([stage, "photo_digits"]) == 0
    for method in methods:
        for stage in (
            "train",
            "evaluate",
            "indicators",
            *(("retrain", "attribute", "gradcam") if method in explained else ()),
        ):
            assert main([stage, "photo_digits", method]) == 0
    for stage in ("verdict", "report"):
        assert main([stage, "photo_digits"]) == 0
    assert main(["index"]) == 0
    report: dict[str, Any] = json.loads(Path("reports/photo_digits.json").read_text())
    plots = {path.name: path.read_text() for path in Path("reports/plots/photo_digits").iterdir()}
    page = Path("reports/photo_digits.html").read_text()
    return report | {"page": page, "plots": plots, "folder": Path.cwd()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("planted")
        patch.chdir(folder)
        write_params(folder, strength=0.97, cues={})
        for name in USERS_FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"a user's {name}")
        yield run_all()


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("null")
        patch.chdir(folder)
        write_params(folder, strength=0.5, cues={}, n_train=1000)
        yield run_all(["erm"], [])  # nothing that is asked of the twin needs the others


@pytest.mark.slow
def test_no_stage_touches_a_file_that_it_did_not_declare(planted: dict[str, Any]) -> None:
    folder = planted["folder"]
    for name in USERS_FILES:
        assert (folder / name).read_text() == f"a user's {name}"
    allowed = [
        *USERS_FILES,
        "params.yaml",
        *(str(o.path) for o in (*stage_outputs("plan"), *stage_outputs("index"))),
    ]
    for stage in DATASET_STAGES:
        allowed += [str(output.path) for output in stage_outputs(stage, "photo_digits")]
    for stage in METHOD_STAGES:
        allowed += [str(o.path) for m in METHODS for o in stage_outputs(stage, "photo_digits", m)]
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    others = [str(p) for p in found if not any(p.is_relative_to(a) for a in (*allowed, ".scratch"))]
    assert not others, "written, but not declared in artifacts/outputs.py and dvc.yaml"


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {rung["rung"]: rung["status"] for rung in report["verdict"]["rungs"]}


@pytest.mark.slow
def test_every_method_has_its_indicators(planted: dict[str, Any]) -> None:
    assert list(planted["indicators"]) == list(METHODS)
    for method, found in planted["indicators"].items():
        unmeasured = {i["name"]: i["why_not"] for i in found["indicators"] if i["why_not"]}
        # one seed, no dropout; DFR's last layer has seen the validation images
        allowed = {"disagreement", "mc_dropout", "temperature"}
        # so short a training may end no better than a constant, of which nothing is said to survive
        weak = "right more often than one that gives a single answer"
        assert {name for name, why in unmeasured.items() if weak not in why} <= allowed, method
        norms = next(i for i in found["indicators"] if i["name"] == "norms")
        distance = next(part for part in norms["parts"] if part["name"] == "distance")
        assert distance["estimate"]["value"] > 0
    assert planted["verdict"]["generalization"] is None, "no group is shown to pay by one training"


@pytest.mark.slow
def test_the_planted_shortcut_is_found_and_used(planted: dict[str, Any]) -> None:
    found = statuses(planted)
    assert found["available"] == "yes"
    assert found["used"] == "yes"
    assert found["harmful"] == "insufficient", "one training says nothing about training; the demo has five"
    evidence = next(rung["evidence"] for rung in planted["verdict"]["rungs"] if rung["rung"] == "harmful")
    assert "one training says nothing" in evidence
    worst = planted["methods"]["erm"]["test"]["worst_group"]
    assert worst["name"] in ("digits 0-4 / flower", "digits 5-9 / temple"), "a group the cue misleads"
    assert worst["high"] < planted["methods"]["erm"]["test"]["average"]["value"]


@pytest.mark.slow
def test_the_null_twin_is_not_flagged(null: dict[str, Any]) -> None:
    found = statuses(null)
    assert found["available"] == "no"
    assert found["used"] != "yes"
    assert found["harmful"] != "yes"
    assert null["color"]["findings"] == []
    assert null["color"]["color_only"]["p_value"] > 0.01


@pytest.mark.slow
def test_color_alone_recovers_the_planted_strength(planted: dict[str, Any]) -> None:
    # two classes, photograph = class in 97 %: kappa of who knows the photograph is 2 * .97 - 1. Average
    # colors alone know it of most crops: some of either photograph are sky and stone of one tone.
    kappa = planted["color"]["color_only"]["kappa"]
    assert 0.75 < kappa < 0.97


@pytest.mark.slow
def test_flipped_labels_are_enriched_among_the_most_harmful(planted: dict[str, Any]) -> None:
    attribution = planted["attribution"]["erm"]
    assert attribution["flipped_share_in_harmful"] > 3 * attribution["flipped_share_overall"]


@pytest.mark.slow
def test_validation_that_trained_a_model_promises_nothing_about_it(planted: dict[str, Any]) -> None:
    methods = planted["methods"]
    assert methods["dfr"]["trained_on_val"]
    assert methods["dfr"]["optimism"] is None
    assert methods["group_dro"]["optimism"] is not None
    page = planted["page"]
    assert "DFR is left out: validation images trained it" in page
    assert f"C&nbsp;=&nbsp;{planted['training']['dfr']['last_layers'][0]['strength']:g}" in page


@pytest.mark.slow
def test_json_keeps_the_contract(planted: dict[str, Any]) -> None:
    assert planted["schema_version"] == 5
    assert set(planted["dataset"]) >= {"name", "classes", "attributes", "n", "groups", "source_info"}
    assert set(planted["dataset"]["n"]) == {"train", "val", "test"}
    assert set(planted["dataset"]["source_info"]) >= {"source", "licence", "checksums"}
    for group in planted["dataset"]["groups"]:
        assert set(group) >= {"name", "label", "attribute", "n_train", "n_val", "n_test"}
    assert set(planted["color"]["color_only"]) >= {"balanced_accuracy", "kappa", "low", "high", "p_value"}
    assert tuple(planted["methods"]) == METHODS
    for method in METHODS:
        result = planted["methods"][method]
        assert result["labels_used"]
        assert result["seeds"] == [0]
        for key in ("average", "adjusted_average"):
            assert set(result["test"][key]) >= {"value", "low", "high", "n"}
        for group in (result["test"]["worst_group"], *result["test"]["groups"]):
            assert set(group) >= {"name", "value", "low", "high", "n"}
            assert 0 <= group["low"] <= group["value"] <= group["high"] <= 1
    assert tuple(planted["attribution"]) == tuple(planted["gradcam"]) == EXPLAINED
    for method in EXPLAINED:
        attribution = planted["attribution"][method]
        assert attribution["engine"].startswith("shortcut-audit")
        assert set(attribution) >= {"n_models", "proj_dim", "n_train", "n_targets", "seconds", "groups"}
        for cell in attribution["groups"]:
            assert set(cell) >= {"train_group", "test_group", "value", "low", "high"}
        assert set(planted["gradcam"][method]) >= {"layer", "blank_rate", "energy_in_mask"}
    assert [rung["rung"] for rung in planted["verdict"]["rungs"]] == [
        "available",
        "used",
        "harmful",
        "caused_by",
        "fixed_by",
    ]
    assert set(planted["provenance"]) >= {"params_hash", "versions", "seeds", "created"}
    assert planted["provenance"]["params"]["train"]["seeds"] == [0]
    assert "run without DVC" in planted["provenance"]["stages_note"]
    assert {entry["key"] for entry in planted["reading"]} >= {*METHODS, "trak", "gradcam"}


@pytest.mark.slow
def test_people_read_titles_and_get_whole_lists(planted: dict[str, Any]) -> None:
    """From params.yaml to the page through every stage."""
    assert planted["dataset"]["attributes"][0]["name"] == "background photo"
    words = json.dumps([planted["verdict"], planted["color"], planted["methods"]], ensure_ascii=False)
    assert "background photo" in planted["verdict"]["headline"]
    assert not re.search(r"(?<!background )\bphoto\b", words.replace(json.dumps("photo"), "")), "a name"
    listed, lists = planted["listed"], planted["lists"]
    names = dict(zip(listed["ids"], listed["files"], strict=True))
    for method in EXPLAINED:
        for found in planted["attribution"][method]["label_errors"]["lists"]:
            ids = lists[f"suspected_{method}_{found['ranking']}"]["ids"]
            assert len(ids) == found["n_suspects"]
            assert all(names[image].startswith("train_") for image in ids)
    assert set(lists) >= {f"failures_{method}" for method in METHODS}


@pytest.mark.slow
def test_plots_hold_every_method(planted: dict[str, Any]) -> None:
    methods = {line.split(",")[1] for line in planted["plots"]["groups.csv"].splitlines()[1:]}
    assert methods == set(METHODS)
    curves = {line.split(",")[0] for line in planted["plots"]["curves.csv"].splitlines()[1:]}
    assert curves == set(METHODS) - {"dfr"}, "its epochs are those of erm"


RECORDS = (
    "audit/photo_digits/color.json",
    "audit/photo_digits/hygiene.json",
    *(f"models/photo_digits/{m}/history.json" for m in METHODS),
    *(f"evaluation/photo_digits/{m}/evaluation.json" for m in METHODS),
    *(f"{top}/photo_digits/{m}/{name}.json" for m in EXPLAINED for top, name in
      (("retrained", "retrained"), ("attribution", "attribution"), ("gradcam", "gradcam"))),
)  # fmt: skip


@pytest.mark.slow
def test_results_of_another_packing_are_refused_with_what_makes_them(
    planted: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(planted["folder"])
    packed, grouped = Path("data/photo_digits/packed/dataset.json"), Path("groups/photo_digits/groups.json")
    packing, digest = json.loads(packed.read_text())["packing"], json.loads(grouped.read_text())["digest"]
    assert len({packing, digest}) == 2
    assert {len(packing), len(digest)} == {12}
    for name in RECORDS:
        made_of = json.loads(Path(name).read_text())["provenance"]["data"]
        assert made_of == (packing if name.startswith("audit") else digest), name
    assert planted["provenance"]["data"] == digest
    commands = [
        ("evaluate photo_digits erm", "dvc repro train@photo_digits-erm"),
        ("attribute photo_digits erm", "dvc repro evaluate@photo_digits-erm"),
        ("gradcam photo_digits erm", "dvc repro evaluate@photo_digits-erm"),
        ("verdict photo_digits", "dvc repro evaluate@photo_digits-erm"),
        ("report photo_digits", "dvc repro verdict@photo_digits"),
    ]
    regroup = [("train photo_digits erm", "dvc repro groups@photo_digits")]
    for path, found, cases in ((grouped, digest, commands), (packed, packing, regroup)):
        whole = path.read_text()
        path.write_text(whole.replace(found, "0" * 12))
        try:
            for command, remedy in cases:
                assert main(command.split()) == 1
                error = capsys.readouterr().err
                assert f"other data or groups than there are now (digest {found}, now {'0' * 12})" in error
                assert remedy in error
        finally:
            path.write_text(whole)


@pytest.mark.slow
def test_a_report_names_parts_of_another_packing(
    planted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted["folder"])
    stale = [
        Path(f"attribution/photo_digits/{EXPLAINED[0]}/attribution.json"),
        Path("audit/photo_digits/hygiene.json"),
        Path(f"evaluation/photo_digits/{METHODS[-1]}/evaluation.json"),
    ]
    before = {path: path.read_text() for path in stale}
    for path, text in before.items():
        path.write_text(text.replace(json.loads(text)["provenance"]["data"], "0" * 12))
    try:
        for stage in ("verdict", "report"):
            assert main([stage, "photo_digits"]) == 0
    finally:
        for path, text in before.items():
            path.write_text(text)
    report = json.loads(Path("reports/photo_digits.json").read_text())
    assert {(part["stage"], part["is_stale"]) for part in report["verdict"]["missing"]} == {
        ("attribute", True),
        ("hygiene", True),
        ("evaluate", True),
    }
    assert METHODS[-1] not in report["methods"]
    assert EXPLAINED[0] not in report["attribution"]
    page = Path("reports/photo_digits.html").read_text()
    assert page.count("what is there was made from others") == 3


@pytest.mark.slow
def test_a_report_is_made_of_what_is_there(planted: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a stage that failed: the page says what is missing, and how to add it."""
    monkeypatch.chdir(planted["folder"])
    hidden = [
        Path("attribution/photo_digits") / EXPLAINED[0],
        Path("gradcam/photo_digits") / EXPLAINED[1],
        Path("evaluation/photo_digits") / METHODS[-1],
    ]
    for path in hidden:
        path.rename(path.with_name(f"{path.name}_away"))
    try:
        for stage in ("verdict", "report"):
            assert main([stage, "photo_digits"]) == 0
    finally:
        for path in hidden:
            path.with_name(f"{path.name}_away").rename(path)
    report = json.loads(Path("reports/photo_digits.json").read_text())
    assert {(part["stage"], part["method"]) for part in report["verdict"]["missing"]} == {
        ("attribute", EXPLAINED[0]),
        ("gradcam", EXPLAINED[1]),
        ("evaluate", METHODS[-1]),
    }
    assert f"dvc repro gradcam@photo_digits-{EXPLAINED[1]}" in Path("reports/photo_digits.html").read_text()
    assert set(report["methods"]) == set(METHODS[:-1])
    assert planted["verdict"]["missing"] == []


@pytest.mark.slow
def test_a_method_that_cannot_be_trained_stops_no_other(
    planted: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(planted["folder"], folder)
    monkeypatch.chdir(folder)
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    params["active_methods"], params["explained_methods"] = ["erm", "dfr", "subg"], ["erm", "subg"]
    params["datasets"]["photo_digits"]["methods"]["subg"] = {"train": {"batch_size": 100_000}}
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)
    for stage in ("train", "evaluate", "retrain", "attribute", "gradcam"):
        assert main([stage, "photo_digits", "subg"]) == 0
    for stage in ("verdict", "report"):
        assert main([stage, "photo_digits"]) == 0
    report = json.loads(Path("reports/photo_digits.json").read_text())
    assert list(report["methods"]) == ["erm", "dfr"]
    assert report["verdict"]["not_trained"]["subg"].startswith("SUBG's subset has ")
    assert report["verdict"]["missing"] == []
    assert "SUBG was not trained: <bdi" in Path("reports/photo_digits.html").read_text()
    gate = ["gate", "reports/photo_digits.json", "--min-average", "0.01", "--use", "estimate"]
    assert main([*gate, "--method", "dfr"]) == 0
    capsys.readouterr()
    assert main([*gate, "--method", "subg"]) == 1
    assert "it was not trained: SUBG's subset has " in capsys.readouterr().out
    params["active_methods"] = ["subg", "erm"]
    with Path("params.yaml").open("w") as file:
        yaml.dump(params | {"explained_methods": ["subg"]}, file)
    assert main(["verdict", "photo_digits"]) == 1
    assert main(["train", "photo_digits", "subg"]) == 1
    assert "the baseline, was not trained: SUBG's subset" in capsys.readouterr().err
