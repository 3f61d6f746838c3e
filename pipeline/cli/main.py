"""`python -m pipeline`: the stages as dvc.yaml runs them, and what people run by hand."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts.handed_over import hand_over
from pipeline.cli.gate_options import add_gate_options
from pipeline.core.errors import PipelineError
from pipeline.core.memory import keep_freed_memory, loaded
from pipeline.methods.registry import parse_method
from pipeline.methods.workers_ahead import begin_training_workers

DATASET_STAGES = {
    "data": "obtain a dataset and pack it",
    "color": "measure color bias",
    "hygiene": "duplicates, leakage, odd images",
    "cues": "what alone gives the class away: file facts, parts and properties of the pixels",
    "groups": "which group each image is in: annotated attributes, or one read off the border",
    "verdict": "judge what the other stages found",
    "report": "render reports/<dataset>.html and .json",
}
METHOD_STAGES = {
    "train": "train every seed of a method",
    "evaluate": "accuracy per group, interventions",
    "retrain": "train on parts of the images, to check attributions",
    "attribute": "TRAK attributions",
    "gradcam": "GradCAM maps and their energy in the mask",
    "indicators": "how a method generalizes beyond accuracy, group by group",
}

CANNOT_JUDGE = 2  # of `gate`, whose 1 says that a threshold was missed; argparse leaves with 2, too


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors a user can act on are printed without a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        hand_over(error)
        return CANNOT_JUDGE if options.command == "gate" else 1
    except KeyboardInterrupt:
        print("interrupted; run `dvc repro` to go on from the last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shortcut-audit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {**DATASET_STAGES, **METHOD_STAGES}.items():
        stage = commands.add_parser(name, help=text)
        stage.add_argument("dataset")
        if name in METHOD_STAGES:
            stage.add_argument("method", type=_method, help="by key or label, for example repair")
    commands.add_parser("plan", help="what each stage is to do; stops where a run would delete your files")
    commands.add_parser("index", help="render reports/index.html over all reports")
    check = commands.add_parser("check", help="validate params.yaml and look at the active datasets' sources")
    check.add_argument(
        "--write-schema", action="store_true", help="write params.schema.json, which editors use, anew"
    )
    _add_looks_ahead(commands)
    init = commands.add_parser(
        "init", help="write dvc.yaml, params.yaml and DVC's settings into a folder, never over a file"
    )
    init.add_argument("folder", type=Path, nargs="?", default=Path(), help="made where it is not there; .")
    init.add_argument("--show", metavar="FILE", help="print what init would write as FILE, and write nothing")
    new = commands.add_parser("new-dataset", help="add images, however they are kept, to params.yaml")
    new.add_argument("name", help="a-z, 0-9 and _")
    new.add_argument(
        "path",
        type=Path,
        help="class folders, a table or its folder, Parquet or tar shards, an .npz, a root of torchvision",
    )
    new.add_argument("--file-column", help="of file names, or of the images themselves")
    new.add_argument("--label-column")
    new.add_argument("--split-column")
    new.add_argument("--attribute-column", action="append", help="may be given several times")
    new.add_argument(
        "--group-column", help='scene, patient, camera or video: kept together in splits; "" = none'
    )
    new.add_argument(
        "--split",
        action="append",
        metavar="PLACE=NAMES",
        help="what a split column's values or split folders mean: --split train=a,b --split test=c; PLACE is "
        "train, val, test or leave_out",
    )
    new.add_argument("--no-split", action="store_true", help="no column and no folder is a split")
    new.add_argument("--split-level", type=int, help="which folders are splits; 1: those in PATH")
    new.add_argument("--label-level", type=int, help="which folders (below the splits) are classes")
    new.add_argument("--attribute-level", type=int, help="which folders form the groups")
    new.add_argument(
        "--keep-names", action="store_true", help="names that differ in case or spaces alone stay apart"
    )
    new.add_argument("--image-size", type=int)
    new.add_argument("--overwrite", action="store_true", help="replace an entry of this name")
    new.add_argument("--activate", action="store_true", help="make it the only active dataset")
    new.add_argument("--no-scan", action="store_true", help="do not open every image")
    new.add_argument("--skip-unreadable", action="store_true", help="leave images out that cannot be read")
    new.add_argument("--no-timing", action="store_true", help="do not time a few training steps")
    _add_new_model(commands)
    compare = commands.add_parser("compare", help="two reports, revisions or methods side by side")
    compare.add_argument(
        "first", help="reports/<dataset>.json, or reports/<dataset>.json:METHOD, by key or label"
    )
    compare.add_argument("second", help="differences are second minus first")
    compare.add_argument("--json", type=Path, help="write the comparison as JSON")
    compare.add_argument("--html", type=Path, help="write the comparison as a page")
    compare.add_argument("--markdown", type=Path, help="write the comparison for a pull request")
    gate = commands.add_parser(
        "gate",
        help="exit with 1 where a report misses a threshold, for CI",
        description="Judge finished reports. Exit status: 0 every threshold is met, 1 one is missed, 2 it "
        "cannot be judged. Thresholds are fractions (0.8 is 80 %); flags win over params.yaml.",
    )
    add_gate_options(gate)
    export = commands.add_parser("export", help="a report's tables, figures and cards as files")
    export.add_argument("report", type=Path, help="reports/<dataset>.json")
    export.add_argument("--to", type=Path, help="folder, replaced as a whole; reports/export/<dataset>")
    return parser


def _add_looks_ahead(commands: Any) -> None:
    """What is run by hand before hours are spent."""
    ahead = commands.add_parser(
        "preflight", help="group sizes, questions that can be answered and minutes, before a dataset is run"
    )
    ahead.add_argument("dataset")
    ahead.add_argument("--no-timing", action="store_true", help="do not time a few training steps")
    rate = commands.add_parser(
        "find-lr", help="suggest a learning rate by short trainings at growing rates; writes nothing"
    )
    rate.add_argument("dataset")
    rate.add_argument("method", type=_method, help="by key or label, for example erm")


def _add_new_model(commands: Any) -> None:
    model = commands.add_parser("new-model", help="add a model that was trained elsewhere to params.yaml")
    model.add_argument("name", help="a-z, 0-9 and _")
    model.add_argument(
        "path",
        help="table of predictions, folder of timm or Hugging Face, or file.py:function or module:function",
    )
    model.add_argument("--weights", action="append", help="one file for each seed; given several times")
    model.add_argument("--classes", nargs="+", help="the class of each output, in their order")
    model.add_argument(
        "--set",
        action="append",
        metavar="KEY=VALUE",
        help="a further key of the entry, such as columns.image=photo or input_size=224; given several times",
    )
    model.add_argument("--to-train", action="store_true", help="methods shall train it: it needs no weights")
    model.add_argument("--dataset", help="that it is tried on; the first active one")
    model.add_argument("--overwrite", action="store_true", help="replace an entry of this name")


def _method(text: str) -> str:
    """A method, or a model of `params.yaml`."""
    try:
        return parse_method(text)
    except ValueError as error:
        brought = _brought()
        if text in brought:
            return text
        models = f"; of `models` in params.yaml: {', '.join(brought)}" if brought else ""
        raise argparse.ArgumentTypeError(f"{error}{models}") from None


def _brought() -> list[str]:
    """Names of `models`; none where params.yaml says something wrong, which the command will say."""
    try:
        return list(_load("pipeline.plan.params_file").read_params().models)
    except PipelineError:
        return []


def _dispatch(options: argparse.Namespace) -> int:
    command: str = options.command
    # imported late: `--help` and `check` should not wait for torch
    if command in METHOD_STAGES:
        keep_freed_memory()  # all of them run networks
        if command == "train":
            begin_training_workers(options.method)
        _run_stage(command, options.dataset, options.method)
    elif command in DATASET_STAGES:
        _run_stage(command, options.dataset)
    elif command in ("plan", "index"):
        _load(f"pipeline.stages.{command}").run()
    elif command == "check":
        _load("pipeline.cli.check").run(writes_schema=options.write_schema)
    elif command == "init":
        _load("pipeline.cli.init").run(options.folder, show=options.show)
    elif command == "gate":
        status: int = _load("pipeline.cli.gate").run(options)
        return status
    else:
        if command == "find-lr":
            keep_freed_memory()
        _load(f"pipeline.cli.{command.replace('-', '_')}").run(options)
    return 0


def _run_stage(stage: str, *names: str) -> None:
    if not os.environ.get("DVC_STAGE"):  # by hand: DVC has the stage `plan` for it
        _load("pipeline.plan.write").refresh(stage, *names)
    _load(f"pipeline.stages.{stage}").run(*names)


def _load(name: str) -> Any:
    module = importlib.import_module(name)
    loaded()
    return module
