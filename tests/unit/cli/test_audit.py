"""`audit.run`: what it asks of a folder, whose files it leaves alone, and how errors of stages arrive."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from torch import nn

from pipeline import audit
from pipeline.artifacts.handed_over import VARIABLE, take_over
from pipeline.cli.main import main
from pipeline.core.errors import InputError, PipelineError, TaskError
from pipeline.project import reproduce as reproducing
from pipeline.project.shipped import shipped
from tests.fixtures.brought import save_timm
from tests.fixtures.data import save_classes


class Started:
    """In the place of `dvc repro`: what it would have been called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Path, list[str]]] = []

    def __call__(self, folder: Path, targets: Any = ()) -> None:
        self.calls.append((folder, list(targets)))
        raise StopIteration  # before there is a report to read


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    found = Started()
    monkeypatch.setattr(audit, "reproduce", found)
    return found


def begin(*arguments: Any, **options: Any) -> dict[str, Any]:
    """`params.yaml` as the run that begins has it."""
    with pytest.raises(StopIteration):
        audit.run(*arguments, folder="runs", **options)
    return read()


def read() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("runs/params.yaml").read_text())
    return found


def test_a_folder_becomes_a_project_outside_of_git(place: Path, started: Started) -> None:
    params = begin(
        "photo_digits", ["Group DRO", "erm"], settings={"train": {"epochs": np.int64(2), "seeds": (0,)}}
    )
    assert (params["active"], params["active_methods"]) == (["photo_digits"], ["group_dro", "erm"])
    assert params["explained_methods"] == ["group_dro", "erm"]
    train = params["datasets"]["photo_digits"]["train"]
    assert (train["epochs"], train["seeds"], train["width"]) == (2, [0], 8), "laid over the shipped entry"
    assert started.calls == [(place / "runs", [])]
    assert "no_scm = True" in Path("runs/.dvc/config").read_text()
    assert "# channels of small_resnet's first stage" in Path("runs/params.yaml").read_text()
    assert Path.cwd() == place
    assert [path.name for path in place.iterdir()] == ["runs"]


def test_the_baseline_alone_is_explained_where_that_is_not_asked_for(place: Path, started: Started) -> None:
    params = begin("photo_digits", ["erm", "rwg"], explain=False)
    assert params["explained_methods"] == ["erm"]
    assert params["datasets"]["photo_digits"]["retrain"] == {"subsets": 0, "thin_keep": []}


def test_the_same_call_writes_the_same_bytes_and_settings_do_not_linger(
    place: Path, started: Started
) -> None:
    first = begin("photo_digits")
    text = Path("runs/params.yaml").read_bytes()
    begin("photo_digits", settings={"train": {"epochs": 1}})
    assert begin("photo_digits") == first
    begin("photo_digits")
    assert Path("runs/params.yaml").read_bytes() == text


def test_a_path_is_read_as_new_dataset_reads_it(place: Path, started: Started) -> None:
    save_classes(place / "My Birds")
    params = begin("My Birds")
    assert params["active"] == ["my_birds"]
    entry = params["datasets"]["my_birds"]
    assert entry["source"] == {"kind": "folder", "path": str(place / "My Birds")}
    assert entry["methods"]["group_dro"] == {"allow_empty_groups": True}
    again = begin("my_birds", settings={"train": {"epochs": 1}})
    assert again["datasets"]["my_birds"]["source"] == entry["source"], (
        "a name of the folder's own params.yaml"
    )
    assert begin("photo_digits")["datasets"]["my_birds"], "entries of earlier calls stay"


def test_an_entry_is_taken_as_it_is_with_its_path_from_here(place: Path, started: Started) -> None:
    save_classes(place / "photos")
    params = begin({"source": {"kind": "folder", "path": Path("photos")}, "train": {"epochs": 3}})
    assert params["datasets"]["photos"] == {
        "source": {"kind": "folder", "path": str(place / "photos")},
        "train": {"epochs": 3},
    }


def test_of_a_name_and_a_path_the_name_counts(place: Path, started: Started) -> None:
    save_classes(place / "cifar100")
    assert begin("cifar100")["datasets"]["cifar100"]["source"]["kind"] == "cifar100"
    with pytest.raises(InputError, match="another folder"):
        audit.run(Path("cifar100"), folder="runs")


