"""`python -m pipeline gate`: what is met passes, what is missed or not known fails, and says why."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.files import save_artifact
from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.plan.params import Params
from pipeline.records.base import Estimate
from pipeline.records.report import Report
from pipeline.report.compare.sides import Side
from pipeline.report.gate.judge import choose_gated, judge_report
from pipeline.report.gate.limits import Limit, hold_against, limit_text
from pipeline.report.gate.rungs import find_rung
from pipeline.settings.gate import GateSettings
from pipeline.settings.parsing import parse
from tests import ROOT
from tests.fixtures.planted.cues import plant_cue_use
from tests.fixtures.report import (
    BEFORE,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
    replant,
    used_cue_birds,
)
from tests.unit.report.test_compare import DRO, ERM, write_project

SAMPLE = ROOT / "docs" / "sample" / "photo_digits.json"


def save(folder: Path, inputs: ReportInputs) -> str:
    path = folder / f"{inputs.info.name}.json"
    save_artifact(path, build_report(inputs))
    return str(path)


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder without params.yaml: the flags decide."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("birds"), photo_birds())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("plain"), plain_hundred())


# --- exit status -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (["--min-worst-group", "0.8"], 1),  # the baseline's 62 %
        (["--min-worst-group", "0.5"], 0),
        (["--min-worst-group", "0.83", "--method", "group_dro"], 1),  # 84 %, but not its lower end
        (["--min-worst-group", "0.83", "--method", "group_dro", "--use", "estimate"], 0),
        (["--min-worst-group", "0.75", "--method", "group_dro"], 0),
        (["--min-worst-group", "0.8", "--method", "all"], 1),
        (["--min-average", "0.8"], 0),
        (["--min-average", "0.95"], 1),
        (["--max-flip-rate", "0.1"], 1),  # the exchange shifts 23.7 points
        (["--max-flip-rate", "0.3"], 0),
        (["--max-flip-rate", "0.24", "--use", "estimate"], 0),
        (["--max-flip-rate", "0.24"], 1),
        (["--max-leaking", "0"], 1),
        (["--max-leaking", "0.0025"], 0),  # 3 of 1,200, counted: no interval
        (["--forbid", "harmful"], 1),
        (["--forbid", "used, harmful", "--method", "group_dro"], 1),
        (["--forbid", "available"], 1),
    ],
)
def test_exit_status(birds: str, flags: list[str], status: int) -> None:
    assert main(["gate", birds, *flags]) == status


def test_one_line_per_check_with_everything(birds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", birds, "--min-worst-group", "0.8", "--max-leaking", "0.01"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("FAIL photo_birds, ERM: worst group: 62.0% [")
    assert "n = 200, asked at least 80% - the lower end of the interval" in lines[0]
    assert "misses it; it is “waterbird / land”" in lines[0]
    assert lines[1].startswith("PASS")
    assert lines[2] == "gate: failed, 1 of 2 checks"


def test_several_reports_fail_where_one_does(birds: str, plain: str) -> None:
    assert main(["gate", birds, "--min-worst-group", "0.5"]) == 0
    assert main(["gate", birds, plain, "--min-worst-group", "0.5"]) == 1


def test_the_sample_passes_with_the_method_that_fixes_it_and_not_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["gate", str(SAMPLE), "--min-worst-group", "0.8", "--forbid", "used"]
    assert main(asked) == 1
    assert main([*asked, "--method", "group_dro"]) == 0
    # sharpness gives the class away, too, and its exchange carries enough to rule its use out
    assert "sharpness" in capsys.readouterr().out
    # little is left of its shift, and five seeds leave room for more: doubt counts against it
    flips = [*asked, "--method", "group_dro", "--max-flip-rate", "0.06"]
    assert main(flips) == 1
    assert main([*flips, "--use", "estimate"]) == 0


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "limit", "passed"),
    [
        (0.8, 0.7, 0.9, Limit(bound="at least", threshold=0.8, use="estimate"), True),
        (0.8, 0.7, 0.9, Limit(bound="at least", threshold=0.8, use="lower"), False),
        (0.8, 0.7, 0.9, Limit(bound="at most", threshold=0.8, use="lower"), False),
        (0.8, 0.7, 0.9, Limit(bound="at most", threshold=0.9, use="lower"), True),
        (0.82 - 0.80, 0, 1, Limit(bound="at most", threshold=0.02, use="estimate"), True),
        (float("nan"), 0, 1, Limit(bound="at most", threshold=1, use="estimate"), False),
        (0.5, float("nan"), float("nan"), Limit(bound="at least", threshold=0, use="lower"), False),
    ],
)
def test_limits(value: float, low: float, high: float, limit: Limit, passed: bool) -> None:
    assert hold_against(Estimate(value=value, low=low, high=high, n=100), limit)[0] is passed


def test_a_number_that_rounds_to_its_limit_is_told_from_it() -> None:
    estimate = Estimate(value=0.79996, low=0.7, high=0.9, n=100)
    found = hold_against(estimate, Limit(bound="at least", threshold=0.8, use="estimate"))
    assert found == (False, "the estimate, 79.9960%, misses it")
    assert (
        limit_text(Limit(bound="at most", threshold=0.0025, use="lower"), "difference")
        == "at most 0.25 points"
    )


def test_doubt_counts_against_the_model_unless_the_estimate_is_asked_for() -> None:
    summary = build_report(photo_birds())
    erm = summary.verdict.methods["erm"]
    doubtful = erm.model_copy(update={"used": erm.used.model_copy(update={"status": "insufficient"})})
    verdict = summary.verdict.model_copy(update={"methods": {"erm": doubtful}})
    summary = summary.model_copy(update={"verdict": verdict})
    for use, passed in (("lower", False), ("estimate", True)):
        settings = GateSettings(forbid=["used"], use=use)  # type: ignore[arg-type]
        (check,) = judge_report(summary, settings, ["erm"], {}).checks
        assert check.passed is passed
        assert "not ruled out" in check.reason


@pytest.mark.parametrize("make", [photo_birds, repaired_birds])
def test_a_rung_asked_of_another_method_is_answered_as_if_it_were_the_baseline(make: Any) -> None:
    inputs = make()
    turned = build_report(replace(inputs, evaluations=dict(reversed(inputs.evaluations.items()))))
    assert turned.verdict.baseline != "erm"
    stored = {rung.rung: rung for rung in build_report(inputs).verdict.rungs}
    for name in ("used", "harmful"):
        assert find_rung(turned, name, "erm") == stored[name]  # type: ignore[arg-type]


# --- what is not known -----------------------------------------------------------------------


def test_without_models_numbers_fail_and_data_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, bare())
    flags = ["--min-worst-group", "0", "--max-flip-rate", "1", "--forbid", "used", "--max-leaking", "1"]
    assert main(["gate", path, *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines] == ["FAIL", "FAIL", "FAIL", "PASS", "gate"]
    assert "insufficient data: no model was evaluated" in lines[0]
    assert main(["gate", path, "--max-leaking", "1"]) == 0


def thin(inputs: ReportInputs, n_enough: int) -> Report:
    """So many groups have enough test images."""
    return build_report(replant(inputs, test=[400] * n_enough + [99] * (4 - n_enough), erm=BEFORE))


@pytest.mark.parametrize(("n_enough", "passed"), [(0, False), (1, False), (2, True), (4, True)])
def test_a_worst_group_needs_two_groups_with_enough_images(n_enough: int, passed: bool) -> None:
    summary = thin(photo_birds(), n_enough)
    asked = GateSettings(min_worst_group=0, allow_uncounted=True)
    (check,) = judge_report(summary, asked, ["erm"], {}).checks
    assert check.passed is passed
    assert ("insufficient data" in check.reason) is not passed
    assert ("2 of 4 groups have too few images and do not count" in check.reason) is (n_enough == 2)


def test_no_gap_and_no_fall_are_those_of_a_group_that_does_not_count() -> None:
    """Only small groups lie below the average: a limit holds for the others, other numbers are not judged."""
    report = build_report(replant(photo_birds(), test=[120, 110, 90, 90], erm=[0.95, 0.95, 0.8, 0.8]))
    groups = report.dataset.groups
    sides = Side("old", report, "erm", None), Side("new", report, "erm", None)
    asked = GateSettings(min_worst_group=0.5, max_gap=0.5, max_drop=0.5, allow_uncounted=True)
    worst, gap, drop = judge_report(report, asked, ["erm"], {"erm": sides}).checks
    assert worst.passed
    assert groups[1].name in worst.reason
    assert not gap.passed
    assert "only groups with too few test images to count" in gap.reason
    assert not drop.passed
    assert "below the average, in old" in drop.reason


UNCOUNTED = "groups too small to count"


@pytest.mark.parametrize(
    ("accuracy", "n", "flags", "failed"),
    [
        (0.60, 400, {}, []),  # counted, however few its validation images
        (0.60, 40, {}, [UNCOUNTED]),
        (0.60, 40, {"allow_uncounted": True}, []),
        (0.00, 40, {"allow_uncounted": True}, ["worst group"]),  # certain although too small to count
        (0.00, 3, {"allow_uncounted": True}, ["worst group"]),  # clearly worse than the others' 90 %
        (0.00, 2, {"allow_uncounted": True}, []),  # two images say nothing
    ],
)
def test_groups_too_small_to_count_do_not_pass_unseen(
    accuracy: float, n: int, flags: dict[str, bool], failed: list[str]
) -> None:
    inputs = replant(photo_birds(), val=[3] * 4, test=[400, 400, n, 200], erm=[0.9, 0.9, accuracy, 0.9])
    summary = build_report(inputs)
    checks = judge_report(summary, GateSettings(min_worst_group=0.5, **flags), ["erm"], {}).checks
    assert [check.what for check in checks if not check.passed] == failed
    for check in checks:
        assert check.passed or "waterbird / land" in check.reason
    data_only = judge_report(summary, GateSettings(min_average=0.5), ["erm"], {}).checks
    assert [check.what for check in data_only] == ["average"]  # asks nothing about groups


def test_a_constant_passes_nothing_that_asks_about_a_cue() -> None:
    """It flips no prediction and serves no group worse than another of its class."""
    says_0 = [1.0, 1.0, 0.0, 0.0]  # the first class of every image
    summary = build_report(replant(photo_birds(planted=False), erm=says_0, group_dro=says_0))
    asked = GateSettings(max_flip_rate=1, forbid=["used", "harmful"])
    for method in ("erm", "group_dro"):
        checks = judge_report(summary, asked, [method], {}).checks
        assert [check.passed for check in checks] == [False] * 3
        assert all("is no better than a constant" in check.reason for check in checks)
    numbers = GateSettings(max_gap=0.9, min_average=0.1)
    for table in (
        says_0,
        [0.95, 0.05, 0.05, 0.95],
    ):  # and even where the questions can be asked: of the cue alone
        summary = build_report(replant(photo_birds(planted=False), test=[400] * 4, erm=table))
        checks = judge_report(summary, numbers, ["erm"], {}).checks
        assert [check.passed for check in checks] == [False] * 2
        assert all("ERM is no better than a constant" in check.reason for check in checks)
    fine = replant(photo_birds(planted=False), erm=[0.9] * 4)
    assert all(c.passed for c in judge_report(build_report(fine), asked, ["erm"], {}).checks)


def test_a_part_that_was_not_run_fails_its_check(birds: str) -> None:
    inputs = photo_birds()
    erm = inputs.evaluations["erm"].model_copy(update={"cue_use": None})
    summary = build_report(replace(inputs, evaluations={"erm": erm}, hygiene=None))
    settings = GateSettings(max_flip_rate=1, max_leaking=1)
    checks = judge_report(summary, settings, ["erm"], {}).checks
    assert [check.passed for check in checks] == [False] * 2
    assert all(check.reason.startswith("insufficient data: ") for check in checks)


def test_without_an_attribute_the_exchange_of_color_counts_and_says_so() -> None:
    inputs = plain_hundred()
    found = plant_cue_use(0.004, cue="color", v=None)
    erm = inputs.evaluations["erm"].model_copy(update={"cue_use": found})
    summary = build_report(replace(inputs, evaluations={"erm": erm}))
    (check,) = judge_report(summary, GateSettings(max_flip_rate=0.1), ["erm"], {}).checks
    assert check.passed
    assert check.estimate is not None
    assert check.estimate.value == pytest.approx(0.004, abs=0.002)  # flips without a direction are fragility
    assert "exchanging the color, beyond the same that keeps the cue" in check.reason


def test_a_used_cue_that_nobody_annotated_is_what_the_gate_holds_to_its_limit() -> None:
    summary = build_report(used_cue_birds())
    (check,) = judge_report(summary, GateSettings(max_flip_rate=0.1), ["erm"], {}).checks
    assert not check.passed
    assert check.estimate is not None
    assert check.estimate.value == pytest.approx(0.4, abs=0.02)
    assert "exchanging “JPEG compression”, beyond the same that keeps the cue" in check.reason


# --- an earlier report -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    before = write_project(tmp_path_factory.mktemp("before"), {"erm": ERM, "group_dro": DRO})
    worse = {"erm": ERM, "group_dro": [0.94, 0.90, 0.74, 0.90]}
    return before, write_project(tmp_path_factory.mktemp("after"), worse)


def test_a_fall_is_found_on_the_same_images(
    before_and_after: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = map(str, before_and_after)
    asked = ["gate", after, "--baseline", before, "--max-drop", "0.02", "--method"]
    assert main([*asked, "group_dro"]) == 1
    out = capsys.readouterr().out
    assert re.match(r"FAIL photo_birds, Group DRO: fall of the worst group: \+(9|10|11)\.", out)
    assert "paired over images" in out
    assert main([*asked, "erm"]) == 0
    assert main(["gate", before, "--baseline", after, "--max-drop", "0", "--method", "group_dro"]) == 0


def test_an_earlier_report_alone_is_compared_unpaired(
    before_and_after: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = shutil.copy(before_and_after[0], tmp_path / "old.json")
    asked = ["gate", str(before_and_after[1]), "--baseline", str(old), "--method", "group_dro"]
    assert main([*asked, "--max-drop", "0.02"]) == 1
    assert "unpaired: " in capsys.readouterr().out


# --- params.yaml -----------------------------------------------------------------------------


def write_params(folder: Path, *, defaults: dict[str, Any], entry: dict[str, Any] | None = None) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["defaults"]["gate"] = defaults
    if entry is not None:
        params["datasets"]["photo_digits"]["gate"] = entry
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def test_params_ask_the_entry_overrides_and_flags_win(tmp_path: Path) -> None:
    shipped = {"min_worst_group": 0.8, "method": "group_dro"}
    write_params(tmp_path, defaults={"min_worst_group": 0.99}, entry=shipped)
    assert main(["gate", str(SAMPLE)]) == 0
    assert main(["gate", str(SAMPLE), "--method", "erm"]) == 1
    assert main(["gate", str(SAMPLE), "--min-worst-group", "0.9"]) == 1
    write_params(tmp_path, defaults={"min_worst_group": 0.99, "method": "group_dro"})
    assert main(["gate", str(SAMPLE)]) == 1
    assert main(["check"]) == 0


def test_defaults_are_not_asked_of_a_dataset_that_params_do_not_know(birds: str, tmp_path: Path) -> None:
    write_params(tmp_path, defaults={"min_worst_group": 0.99})
    assert main(["gate", birds]) == 2
    assert main(["gate", birds, "--min-average", "0.5"]) == 0


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"min_worst_group": 80}, r"gate\.min_worst_group = 80: .*write 0\.8 for 80 %"),
        ({"min_wrst_group": 0.8}, r"gate\.min_wrst_group is not a known key; did you mean 'min_worst_group'"),
        ({"forbid": ["caused_by"]}, r"gate\.forbid\.0 = 'caused_by'"),
        ({"use": "upper"}, r"gate\.use = 'upper'"),
        ([], r"gate = \[\]"),
    ],
)
@pytest.mark.parametrize("place", ["defaults", "datasets.photo_digits"])
def test_wrong_settings_are_named(gate: Any, message: str, place: str) -> None:
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    (params["defaults"] if place == "defaults" else params["datasets"]["photo_digits"])["gate"] = gate
    with pytest.raises(InputError, match=message):
        parse(Params, params).check()


def test_thresholds_are_in_no_hash_and_need_no_section() -> None:
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    with_gate = parse(Params, params).dataset("photo_digits")
    del params["defaults"]["gate"]
    params["datasets"]["photo_digits"]["gate"] = {"min_average": 0.9}
    settings = parse(Params, params).dataset("photo_digits")
    assert settings.gate.min_average == 0.9
    assert settings.model_dump() == with_gate.model_dump()


# --- wrong input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            [],
            "no threshold is given, so every report would pass. Give one, for example --min-worst-group 0.8",
        ),
        (
            ["--min-average", "0.5", "--method", "grup-dro"],
            "'grup-dro' is not a method; did you mean 'group dro'? Known: ERM (erm), Group DRO",
        ),
        (["--min-average", "0.5", "--method", "al"], "'al' is not a method; did you mean 'all'?"),
        (
            ["--min-average", "0.5", "--method", "any"],
            "Group DRO (group_dro) and all. Name the one you ship.",
        ),
        (["--max-drop", "0.02"], "Add --baseline OLD.json"),
        (["--min-average", "0.5", "--baseline", "BIRDS"], "Add --max-drop 0.02"),
        (["--max-drop", "0.02", "--baseline", "PLAIN"], "is a report of plain_hundred"),
        (["--max-drop", "0.02", "--baseline", "gone.json"], "gone.json: there is no such report"),
        (["--min-average", "0.5", "--markdown", "BIRDS/x.md"], "one of the folders in this path is a file"),
        (["--min-average", "0.5", "--markdown", "."], "it is a folder. Name a file in it"),
    ],
)
def test_what_cannot_be_judged_is_explained(
    birds: str, plain: str, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def replaced(flag: str) -> str:
        return flag.replace("BIRDS", birds).replace("PLAIN", plain)

    assert main(["gate", birds, *map(replaced, flags)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"schema_version": 2}', "\x00"])
def test_a_damaged_report_cannot_be_judged(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(text)
    assert main(["gate", str(path), "--min-average", "0.5"]) == 2
    assert "damaged.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--min-average", "80"], "write 0.8 for 80 %"),
        (["--min-average", "nan"], "from 0 to 1"),
        (["--min-average", "much"], "'much' is not a share"),
        (["--forbid", "fixed_by"], "only available, used, harmful"),
    ],
)
def test_wrong_flags_are_explained(
    birds: str, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["gate", birds, *flags])
    assert stop.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_names_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path, hostile_birds())
    text = json.loads(Path(path).read_text().replace("script>", "script>\\u001b[2J\\u202e\\n"))
    Path(path).write_text(json.dumps(text))
    assert main(["gate", path, "--min-worst-group", "0.9", "--forbid", "harmful,available"]) == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 4
    assert not set("\x1b\u202e") & set(out)


def test_the_baseline_is_gated_by_default() -> None:
    summary = build_report(photo_birds())
    assert choose_gated(summary, None) == ["erm"]
    assert choose_gated(summary, "all") == ["erm", "group_dro"]
    assert choose_gated(build_report(bare()), None) == []


def test_a_report_without_its_baselines_numbers_cannot_be_judged(tmp_path: Path, capsys: Any) -> None:
    report = json.loads(build_report(photo_birds()).model_dump_json()) | {"methods": {}}
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(report))
    assert main(["gate", str(path), "--min-average", "0.5"]) == 2
    assert "no numbers of its baseline 'erm'" in capsys.readouterr().err
