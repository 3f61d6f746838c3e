"""params.yaml: what is refused, and whether the message helps."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.core.errors import InputError
from pipeline.plan.params import Params
from pipeline.plan.params_file import read_params
from pipeline.settings.parsing import deep_merge, parse
from pipeline.settings.train import TrainSettings
from tests import ROOT


@pytest.fixture
def raw() -> dict[str, Any]:
    values: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    return values


def test_the_shipped_file_is_valid_and_runs_the_embedded_demo() -> None:
    params = read_params(ROOT / "params.yaml")
    params.check()
    assert params.active == ["photo_digits"]
    assert params.active_methods == ["erm", "group_dro", "subg", "dfr", "jtt", "repair"]
    assert params.explained_methods == ["erm", "group_dro"]


def test_scientific_notation_is_a_number_as_dvc_reads_it() -> None:
    settings = read_params(ROOT / "params.yaml").dataset("waterbirds")
    assert settings.train.lr == 1e-3
    assert settings.train_for("group_dro").lr == 1e-5
    assert settings.train_for("group_dro").weight_decay == 1.0
    assert settings.train_for("erm").weight_decay == 1e-4


def test_every_method_has_its_training_settings(raw: dict[str, Any]) -> None:
    methods = raw["datasets"]["photo_digits"]["methods"]
    methods["erm"]["train"] = {"lr": 0.3}
    methods["jtt"] = {"train": {"epochs": 9}, "identification_epochs": 2, "identification": {"lr": 0.7}}
    raw["active_methods"] = ["erm", "jtt", "dfr"]
    raw["explained_methods"] = ["erm"]
    params = parse(Params, raw)
    params.check()
    settings = params.dataset("photo_digits")
    assert settings.train_for("erm").lr == 0.3
    assert settings.train_for("repair") == settings.train_for("erm"), "the images are all that differs"
    assert settings.train_for("dfr") == settings.train_for("erm"), "its network is ERM's"
    assert settings.train_for("subg").lr == settings.train.lr
    first = settings.setup("jtt").further["identification"]
    assert (first.epochs, first.lr) == (2, 0.7)
    assert settings.train_for("jtt").epochs == 9
    methods["jtt"]["identification"] = {"lrr": 0.7}
    with pytest.raises(
        InputError, match=r"photo_digits\.methods\.jtt\.identification\.lrr is not a known key"
    ):
        params.check()


def test_networks_whose_weights_nobody_keeps_keep_no_further_epochs():
    settings = read_params(ROOT / "params.yaml").dataset("photo_digits")
    train = settings.train.model_copy(update={"checkpoints": 2})  # more than its first model has epochs
    settings = settings.model_copy(update={"train": train})
    assert settings.train_for("jtt").checkpoints == 2
    assert settings.setup("jtt").further["identification"].checkpoints == 0


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("defaults.trian", {}, r"defaults\.trian is not known; did you mean 'train'\? Allowed here: data, "),
        ("datasets.My-Birds", {"source": {"kind": "cifar100"}}, "'My-Birds' is not allowed: use a-z, 0-9"),
        ("active_methods", ["erm", "subg", "erm"], r"active_methods = .*: names erm more than once"),
        ("datasets.photo_digits.gate", {"method": "subgg"}, r"gate\.method = 'subgg': not.*mean 'subg'"),
        ("datasets.photo_digits.gate", {"method": "al"}, r"mean 'all'\? Known: erm, .*, repair, all"),
    ],
)
def test_what_the_plan_goes_by_is_checked_without_check(
    raw: dict[str, Any], place: str, value: Any, message: str
) -> None:
    *parents, last = place.split(".")
    functools.reduce(dict.__getitem__, parents, raw)[last] = value
    with pytest.raises(InputError, match=message):
        parse(Params, raw).dataset(last if last in raw["datasets"] else "photo_digits")


def test_a_file_from_before_groups_were_a_section_is_told_where_they_went(raw: dict[str, Any]) -> None:
    raw["defaults"]["data"] |= raw["defaults"].pop("groups")
    with pytest.raises(InputError, match=r"defaults\.data: .* moved to the section `groups`"):
        parse(Params, raw).dataset("photo_digits")


def test_a_source_is_a_complete_entry(raw: dict[str, Any]) -> None:
    entry = {"source": {"kind": "folder", "path": "x"}}
    settings = parse(Params, raw | {"datasets": {"mine": entry}}).dataset("mine")
    assert settings.train.model_dump() == TrainSettings.model_validate(raw["defaults"]["train"]).model_dump()
    assert settings.methods.dfr.model_dump() == raw["defaults"]["methods"]["dfr"]
    empty = {section: {} for section in raw["defaults"]}
    assert parse(Params, raw | {"datasets": {"mine": entry | empty}}).dataset("mine") == settings


@pytest.mark.parametrize(
    ("explained", "message"),
    [
        (["erm", "rwy"], r"explained_methods names rwy, which active_methods \(erm, group_dro, "),
        (["group_dro"], r"explained_methods must name erm, the first of active_methods"),
        ([], r"explained_methods = \[\]"),
    ],
)
def test_only_trained_methods_are_explained_and_the_baseline_is(
    raw: dict[str, Any], explained: list[str], message: str
) -> None:
    raw["explained_methods"] = explained
    with pytest.raises(InputError, match=message):
        parse(Params, raw)


def test_entries_lie_over_the_defaults(raw: dict[str, Any]) -> None:
    raw["datasets"]["photo_digits"]["train"] = {"epochs": 7}
    settings = parse(Params, raw).dataset("photo_digits")
    assert settings.train.epochs == 7
    assert settings.train.lr == raw["defaults"]["train"]["lr"]


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "train",
            {"epoch": 3},
            r"datasets\.photo_digits\.train\.epoch is not a known key; did you mean 'epochs'",
        ),
        ("train", {"epochs": 0}, r"datasets\.photo_digits\.train\.epochs = 0: must be at least 1"),
        ("train", {"epochs": True}, r"photo_digits\.train\.epochs = 'true': must be a whole number"),
        ("train", {"patience": False}, r"train\.patience = 'false': must be a whole number"),
        ("train", {"lr": True}, r"train\.lr = 'true': .*number"),
        ("train", {"stem_stride": True}, r"train\.stem_stride = 'true': .*1, 2 or 4"),
        ("train", {"seeds": [0, True]}, r"train\.seeds\.1 = 'true': must be a whole number"),
        ("methods", {"jtt": {"train": {"epochs": True}}}, r"methods\.jtt\.train\.epochs = 'true'"),
        ("attribute", {"proj_dim": True}, r"attribute\.proj_dim.* = 'true'"),
        ("data", {"value_range": [False, True]}, r"data\.value_range = \['false', 'true'\]"),
        ("train", {"model": "vgg"}, r"train\.model = vgg is not known\. Use small_resnet, or timm/"),
        ("train", {"model": "resnet18"}, r"resnet18 is not known\. resnet18 is now timm/resnet18\.tv_in1k"),
        ("train", {"model": "timm/resnet81"}, r"timm/resnet81 is not a network of timm .*'resnet18'"),
        ("train", {"model": 18}, r"train\.model = 18: must be text"),
        ("train", {"seeds": [1, 1]}, r"seeds must be different"),
        ("train", {"seeds": [2**64]}, r"train\.seeds\.0 = 18446744073709551616: must be below"),
        ("train", {"lr": float("inf")}, r"train\.lr = inf: .*finite"),
        ("source", {"kind": "cifar100", "md5": "abc"}, r"md5 = 'abc': must be of the form"),
        ("source", {"kind": "imagenet"}, r"source\.kind = 'imagenet'.* waterbirds"),
        ("source", {"strength": 1.5}, r"strength = 1\.5"),
        (
            "methods",
            {"group_dro": {"train": {"lrr": 1}}},
            r"datasets\.photo_digits\.methods\.group_dro\.train\.lrr is not a known key",
        ),
        ("methods", {"dfr": {"strengths": [0.1, 0]}}, r"methods\.dfr\.strengths\.1 = 0: must be above 0"),
        ("methods", {"rwg": {"groups": "guessed"}}, r"methods\.rwg\.groups = 'guessed': .*'inferred'"),
        ("methods", {"dfr": {"train": {}}}, r"methods\.dfr\.train is not a known key"),
        ("methods", {"irm": {}}, r"methods\.irm is not a known key"),
        ("attribute", {"proj_dim": 64}, r"attribute\.proj_dim = 64: .*greater than 100"),
    ],
)
def test_wrong_values_name_the_place_and_what_is_allowed(
    raw: dict[str, Any], section: str, change: dict[str, Any], message: str
) -> None:
    entry = raw["datasets"]["photo_digits"]
    entry[section] = deep_merge(entry[section], change)
    with pytest.raises(InputError, match=message):
        parse(Params, raw).check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"train": {"epochs": 2, "warm_up_epochs": 3}},
            "datasets.photo_digits.train: warm_up_epochs = 3 must be below epochs = 2.",
        ),
        (
            {"train": {"seeds": list(range(500)) * 2}},
            "datasets.photo_digits.train.seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, "
            "17, 18, 19, 20, 21, 2...: seeds must be different.",
        ),
        (
            {"train": {"epochs": {"much": ["x" * 500]}}},
            "datasets.photo_digits.train.epochs = {'much': ['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: must be a whole number.",
        ),
    ],
)
def test_messages_are_short_whatever_was_given(
    raw: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    entry = raw["datasets"]["photo_digits"]
    with pytest.raises(InputError) as caught:
        parse(Params, raw | {"datasets": {"photo_digits": deep_merge(entry, change)}}).check()
    assert str(caught.value) == f"params.yaml is not valid:\n  {message}"


def test_a_rule_over_the_whole_file_does_not_print_the_file(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        parse(Params, raw | {"explained_methods": ["group_dro"]})
    assert str(caught.value).startswith("params.yaml is not valid:\n  explained_methods must name erm, ")
    assert len(str(caught.value)) < 200
    with pytest.raises(InputError, match=r"and 5 more$"):
        parse(Params, raw | {f"key{i}": raw for i in range(15)})


def test_unknown_top_level_key_and_default_are_named(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"activ is not a known key; did you mean 'active'"):
        parse(Params, raw | {"activ": ["x"]})
    raw["defaults"]["trian"] = {}
    with pytest.raises(InputError, match=r"defaults\.trian is not known; did you mean 'train'"):
        parse(Params, raw).check()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"defaults\.train is empty\. Each section of the defaults"),
        ([], r"defaults\.train = \[\] is not a mapping"),
        ("x", r"defaults\.train = 'x' is not"),
    ],
)
def test_an_emptied_default_section_is_named(raw: dict[str, Any], value: object, message: str) -> None:
    raw["defaults"]["train"] = value
    with pytest.raises(InputError, match=message):
        parse(Params, raw).check()


def test_a_wrong_default_is_named_in_the_defaults(raw: dict[str, Any]) -> None:
    raw["defaults"]["train"]["epochs"] = "ten"
    with pytest.raises(InputError, match=r"defaults\.train\.epochs = 'ten'") as caught:
        parse(Params, raw).check()
    assert "photo_digits" not in str(caught.value)
    raw["defaults"]["train"]["epochs"] = 10
    raw["defaults"]["hygiene"]["min_similarty"] = 0.9
    with pytest.raises(
        InputError, match=r"defaults\.hygiene\.min_similarty is not a known key; did you mean"
    ):
        parse(Params, raw).check()


def test_a_default_may_be_left_to_the_entries(raw: dict[str, Any]) -> None:
    del raw["defaults"]["data"]["image_size"]
    raw["datasets"] = {"photo_digits": raw["datasets"]["photo_digits"]}
    parse(Params, raw).check()


def test_a_default_section_must_be_there(raw: dict[str, Any]) -> None:
    del raw["defaults"]["gradcam"]
    with pytest.raises(InputError, match=r"defaults lacks gradcam\. Each section of the defaults must be"):
        parse(Params, raw).dataset("cifar100")


TABLE = {"kind": "table", "path": "x", "columns": {"file": "f", "label": "l"}}


NET = {"kind": "timm", "path": "x"}
MODELS = [
    (["a"], "models = ['a']: must be a mapping of keys to values."),
    ({"m": "x"}, "models.m = 'x': must be a mapping of keys to values."),
    ({"m": None}, "models.m is empty: must be a mapping of keys to values."),
    ({"m": {"path": "x"}}, "models.m.kind is missing: write one of predictions, timm, huggingface, python."),
    (
        {"m": NET | {"kind": "tim"}},
        "models.m.kind = 'tim'; did you mean 'timm'? known are predictions, timm, ",
    ),
    ({"m": NET | {"datasets": "birds"}}, "models.m.datasets = 'birds': must be a list. Write [birds]."),
    ({"m": NET | {"mean": 0.5}}, "models.m.mean = 0.5: must be a list."),
    ({"m": NET | {"mean": [0.5]}}, "models.m.mean = [0.5]: has 1 values, at least 3 are needed."),
    ({"m": {"kind": "python", "path": ""}}, "models.m.path = '': must be of the form net.py:make."),
    (
        {"m": {"kind": "python", "path": "a.py:1"}},
        "models.m.path = 'a.py:1': must be of the form net.py:make.",
    ),
    (
        {"m": NET | {"kind": ["timm"]}},
        "models.m.kind = ['timm']; did you mean 'timm'? known are predictions, ",
    ),
    ({"m": NET | {"crop_pct": 1.5}}, "models.m.crop_pct = 1.5: must be at most 1"),
    ({"m": NET | {"weights": {"a": "b"}}}, "models.m.weights = {'a': 'b'}: must be a list."),
    ({"m": NET | {"classes": {"a": {"b": 1}}}}, "models.m.classes.a = {'b': 1}: must be a list."),
    ({"m": NET | {"checkpoints": ["a"]}}, "models.m.checkpoints.0 = 'a': must be a list. Write [a]."),
    (
        {"m": {"kind": "predictions", "path": "p", "columns": {"scores": {"a": 1}}}},
        "models.m.columns.scores = {'a': 1}: must be text or a list.",
    ),
]


def test_every_problem_of_the_type_that_fits_best_is_told(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        parse(Params, raw | {"models": {"m": NET | {"classes": {"a": {"x": 1}, "b": [True]}}}})
    assert "models.m.classes.a = {'x': 1}: must be a list." in str(caught.value)
    assert "models.m.classes.b.0 = True" in str(caught.value)


def test_a_method_of_the_defaults_is_named_there(raw: dict[str, Any]) -> None:
    raw["defaults"]["methods"]["erm"]["train"] = {"epochs": "x"}
    with pytest.raises(InputError, match=r"  defaults\.methods\.erm\.train\.epochs = 'x': must be a whole"):
        parse(Params, raw).dataset("photo_digits")


def test_numbers_are_cells_of_a_table(raw: dict[str, Any]) -> None:
    source = {**TABLE, "label_names": {0: "landbird", 1: "waterbird"}}
    entry = raw["datasets"]["photo_digits"] | {"source": source}
    found = parse(Params, raw | {"datasets": {"e8": entry}}).dataset("e8")
    assert found.source.label_names == {"0": "landbird", "1": "waterbird"}
    source["label_names"] = {None: "x"}
    with pytest.raises(InputError, match=r"source\.label_names\.None is empty: must be text"):
        parse(Params, raw | {"datasets": {"e8": entry}}).dataset("e8")


@pytest.mark.parametrize(("models", "message"), MODELS)
def test_wrong_types_are_told_in_plain_words(raw: dict[str, Any], models: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(Params, raw | {"models": models})
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 1, "one problem, whatever types were tried"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"kind": "table", "path": "x"}}, "datasets.e8.source.columns is missing."),
        (
            {"source": {"kind": "folder", "path": None}},
            "e8.source.path is empty: must be text.",
        ),
        ({"source": TABLE | {"colums": 1}}, "e8.source.colums is not a known key; did you mean 'columns'?"),
        (
            {"source": TABLE | {"columns": {"file": "f", "label": None, "splt": "s"}}},
            "e8.source.columns.label is empty: must be text.\n"
            "  datasets.e8.source.columns.splt is not a known key; did you mean 'split'?",
        ),
        ({"source": TABLE | {"splits": {"test": ["a"]}}}, "e8.source.splits.train is missing."),
        (
            {"source": {"kind": "python", "class": "x", "clas": 1}},
            "e8.source.clas is not a known key; did you mean 'class'?",
        ),
        ({"source": {"path": "x"}}, "e8.source.kind is missing: write one of photo_digits, cifar100, "),
        ({"source": None}, "e8.source is empty. Leave"),
        ({"source": ...}, "datasets.e8.source is missing."),
        ({"train": None}, "datasets.e8.train is empty. Leave a section out where the defaults serve, or "),
        ({"train": None, "data": []}, "e8.data = [] is not a mapping of keys; datasets.e8.train is empty."),
        ({"colour": {}}, "e8.colour is not a known key; did you mean 'color'?"),
        ({"methods": None}, "datasets.e8.methods is empty. Leave"),
        ({"gate": None}, "e8.gate is empty. Leave"),
    ],
)
def test_a_place_is_called_as_people_write_it(
    raw: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    entry = raw["datasets"]["photo_digits"] | change
    entry = {key: value for key, value in entry.items() if value is not ...}
    with pytest.raises(InputError) as caught:
        parse(Params, raw | {"datasets": {"e8": entry}}).dataset("e8")
    assert message in str(caught.value)


def test_unknown_dataset_suggests_a_near_one(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"'cifar10'; did you mean 'cifar100'\?.*new-dataset"):
        parse(Params, raw).dataset("cifar10")


@pytest.mark.parametrize("name", ["a-b", "Birds", "a.b", "a b", ""])
def test_names_that_break_dvc_stage_names_are_refused(raw: dict[str, Any], name: str) -> None:
    raw["datasets"][name] = raw["datasets"]["photo_digits"]
    with pytest.raises(InputError, match="a-z, 0-9 and _"):
        parse(Params, raw).check()


@pytest.mark.parametrize(
    ("text", "message"),
    [("active: [", "not valid YAML"), ("- 1", "must hold keys"), ("active: [x]", "defaults is missing")],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_params(tmp_path / "params.yaml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(InputError, match=r"params\.yaml cannot be read"):
        read_params(tmp_path / "params.yaml")


def test_no_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="project's root folder"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("place", ["defaults", "datasets.photo_digits"])
def test_keys_of_groups_in_data_are_told_their_new_place(raw: dict[str, Any], place: str) -> None:
    section = raw["defaults"] if place == "defaults" else raw["datasets"]["photo_digits"]
    section["data"] |= {"levels": 2, "group_by": "all"}
    message = (
        f"{place}.data: levels and group_by moved to the section `groups` beside `data`: write "
        "`groups: { from: auto, group_by: all }`."
    )
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Params, raw).check()


@pytest.mark.parametrize("place", ["defaults", "datasets.photo_digits"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"levels": 3}, "from: auto"),
        ({"derive_attribute": "auto", "levels": 3, "group_by": "class"}, "from: auto, group_by: class"),
        ({"derive_attribute": "ring_lightness"}, "from: border"),
        ({"derive_attribute": "never"}, "from: never"),
    ],
)
def test_attributes_read_off_the_border_are_told_what_replaces_them(
    raw: dict[str, Any], place: str, old: dict[str, Any], new: str
) -> None:
    section = raw["defaults"] if place == "defaults" else raw["datasets"]["photo_digits"]
    section["groups"] = old
    with pytest.raises(InputError, match=re.escape(f"{place}.groups: ")) as error:
        parse(Params, raw).check()
    assert "no more: nothing is read off the border" in str(error.value)
    assert f"Write `groups: {{ {new}" in str(error.value)