def test_another_dataset_of_the_same_name_is_refused(place: Path, started: Started) -> None:
    for parent in ("one", "two"):
        save_classes(place / parent / "birds")
    begin(Path("one/birds"))
    before = Path("runs/params.yaml").read_bytes()
    with pytest.raises(InputError, match=r"another dataset 'birds' \(.*/one/birds\).*Give another folder"):
        audit.run(Path("two/birds"), folder="runs")
    assert Path("runs/params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("photo_digit",), {}, "'photo_digit' is neither a dataset's name nor a path.*photo_digits"),
        ((Path("nowhere"),), {}, "nowhere does not exist"),
        (({"kind": "folder"},), {}, "an entry has a `source`"),
        (({"source": {}},), {}, "needs a `source` with a `kind`"),
        (({"source": {"kind": "folders", "path": "x"}},), {}, "datasets.x.source"),
        (("photo_digits", "irm"), {}, "'irm' is not a method"),
        (("photo_digits", []), {}, "give a training method such as 'erm', a path"),
        (("photo_digits", [3]), {}, "give a training method such as 'erm', a path"),
        (("photo_digits", nn.Linear(1, 1)), {}, "A network in memory has to be saved first"),
        (("photo_digits", "nets/mine"), {}, "'nets/mine' is not a method.*no file or folder of that name"),
        (("photo_digits", [Path("model.pt")]), {}, "model.pt does not exist. Give a table of predictions"),
        (("photo_digits", ["erm", "ERM"]), {}, "two models are called 'erm'. Name them: {'erm_1'"),
        (
            ("photo_digits", {"kind": "tim", "path": "x"}),
            {},
            "'tim' .* does not match any of the expected tags",
        ),
        (("photo_digits", {"kind": "timm"}), {}, "path: Field required"),
        (("photo_digits", {"kind": "timm", "path": "x", "weight": "y"}), {}, "weight: Extra inputs"),
        (("photo_digits", {"erm": "net.py:make"}), {}, "has the name of a training method"),
        (("photo_digits", {"My Net": "net.py:make"}), {}, "My Net"),
        (("photo_digits",), {"settings": {"train": {"epoch": 1}}}, "did you mean 'epochs'"),
        (
            ("photo_digits",),
            {"settings": {"train": {"epochs": object()}}},
            "cannot be written into params.yaml",
        ),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_written(
    place: Path, started: Started, arguments: tuple[Any, ...], options: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        audit.run(*arguments, folder="runs", **options)
    assert not Path("runs").exists()
    assert not started.calls


def test_models_are_paths_or_entries_from_here(place: Path, started: Started) -> None:
    save_timm(Path("nets/My ViT"))
    Path("table.csv").write_text("id,predicted\n")
    entry = {
        "kind": "python",
        "path": "net.py:make",
        "weights": Path("a.safetensors"),
        "checkpoints": [["b"]],
    }
    params = begin("photo_digits", ["nets/My ViT", "erm", Path("table.csv"), entry])
    assert params["active_methods"] == ["my_vit", "erm", "table", "make"] == params["explained_methods"]
    assert params["models"] == {
        "my_vit": {"kind": "timm", "path": str(place / "nets/My ViT")},
        "table": {"kind": "predictions", "path": str(place / "table.csv")},
        "make": {
            "kind": "python",
            "path": f"{place / 'net.py'}:make",
            "weights": [str(place / "a.safetensors")],
            "checkpoints": [[str(place / "b")]],
        },
    }
    trained = {"train": {"model": "models.make"}}
    again = begin("photo_digits", ["make", "erm", "repair"], settings=trained)
    assert (again["active_methods"], again["models"]) == (["make", "erm", "repair"], params["models"])
    assert again["datasets"]["photo_digits"]["train"]["model"] == "models.make"
    assert begin("photo_digits", "package.nets:build")["models"]["build"]["path"] == "package.nets:build"
    (place / "mynet.py").touch()
    beside = begin("photo_digits", {"beside": "mynet:make"})["models"]["beside"]["path"]
    assert beside == f"{place / 'mynet.py'}:make"


def test_a_model_may_lie_below_the_home_folder(
    place: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place))
    save_timm(place / "net")
    entry = {"kind": "timm", "path": str(place / "net")}
    assert begin("photo_digits", "~/net")["models"]["net"] == entry


def test_a_mapping_names_models_and_another_of_a_name_is_refused(place: Path, started: Started) -> None:
    for name in ("one", "two"):
        save_timm(place / name / "net")
    params = begin("photo_digits", {"first": "one/net", "second": Path("two/net")})
    assert params["active_methods"] == ["first", "second"]
    begin("photo_digits", "one/net")
    before = Path("runs/params.yaml").read_bytes()
    with pytest.raises(InputError, match=r"another model 'net' \(.*/one/net\).*\{'net_2': \.\.\.\}"):
        audit.run("photo_digits", "two/net", folder="runs")
    with pytest.raises(InputError, match="two models are called 'net'"):
        audit.run("photo_digits", ["one/net", "two/net"], folder="runs")
    assert Path("runs/params.yaml").read_bytes() == before


def test_a_model_is_not_added_to_settings_of_a_users_own(place: Path, started: Started) -> None:
    save_timm(place / "net")
    assert main(["init", "runs"]) == 0
    before = Path("runs/params.yaml").read_bytes()
    with pytest.raises(InputError, match=r"type `shortcut-audit new-model net .*/net`, then give its name"):
        audit.run("photo_digits", "net", folder="runs")
    assert Path("runs/params.yaml").read_bytes() == before


def test_settings_of_a_users_own_are_run_and_never_written(place: Path, started: Started) -> None:
    assert main(["init", "runs"]) == 0
    before = Path("runs/params.yaml").read_bytes()
    begin("photo_digits", ["erm", "jtt"])
    assert started.calls == [(place / "runs", ["report@photo_digits"])]
    save_classes(place / "birds")
    for arguments, options, says in (
        (("cifar100",), {}, r"write `active: \[photo_digits, cifar100\]`"),
        (("photo_digits", "rwg"), {}, r"write `active_methods: \[erm, .*, rwg\]`"),
        (("photo_digits",), {"settings": {"train": {"epochs": 1}}}, "write the settings into"),
        (("birds",), {}, "new-dataset birds PATH"),
    ):
        with pytest.raises(InputError, match=says):
            audit.run(*arguments, folder="runs", **options)
    assert Path("runs/params.yaml").read_bytes() == before


def test_what_a_run_wrote_is_the_users_once_it_is_edited(place: Path, started: Started) -> None:
    begin("photo_digits")
    path = Path("runs/params.yaml")
    path.write_text(path.read_text().replace("epochs: 10", "epochs: 11"))
    before = path.read_bytes()
    with pytest.raises(InputError, match="write the settings into"):
        audit.run("photo_digits", folder="runs", settings={"train": {"epochs": 1}})
    assert path.read_bytes() == before


def test_another_projects_stages_stop_it(place: Path, started: Started) -> None:
    Path("runs").mkdir()
    Path("runs/dvc.yaml").write_text("stages:\n  train: {cmd: python train.py}\n")
    with pytest.raises(InputError, match="another project's"):
        audit.run("photo_digits", folder="runs")
    assert [path.name for path in Path("runs").iterdir()] == ["dvc.yaml"]


def kinds(kind: type[PipelineError] = PipelineError) -> list[type[PipelineError]]:
    return [kind, *(found for narrower in kind.__subclasses__() for found in kinds(narrower))]


@pytest.mark.parametrize("kind", kinds())
def test_every_error_arrives_as_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    from pipeline.artifacts.handed_over import hand_over

    hand_over(kind("nobody asked"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "error.json"))
    hand_over(kind("two\nlines: “é”"))
    found = take_over(tmp_path / "error.json")
    assert type(found) is kind
    assert str(found) == "two\nlines: “é”"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"kind": "SystemExit", "message": ""}', '{"kind": "InputError"}']
)
def test_what_is_no_error_of_ours_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    assert take_over(tmp_path / "e.json") is None
    assert take_over(tmp_path / "none.json") is None


