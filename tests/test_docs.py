"""What the documents promise exists, and the numbers they print are those of the sample report."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import tomllib
from itertools import islice
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from pipeline.cli.main import DATASET_STAGES, METHOD_STAGES, main
from pipeline.methods.registry import method_names
from pipeline.plan.params import Params
from pipeline.records.report import Report
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from pipeline.settings.parsing import parse
from tests import ROOT

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def load_refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "sample" / "refresh.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_are_the_sample_reports() -> None:
    refresh = load_refresh()
    assert refresh.refresh_readme(README, json.loads(refresh.SAMPLE.read_text())) == README, (
        "run `make sample`"
    )


def test_the_image_that_readme_links_to_is_on_the_sample_page() -> None:
    linked = re.findall(r"#(image-\d+)`", README)
    assert linked
    page = load_refresh().PAGE.read_text()
    assert all(f'id="{place}"' in page for place in linked)


def test_the_table_has_the_one_interval_of_each_gain() -> None:
    refresh = load_refresh()
    report = Report.model_validate_json(refresh.SAMPLE.read_text())
    rows = [
        line
        for line in refresh.build_table(report.model_dump(mode="json")).splitlines()
        if "p = " in line or "p < " in line
    ]
    comparisons = report.verdict.comparisons
    assert len(rows) == len(comparisons) == 5
    for comparison, row in zip(comparisons, rows, strict=True):
        gain = comparison.gain
        assert f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" in row


def test_the_sample_page_is_what_the_code_makes() -> None:
    """Its look, its behavior and its headings; `.ci/run` compares it with a fresh demo as well."""
    refresh = load_refresh()
    summary = Report.model_validate_json(refresh.SAMPLE.read_text())
    page, now = refresh.PAGE.read_text(), render_report(summary, Pictures())
    for part in ("style", "script"):
        shown, current = (
            re.findall(f"<{part}>(.*?)</{part}>", text, flags=re.DOTALL) for text in (page, now)
        )
        assert shown == current, "run `make demo` and `make sample`"
    assert refresh.headings(page) == refresh.headings(now), "run `make demo` and `make sample`"


def test_a_stale_sample_is_noticed() -> None:
    refresh = load_refresh()
    sample, page = json.loads(refresh.SAMPLE.read_text()), refresh.PAGE.read_text()
    assert refresh.differences(sample, sample, page, page) == []
    other = json.loads(json.dumps(sample))
    other["verdict"]["rungs"][1]["status"] = "no"
    other["provenance"]["params_hash"] = "0"
    other["methods"]["erm"]["new"] = 1
    del other["hygiene"]
    page_now = page.replace("What to do next</h2>", "Next</h2>")
    found = " ".join(refresh.differences(sample, other, page, page_now))
    for reason in (
        "lacks .methods.erm.new",
        "still has .hygiene",
        "other settings",
        "'used'",
        "other headings",
    ):
        assert reason in found


def test_a_demo_that_another_processor_rounds_otherwise_is_the_same_sample() -> None:
    refresh = load_refresh()
    sample, page = json.loads(refresh.SAMPLE.read_text()), refresh.PAGE.read_text()
    other = json.loads(json.dumps(sample))
    fixed = other["verdict"]["rungs"][4]
    fixed["status"] = "yes" if fixed["status"] == "partly" else "partly"
    slices = other["verdict"]["slices"]
    slices["subg"] = slices.pop(next(name for name in slices if name != "erm"))  # the recommended one's
    finding = re.search('<h2 id="fixed-h"><span dir="ltr">(.*?)</span>', page)
    assert finding
    page_now = page.replace(finding.group(1), "SUBG raises both groups, at a price")
    assert refresh.differences(sample, other, page, page_now) == []
    fixed["status"] = "insufficient"
    assert refresh.differences(sample, other, page, page) != []


def test_the_sample_report_was_made_with_the_shipped_settings() -> None:
    sample = json.loads((ROOT / "docs" / "sample" / "photo_digits.json").read_text())
    params = parse(Params, YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text()))
    settings = params.dataset("photo_digits")
    assert sample["methods"]["erm"]["seeds"] == settings.train.seeds
    assert sample["dataset"]["n"]["train"] == settings.source.n_train  # type: ignore[union-attr]


def test_the_demo_teaches_for_every_seed() -> None:
    sample = json.loads((ROOT / "docs" / "sample" / "photo_digits.json").read_text())
    worst = {m: [s["worst_group"] for s in r["test"]["per_seed"]] for m, r in sample["methods"].items()}
    assert len(worst["erm"]) == 5
    assert all(0.20 <= value <= 0.65 for value in worst["erm"])
    assert all(dro >= erm + 0.15 for erm, dro in zip(worst["erm"], worst["group_dro"], strict=True))
    assert [rung["status"] for rung in sample["verdict"]["rungs"]][:4] == ["yes"] * 4
    assert sample["verdict"]["recommendation"]["action"] == "use"
    gains = {c["method"]: c for c in sample["verdict"]["comparisons"]}
    assert set(gains) == {"group_dro", "subg", "dfr", "jtt", "repair"}
    for method in ("group_dro", "subg", "dfr", "repair"):  # jtt is reported as it falls
        assert gains[method]["gain"]["low"] > 0.1
        assert gains[method]["p_value"] < 0.05, "over five trainings, corrected for five methods"
    found = sample["attribution"]["erm"]
    assert found["flipped_share_in_harmful"] > 0.8, "README says so"
    assert found["lds"]["low"] > found["lds"]["same_class"]
    assert found["group_check"]["correlation"] >= 0.8
    rankings = [r for a in sample["attribution"].values() for r in a["label_errors"]["rankings"]]
    assert max(r["average_precision"] for r in rankings) >= 0.9
    controls = sample["methods"]["repair"]["removal_controls"]
    assert {c["control"] for c in controls} == {"random", "balanced", "suspected"}
    assert all(c["gain"]["low"] > 0.1 for c in controls if c["control"] != "suspected")


def test_changed_settings_exist() -> None:
    """DVC refuses a key that is not there, unless it comes with a plus."""
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    changed = re.findall(r"-S '?(\+?)([a-z0-9_.]+)", README)
    assert len(changed) >= 5
    for plus, key in changed:
        value, known = params, True
        for part in key.split("."):
            known = known and part in value
            value = value[part] if known else {}
        assert known != bool(plus), key


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_ci_runs_the_readmes_two_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for command in re.findall(r"```bash\n(make \w+)\n```", README):
        assert re.search(rf"^timed \d+ {command}$", script, re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    sorted(set(re.findall(r"(?:python -m pipeline|shortcut-audit) ([a-z][a-z-]+)", README + ARCHITECTURE))),
)
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_options_of_new_dataset_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["new-dataset", "--help"])
    options = capsys.readouterr().out
    for option in set(re.findall(r"`?(--[a-z]+-column|--activate)`?", README)):
        assert option in options


def test_the_example_entry_is_valid() -> None:
    snippet = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert snippet is not None
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["datasets"] |= yaml.load(snippet.group(1))
    parse(Params, params).check()


def test_models_of_ones_own_are_entries_that_params_take() -> None:
    """Both tiers, in as many lines as README says it takes."""
    section = README.split("\n## Your own model\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert [block.count("\n") for block in blocks] == [3, 3]
    shipped = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    kinds = []
    for block in blocks:
        params = Params.model_validate(shipped | YAML(typ="safe", pure=True).load(block))
        params.check()
        kinds.append(params.models["mine"].kind)
    assert kinds == ["predictions", "timm"]


def keys_of_the_table(section: str) -> list[str]:
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", text, re.MULTILINE)


def test_the_tables_of_datasets_and_methods_are_complete() -> None:
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    assert keys_of_the_table("Published datasets") == list(params["datasets"])
    assert keys_of_the_table("Training methods") == method_names()


def test_paths_named_in_the_architecture_exist() -> None:
    for path in re.findall(
        r"`((?:core|models|metrics|train|explain|attribution|report|data|stages)/[a-z_]+\.py)`", ARCHITECTURE
    ):
        assert (ROOT / "pipeline" / path).exists(), path


def test_every_stage_is_in_the_architecture_table() -> None:
    for stage in (*DATASET_STAGES, *METHOD_STAGES, "index"):
        assert f"`{stage}`" in ARCHITECTURE


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:3]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_constraints_pin_versions_and_name_no_host() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.+!]+", line) for line in lines)
    assert not any("://" in line for line in lines)


def test_the_drawing_of_the_house_is_the_contract_and_says_what_each_room_says_of_itself() -> None:
    """Rooms in the contract's order, with the sentences of their own `__init__.py`."""
    drawing = ARCHITECTURE.split("```")[1].strip("\n").splitlines()
    rooms = {line[2:].split()[0]: line[15:].strip() for line in drawing}
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = [sorted(re.findall(r"pipeline\.(\w+)", layer)) for layer in contract["layers"]]
    drawn = iter(rooms)
    assert [sorted(islice(drawn, len(floor))) for floor in floors] == floors
    assert not list(drawn), "a room that the contract does not know"
    for room, sentence in rooms.items():
        folder = ROOT / "pipeline" / room
        module = ast.parse(
            (folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text()
        )
        assert (ast.get_docstring(module) or "").splitlines()[0] == sentence


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_that_the_documents_name_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(re.findall(r"`(?:pipeline/)?([a-z_]+/[\w/*.]+?(?:\.py|/))`", text))
    named = {name for name in named if "NAME" not in name}
    lost = [n for n in sorted(named) if not (any((ROOT / "pipeline").glob(n)) or any(ROOT.glob(n)))]
    assert len(named) > 10
    assert not lost
