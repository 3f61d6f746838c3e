"""Methods by name: one file and one line make a method, and nobody else's code depends on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.cli.main import _parser
from pipeline.core.errors import InputError
from pipeline.methods import registry
from pipeline.methods.registry import (
    MODULES,
    check_name,
    find_method,
    method_names,
    methods_section,
    name_method,
    parse_method,
)
from pipeline.methods.retraining import retrain
from pipeline.methods.run import labels_used, reason_against
from pipeline.report.reading.explained import explain
from pipeline.settings.parsing import parse
from pipeline.verdict.phrases import method_label, method_subtitle
from tests import ROOT
from tests.fixtures.report import build_report, photo_birds
from tests.fixtures.train import DEFAULTS, make_info, make_recipe, make_settings, make_split, run_method

TOY = "tests.fixtures.toy_method"
WITH_TOY = f"""
import sys
from pipeline.methods.registry import MODULES
MODULES["toy"] = {TOY!r}
from pipeline.cli.main import main
status = main(sys.argv[1:])
print("torch" in sys.modules)
sys.exit(status)
"""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "toy", TOY)
    monkeypatch.setitem(DEFAULTS["methods"], "toy", {})


def test_names_are_known_and_others_are_answered_with_what_was_meant() -> None:
    assert all(check_name(name) == name == find_method(name).name for name in method_names())
    with pytest.raises(
        ValueError, match=r"not a training method; did you mean 'rwg'\? Known: erm, group_dro"
    ):
        check_name("rwgg")
    with pytest.raises(ValueError, match=r"not a training method\. Known: erm"):
        check_name("")


def test_every_name_that_is_printed_is_accepted() -> None:
    for name in method_names():
        words = find_method(name).words
        for text in (name, words.label, words.subtitle, words.label.upper(), f" {words.label.lower()} "):
            assert parse_method(text) == name
    assert [parse_method(text) for text in ("group dro", "Group-DRO", "REMOVAL (REPAIR)", "Dfr")] == [
        "group_dro",
        "group_dro",
        "repair",
        "dfr",
    ]


def test_another_name_is_answered_with_labels_and_keys() -> None:
    with pytest.raises(ValueError, match=r"'removal' is not a method.*Removal \(repair\)"):
        parse_method("removal")
    with pytest.raises(ValueError, match=r"Known: ERM \(erm\) and Group DRO \(group_dro\)$"):
        parse_method("repair", ["erm", "group_dro"])
    with pytest.raises(ValueError, match=r"'' is not a method"):
        parse_method("")


def test_methods_of_other_versions_go_by_their_key() -> None:
    assert parse_method("Old_Method", ["erm", "old_method"]) == "old_method"
    assert name_method("old_method") == "old_method"


@pytest.mark.parametrize("command", ["train", "evaluate", "retrain", "attribute", "gradcam"])
def test_commands_take_what_is_printed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _parser().parse_args([command, "mine", "Removal (repair)"]).method == "repair"
    with pytest.raises(SystemExit):
        _parser().parse_args([command, "mine", "removal"])
    assert "'removal' is not a method" in capsys.readouterr().err


def test_no_two_methods_share_a_spelling() -> None:
    words = {name: find_method(name).words for name in method_names()}
    spelled = [
        text.casefold() for name, w in words.items() for text in {name, w.label.casefold(), w.subtitle}
    ]
    assert len(set(spelled)) == len(spelled)


def test_the_first_use_says_what_a_method_is_and_its_label() -> None:
    for name in method_names():
        words = find_method(name).words
        assert words.label in words.first
        assert len(words.first) > len(words.label) + 5


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pipeline", cache_dir=None)


@pytest.mark.parametrize("name", method_names())
def test_a_training_depends_on_no_other_method_and_only_repair_on_attribution(
    name: str, graph: grimp.ImportGraph
) -> None:
    entries = {"pipeline.stages.train", MODULES[name]}
    reached = set().union(*map(graph.find_upstream_modules, entries)) | entries
    assert reached & set(MODULES.values()) == {MODULES[name]}
    assert any(module.startswith("pipeline.attribution") for module in reached) == (name == "repair")


@pytest.mark.parametrize("name", ["jtt", "rwy"])
def test_a_method_is_named_in_its_file_and_in_the_registry_alone(name: str) -> None:
    sources = (ROOT / "pipeline").rglob("*.py")
    named = {path.name for path in sources if re.search(rf"\b{name}\b", path.read_text())}
    assert named == {f"{name}.py", "registry.py"}


@pytest.mark.usefixtures("toy")
def test_a_new_method_trains_says_what_it_uses_and_needs_and_is_spoken_of() -> None:
    train, val = make_split(96), make_split(40, name="val", strength=0.5)
    recipe = make_recipe("toy", settings=make_settings(epochs=1, batch_size=16), every=3)
    result = run_method(recipe, train, val)
    (dynamics,) = (outcome.dynamics for outcome in result.outcomes.values())
    assert dynamics is not None
    assert np.flatnonzero(dynamics.n_drawn).tolist() == list(range(0, 96, 3))
    assert result.history.labels_used == ["class labels (train)"]
    again = make_recipe("toy", selection="worst_group").setup
    assert labels_used(again, "cue")[1] == "class and groups of a found cue (validation, selection)"
    part = retrain(recipe.setup, train, val, make_info(train, val), 0)
    for name, value in part.state_dict().items():
        np.testing.assert_array_equal(value, result.weights[0][name])
    info = make_info(train, val)
    assert reason_against(recipe.setup, info.groups) is None
    greedy = make_recipe("toy", settings=make_settings(batch_size=32), every=9).setup
    assert "lower methods.toy.every (9)" in str(reason_against(greedy, info.groups))

    with pytest.raises(InputError, match=r"toy\.evry is not a known key; did you mean 'every'\?"):
        parse(methods_section(), DEFAULTS["methods"] | {"toy": {"evry": 5}})

    assert method_label("toy") == "Toy thinning"
    assert method_subtitle("toy") == "training on a part of the images"
    report = build_report(photo_birds())
    methods = {"erm": report.methods["erm"], "toy": report.methods["erm"]}
    terms = {term.key: term for term in explain(report.model_copy(update={"methods": methods}))}
    assert {"erm", "toy"} == set(terms) & set(method_names())
    assert terms["toy"].text == "Every so many images one is kept."
    assert terms["toy"].references[0].authors == "Nobody"


def ask(folder: Path, *command: str, **toy: object) -> subprocess.CompletedProcess[str]:
    """Run a command on the demo's entry with the method `toy` beside ERM."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["active_methods"], params["explained_methods"] = ["erm", "toy"], ["erm"]
    params["datasets"]["photo_digits"]["methods"] = {"toy": toy}
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = [sys.executable, "-c", WITH_TOY, *command]
    return subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_new_methods_settings_are_validated_and_planned_without_torch(tmp_path: Path) -> None:
    done = ask(tmp_path, "plan", every=5, train={"epochs": 3})
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    plan = json.loads((tmp_path / ".plan/photo_digits/train-toy.json").read_text())["settings"]
    assert plan["method"] == {"selection": "last", "every": 5}
    assert plan["train"]["epochs"] == 3
