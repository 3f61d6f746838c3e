"""Outcomes as lines of JSON, one data set a line: a run that was cut off goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cue_discovery.examine import Finding
from benchmarks.cue_discovery.tasks import Null, Outcome, Planted, Task

KINDS_OF_TASK: dict[str, type[Task]] = {"planted": Planted, "null": Null}


@dataclass
class TaskLog:
    """Outcomes by base and number of images; kept in `path` as they come, in memory alone without one."""

    path: Path | None
    outcomes: dict[tuple[str, int, Task], Outcome] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> TaskLog:
        """What the file holds; a last line that was cut off is left out."""
        log = cls(path)
        for entry in read_lines(path):
            outcome = _outcome(entry)
            log.outcomes[entry["base"], entry["images"], outcome.task] = outcome
        return log

    def add(self, base: str, n_images: int, outcome: Outcome) -> None:
        self.outcomes[base, n_images, outcome.task] = outcome
        add_line(self.path, _entry(base, n_images, outcome))

    def of_base(self, base: str, n_images: int, tasks: list[Task]) -> list[Outcome]:
        """Those of `tasks` that have an outcome, in their order."""
        found = (self.outcomes.get((base, n_images, task)) for task in tasks)
        return [outcome for outcome in found if outcome is not None]


def read_lines(path: Path | None) -> list[dict[str, Any]]:
    """Entries of a file of JSON lines that is there; a last line that was cut off is left out."""
    if path is None or not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def add_line(path: Path | None, entry: dict[str, Any]) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _entry(base: str, n_images: int, outcome: Outcome) -> dict[str, Any]:
    kind = next(name for name, of in KINDS_OF_TASK.items() if type(outcome.task) is of)
    return {
        "base": base,
        "images": n_images,
        "task": kind,
        **outcome.task._asdict(),
        "named": [finding._asdict() for finding in outcome.named],
    }


def _outcome(entry: dict[str, Any]) -> Outcome:
    of = KINDS_OF_TASK[entry["task"]]
    task = of(*(entry[name] for name in of._fields))
    return Outcome(task, [Finding(**finding) for finding in entry["named"]])
