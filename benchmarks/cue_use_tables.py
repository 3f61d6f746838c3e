"""What `cue_use` keeps of a network, and its table of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.cue_discovery.expected import ACCEPTED
from benchmarks.cue_discovery.tables import share
from pipeline.records.evaluation import CueUseFound
from pipeline.statistics.intervals import wilson

Entry = dict[str, Any]  # of one network: the task, images right of n, and its cues
LEARNED = 0.65  # right of all test images: half of what a cue of kappa .6 tells, where nothing else is told
CHANCE = 0.5


def describe(cue: CueUseFound, used: str, kind: str) -> Entry:
    """The numbers that `used` follows from, as JSON has them."""
    exchange = cue.exchange
    return {
        "name": cue.name,
        "planted": cue.name in ACCEPTED[kind],
        "content": cue.may_be_content,
        "used": used,
        "carried": None if cue.carried is None else cue.carried.value,
        "natural": None if cue.natural is None else cue.natural.value,
        "size": None if exchange is None else [exchange.size.value, exchange.size.low, exchange.size.high],
        "ways": None if exchange is None else [exchange.up.value, exchange.down.value],
        "why_not": cue.why_not,
    }


def lines(entry: Entry) -> list[str]:
    """One for each cue that was exchanged."""
    head = "{base:13} {kind:9} {condition:6} {seed}".format(**entry) + f" {entry['right'] / entry['n']:.2f}"
    return [f"{head} {_cue_line(cue)}" for cue in entry["cues"]] or [f"{head} no cue found"]


def _cue_line(cue: Entry) -> str:
    size, ways = cue["size"], cue["ways"]
    shift = "-"
    if size is not None:
        shift = f"{size[0]:+.2f} [{size[1]:+.2f}, {size[2]:+.2f}] {ways[0]:+.2f}/{ways[1]:+.2f}"
    carried = "-" if cue["carried"] is None else f"{cue['carried']:.2f}"
    natural = "-" if cue["natural"] is None else f"{cue['natural']:+.2f}"
    whose = "planted" if cue["planted"] else "content" if cue["content"] else "other"
    return f"{cue['name']:12} {whose:7} {carried:5} {shift:33} {natural:5} {cue['used']}"


def learned(entry: Entry) -> str:
    """How much of the cue the network learned, where labels tell nothing else: by its accuracy."""
    if entry["condition"] != "used":
        return "content"
    if entry["right"] / entry["n"] >= LEARNED:
        return "the cue"
    return "part of it" if wilson(entry["right"], entry["n"])[0] > CHANCE else "nothing"


def planted_answer(entry: Entry) -> str:
    """What is said of the planted cue; of several of its family, the most that is said of one."""
    said = {cue["used"] for cue in entry["cues"] if cue["planted"]}
    return next((answer for answer in ("yes", "no", "insufficient") if answer in said), "not found")


def answer_table(entries: Sequence[Entry]) -> str:
    """Answers about the planted cue, a row for each base, condition and how much was learned."""
    head = [
        "images",
        "networks",
        "learned",
        "planted cue",
        "yes",
        "no",
        "insufficient",
        "not found",
        "other yes",
    ]
    rows = [head, ["---"] * len(head)]
    keys = sorted({(e["condition"], learned(e), e["base"]) for e in entries}, reverse=True)
    for condition, what, base in keys:
        own = [e for e in entries if (e["condition"], learned(e), e["base"]) == (condition, what, base)]
        for kind in [*dict.fromkeys(e["kind"] for e in own), "all"]:
            cell = [e for e in own if kind in ("all", e["kind"])]
            rows.append([base, condition, what, kind, *_answer_cells(cell)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _answer_cells(entries: Sequence[Entry]) -> list[str]:
    answers = [planted_answer(entry) for entry in entries]
    others = sum(
        any(c["used"] == "yes" and not c["planted"] and not c["content"] for c in e["cues"]) for e in entries
    )
    rest = [str(answers.count(answer)) for answer in ("no", "insufficient", "not found")]
    return [share(answers.count("yes"), len(entries)), *rest, share(others, len(entries))]