def project(folder: Path, command: str) -> Path:
    """One with one stage, in the place of an audit's."""
    assert main(["init", str(folder)]) == 0
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"one": {"cmd": command, "outs": ["made"]}}}))
    return folder


@pytest.mark.slow
def test_errors_of_stages_are_raised_and_their_words_shown(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(place / "p", "shortcut-audit check")
    (folder / "params.yaml").write_text("extra: 1\n" + shipped("params.yaml"))
    with pytest.raises(InputError, match=r"^params\.yaml is not valid:\n  extra"):
        reproducing.reproduce(folder)
    assert "error: params.yaml is not valid" in capsys.readouterr().out
    folder = project(place / "q", "echo at work; exit 7")
    with pytest.raises(TaskError, match=r"(?s)ended with status.*at work"):
        reproducing.reproduce(folder)
    assert "at work" in capsys.readouterr().out
    assert Path.cwd() == place


@pytest.mark.slow
def test_who_is_interrupted_leaves_nothing_running(place: Path) -> None:
    folder = project(place / "p", "echo $$ > ../pid; sleep 100")
    timer = threading.Thread(target=interrupt_when, args=(place / "pid",))
    timer.start()
    # a shell that starts something in the background has it ignore interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            reproducing.reproduce(folder)
    finally:
        signal.signal(signal.SIGINT, before)
    timer.join()
    pid = int((place / "pid").read_text())
    for _ in range(100):
        if not is_running(pid):
            return
        time.sleep(0.1)
    pytest.fail("the stage is still running")


def interrupt_when(path: Path) -> None:
    while not (path.exists() and path.read_text()):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_without_the_command_it_is_said_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproducing.sysconfig, "get_path", lambda _: str(place))
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(InputError, match="pip install shortcut-audit"):
        reproducing.reproduce(place)
