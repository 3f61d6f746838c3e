"""`python -m pipeline compare`: planted gains are found, nulls are not, and bad input is explained."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pipeline.artifacts.files import load_artifact, save_artifact
from pipeline.cli.main import main
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import GroupComparison
from pipeline.records.report import Report
from pipeline.report.compare.chart import draw_changes
from pipeline.report.compare.reports import Comparison, Difference, MethodPair, _listed, _row
from pipeline.report.compare.text import printable
from pipeline.report.compare.words import finding
from pipeline.verdict.evidence.rules import printed
from tests.fixtures.planted.outcomes import measured
from tests.fixtures.report import (
    HOSTILE_CLASS,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    judge_correct,
    photo_birds,
    plain_hundred,
)

ERM = [0.985, 0.78, 0.62, 0.95]
DRO = [0.94, 0.90, 0.84, 0.90]


def write_project(
    root: Path, accuracies: dict[str, list[float]], *, inputs: ReportInputs | None = None, draw: int = 0
) -> Path:
    """A project folder with one report and the predictions it was made from, drawn at these accuracies.

    Half of what decides is the image, the same for every method and draw: hard images are hard for all.
    """
    inputs = inputs or photo_birds()
    groups_N = np.repeat(np.arange(len(inputs.info.groups)), [g.n_test for g in inputs.info.groups])
    hardness_N = np.random.default_rng(99).normal(size=len(groups_N))
    correct = {}
    for method, accuracy in accuracies.items():
        rng = np.random.default_rng([draw, len(method)])
        luck_SN = norm.cdf((hardness_N + rng.normal(size=(3, len(groups_N)))) / np.sqrt(2))
        correct[method] = luck_SN < np.array(accuracy)[groups_N]
        write_predictions(root, inputs.info.name, method, correct[method], groups_N)
    path = root / "reports" / f"{inputs.info.name}.json"
    save_artifact(path, build_report(judge_correct(inputs, correct)))
    return path


def write_predictions(
    root: Path, dataset: str, method: str, correct_SN: np.ndarray, groups_N: np.ndarray
) -> None:
    labels_N = groups_N // 2
    tables = [
        pd.DataFrame(
            {
                "split": "test",
                "seed": seed,
                "id": np.arange(len(labels_N)),
                "label": labels_N,
                "group": groups_N,
                "predicted": np.where(correct_N, labels_N, 1 - labels_N),
                "correct": correct_N,
            }
        )
        for seed, correct_N in enumerate(correct_SN)
    ]
    path = root / "evaluation" / dataset / method / "predictions.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_parquet(path, index=False)


def compare(tmp_path: Path, first: str, second: str) -> Comparison:
    out = tmp_path / "out.json"
    assert main(["compare", first, second, "--json", str(out)]) == 0
    return load_artifact(out, Comparison)


def row(pair: MethodPair, name: str) -> Difference:
    return next(r for r in [*pair.overall, *pair.groups] if r.name == name)


def way(difference: Estimate) -> str:
    """What an interval says of a change."""
    return "higher" if difference.low > 0 else "lower" if difference.high < 0 else "open"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"), {"erm": ERM, "group_dro": DRO})


def test_two_methods_of_one_report_are_paired_over_images(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(tmp_path, f"{report}:erm", f"{report}:group_dro")
    (pair,) = found.pairs
    assert pair.paired
    worst = row(pair, "worst_group")
    assert worst.paired
    assert worst.difference.value == pytest.approx(0.22, abs=0.05)
    assert 0 < worst.difference.low < worst.difference.value < worst.difference.high
    names = [g.name for g in load_artifact(report, Report).dataset.groups]
    assert [r.name for r in pair.groups] == names
    for r in [*pair.overall, *pair.groups]:
        assert r.difference.value == pytest.approx(r.second.value - r.first.value)
        assert r.difference.low <= r.difference.value <= r.difference.high
    assert [(c.rung, c.first) for c in found.changed_rungs] == [("used", "yes"), ("harmful", "yes")]
    assert [r.shows for r in pair.groups] == ["lower", "higher", "higher", "open"]
    assert [way(r.difference) for r in pair.groups] == [r.shows for r in pair.groups]
    text = capsys.readouterr().out
    assert "points higher with Group DRO than with ERM; of 4 groups, 2 clearly better and 1 clearly w" in text
    assert "2 of 2 answers changed; asked of each of the two methods." in text


def test_the_same_revision_twice_differs_nowhere(report: Path, tmp_path: Path) -> None:
    again = write_project(tmp_path / "again", {"erm": ERM, "group_dro": DRO})
    found = compare(tmp_path, str(report), str(again))
    assert [(p.first.method, p.second.method) for p in found.pairs] == [
        ("erm", "erm"),
        ("group_dro", "group_dro"),
    ]
    for pair in found.pairs:
        assert pair.paired
        for r in [*pair.overall, *pair.groups]:
            assert r.difference.value == 0
            assert r.shows == "open"


def test_a_null_revision_is_no_discovery(report: Path, tmp_path: Path) -> None:
    redrawn = write_project(tmp_path / "redrawn", {"erm": ERM}, draw=9)
    (pair,) = compare(tmp_path, f"{report}:erm", str(redrawn)).pairs
    assert pair.paired
    assert all(r.shows == "open" for r in pair.groups)
    assert all(r.difference.low <= 0 <= r.difference.high for r in pair.overall)


def test_without_predictions_the_interval_is_wider_and_says_so(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = write_project(tmp_path, {"group_dro": DRO})  # which stores no comparison with ERM
    shutil.rmtree(tmp_path / "evaluation")
    (paired,) = compare(tmp_path, f"{report}:erm", f"{report}:group_dro").pairs
    (unpaired,) = compare(tmp_path, f"{report}:erm", f"{alone}:group_dro").pairs
    assert "Unpaired" in capsys.readouterr().out
    assert not unpaired.paired
    assert "has no evaluation/photo_birds/group_dro/predictions.parquet" in unpaired.pairing
    assert not any(r.paired for r in [*unpaired.overall, *unpaired.groups])
    wide, narrow = (row(pair, "worst_group").difference for pair in (unpaired, paired))
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_a_report_alone_still_has_the_comparisons_it_stored(tmp_path: Path) -> None:
    summary = build_report(photo_birds())
    (stored,) = summary.verdict.comparisons
    names = [g.name for g in summary.dataset.groups]
    tests = summary.methods
    gains = [
        {"value": after.value - before.value, "low": -0.5, "high": 0.5, "n": 99}
        for before, after in zip(tests["erm"].test.groups, tests["group_dro"].test.groups, strict=True)
    ]
    tested = {"p_value": 0.01, "p_holm": 0.03, "sufficient": True}
    groups = [
        {"index": i, "name": name, "gain": gains[i], "alone": gains[i], **tested}
        for i, name in enumerate(names)
    ]
    updated = type(stored).model_validate(stored.model_dump() | {"groups": groups})
    verdict = summary.verdict.model_copy(update={"comparisons": [updated]})
    path = tmp_path / "reports" / "photo_birds.json"
    save_artifact(path, summary.model_copy(update={"verdict": verdict}))
    (pair,) = compare(tmp_path, f"{path}:erm", f"{path}:group_dro").pairs
    assert "as stored" in pair.pairing
    assert all(r.paired for r in pair.groups)
    assert row(pair, "average").paired


def test_what_is_called_clear_is_what_the_printed_interval_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A group's p-value asks about that group alone, so it can be small where the interval holds 0."""
    summary = build_report(photo_birds())
    (stored,) = summary.verdict.comparisons
    tests = summary.methods["erm"].test, summary.methods["group_dro"].test
    values = [
        after.value - before.value for before, after in zip(tests[0].groups, tests[1].groups, strict=True)
    ]
    widths = [1.02 * abs(values[0]), *(0.5 * abs(value) for value in values[1:])]
    groups = [
        GroupComparison(
            index=i,
            name=group.name,
            gain=Estimate(value=value, low=value - width, high=value + width, n=300),
            alone=Estimate(value=value, low=value, high=value, n=300),
            p_value=0.017,
            p_holm=0.019,
            sufficient=True,
        )
        for i, (group, value, width) in enumerate(zip(summary.dataset.groups, values, widths, strict=True))
    ]
    verdict = summary.verdict.model_copy(
        update={"comparisons": [stored.model_copy(update={"groups": groups})]}
    )
    path = tmp_path / "reports" / "photo_birds.json"
    save_artifact(path, summary.model_copy(update={"verdict": verdict}))
    page, markdown = tmp_path / "c.html", tmp_path / "c.md"
    flags = ["--html", str(page), "--markdown", str(markdown)]
    assert main(["compare", f"{path}:erm", f"{path}:group_dro", *flags]) == 0
    (pair,) = compare(tmp_path, f"{path}:erm", f"{path}:group_dro").pairs
    assert values[0] < 0
    assert [r.shows for r in pair.groups] == ["open", "higher", "higher", "lower"]
    assert "2 clearly better and 1 clearly worse" in finding(pair)
    for text in (capsys.readouterr().out, page.read_text(), markdown.read_text()):
        assert not re.search(r"0\.01[79]|Holm|Significance", text), "no second answer beside the interval"


@pytest.mark.parametrize("change", ["seed", "images", "stale", "groups"])
def test_results_of_other_images_are_never_paired(report: Path, tmp_path: Path, change: str) -> None:
    other = write_project(tmp_path / "other", {"erm": ERM}, draw=1)
    path = tmp_path / "other" / "evaluation" / "photo_birds" / "erm" / "predictions.parquet"
    table = pd.read_parquet(path)
    if change == "seed":
        table = table[table["seed"] < 2]
    if change == "images":
        table["id"] += 1
    if change == "stale":
        table.loc[:99, "predicted"] = 1 - table.loc[:99, "label"]
    if change == "groups":
        table["group"] = 3 - table["group"]
    table.to_parquet(path, index=False)
    (pair,) = compare(tmp_path, f"{report}:erm", f"{other}:erm").pairs
    assert not pair.paired
    expected = "another run" if change in ("seed", "stale") else "different test images"
    assert expected in pair.pairing


def test_changed_rungs_and_other_data_are_named(report: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine" / "reports" / "photo_birds.json"
    save_artifact(fine, build_report(photo_birds(planted=False)))
    found = compare(tmp_path, f"{report}:erm", str(fine))
    changed = {c.rung: (c.first, c.second) for c in found.changed_rungs}
    assert changed["available"] == ("yes", "no")
    assert len(changed) <= found.n_rungs == 5


def with_groups(path: Path, folder: Path, *, order: list[int], **changes: Any) -> Path:
    """The report with its groups in another order, and the last one changed."""
    summary = load_artifact(path, Report)
    erm = summary.methods["erm"]
    groups = [summary.dataset.groups[i] for i in order]
    groups[-1] = groups[-1].model_copy(update=changes)
    printed, measured = (
        [found[g].model_copy(update={"index": i, "name": groups[i].name}) for i, g in enumerate(order)]
        for found in (summary.verdict.methods["erm"].groups, erm.test.groups)
    )
    judged = summary.verdict.methods["erm"].model_copy(update={"groups": printed})
    test = erm.test.model_copy(update={"groups": measured})
    parts = {
        "dataset": summary.dataset.model_copy(update={"groups": groups}),
        "methods": {"erm": erm.model_copy(update={"test": test})},
        "verdict": summary.verdict.model_copy(update={"methods": {"erm": judged}}),
    }
    out = folder / "reports" / "photo_birds.json"
    save_artifact(out, summary.model_copy(update=parts))
    return out


def test_groups_of_one_side_only_are_listed(report: Path, tmp_path: Path) -> None:
    changed = with_groups(report, tmp_path, order=[0, 1, 2, 3], name="new", attribute="new")
    (pair,) = compare(tmp_path, f"{report}:erm", str(changed)).pairs
    assert len(pair.groups) == 3
    assert pair.only_first == [load_artifact(report, Report).dataset.groups[3].name]
    assert pair.only_second == ["new"]


def test_groups_are_matched_by_what_they_are_and_not_by_place_or_name(report: Path, tmp_path: Path) -> None:
    turned = with_groups(report, tmp_path / "a", order=[3, 1, 0, 2])
    (pair,) = compare(tmp_path, f"{report}:erm", str(turned)).pairs
    groups = load_artifact(report, Report).dataset.groups
    assert [r.name for r in pair.groups] == [g.name for g in groups]
    assert all(r.first.value == r.second.value for r in pair.groups)
    renamed = with_groups(report, tmp_path / "b", order=[0, 1, 2, 3], name="another name")
    (pair,) = compare(tmp_path, f"{report}:erm", str(renamed)).pairs
    assert len(pair.groups) == 4
    twin = with_groups(report, tmp_path / "c", order=[0, 1, 2, 3], name=groups[0].name)
    (pair,) = compare(tmp_path, str(twin), f"{report}:erm").pairs
    assert [r.name for r in pair.groups if groups[0].name in r.name] == [
        f"{groups[0].name} (“{groups[i].label}” and “{groups[i].attribute}”)" for i in (0, 3)
    ]
    assert all(r.first.value == r.second.value for r in pair.groups)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"title": "Birds again"}, ("Birds on photographs", "Birds again")),
        ({"name": "photo_birds_2"}, ("photo_birds", "photo_birds_2")),
        ({}, ("main", "pr")),  # the folders that their paths differ in
    ],
)
def test_the_sides_have_the_names_that_tell_them_apart(
    tmp_path: Path, change: dict[str, str], names: tuple[str, str]
) -> None:
    summary = build_report(photo_birds())
    info = summary.dataset.model_copy(update={"title": "Birds on photographs"})
    files = [tmp_path / folder / "reports" / "photo_birds.json" for folder in ("main", "pr")]
    for path, update in zip(files, ({}, change), strict=True):
        dataset = info.model_copy(update=update)
        save_artifact(path, summary.model_copy(update={"dataset": dataset}))
    out = {kind: tmp_path / f"out.{kind}" for kind in ("json", "html", "markdown")}
    flags = [part for kind, path in out.items() for part in (f"--{kind}", str(path))]
    assert main(["compare", *map(str, files), *flags]) == 0
    found = load_artifact(out["json"], Comparison)
    assert (found.first, found.second) == names
    assert {(pair.first.name, pair.second.name) for pair in found.pairs} == {names}
    page, markdown = (_Text(out["html"].read_text()).words, out["markdown"].read_text())
    for name in names:
        assert name in page
        assert f"| {name} |" in markdown.replace("&#95;", "_")
    shown = [word for word in [*page, markdown] if re.search(r"\b(First|Second)\b", word)]
    assert shown == []


def test_a_method_of_another_report_has_both_names(report: Path, tmp_path: Path) -> None:
    other = write_project(tmp_path / "pr", {"group_dro": DRO})
    (pair,) = compare(tmp_path, f"{report}:erm", f"{other}:group_dro").pairs
    assert (pair.first.name, pair.second.name) == (f"ERM of {report.parts[-3]}", "Group DRO of pr")


def test_the_chart_shows_what_changed_and_what_is_not_shown(report: Path, tmp_path: Path) -> None:
    (pair,) = compare(tmp_path, f"{report}:erm", f"{report}:group_dro").pairs
    chart = draw_changes(pair)
    assert chart is not None
    assert chart.title == finding(pair)
    assert [row.label for row in chart.rows[:2]] == ["Worst group", "Average"]
    assert chart.rows[0].detail == "waterbird / land"
    groups = {row.label: row.shows for row in chart.rows[2:]}
    assert groups == {r.name: r.shows for r in pair.groups}
    values = [float(row.value.replace("\u2212", "-")) for row in chart.rows[2:]]
    assert values == sorted(values, reverse=True)
    assert chart.note == ""
    same = pair.model_copy(update={"groups": pair.groups * 5})
    drawn = draw_changes(same)
    assert drawn is not None
    assert len(drawn.rows) == 8
    assert drawn.note == "14 more groups in the table."
    nothing = row(pair, "average").model_copy(update={"difference": Estimate(value=0, low=-1, high=1, n=0)})
    assert draw_changes(pair.model_copy(update={"overall": [nothing], "groups": []})) is None


def test_where_nothing_is_clear_the_finding_says_so(report: Path, tmp_path: Path) -> None:
    redrawn = write_project(tmp_path / "redrawn", {"erm": ERM}, draw=9)
    (pair,) = compare(tmp_path, f"{report}:erm", str(redrawn)).pairs
    assert finding(pair).startswith("No clear change of the worst group, ")
    assert finding(pair).endswith("; of 4 groups, none is clearly better or worse.")
    thin = pair.worst.model_copy(update={"sufficient": False})
    groups = [r.model_copy(update={"sufficient": False}) for r in pair.groups]
    few = pair.model_copy(update={"overall": [thin], "groups": groups})
    assert finding(few) == "Too few images to say what became of the worst group."


def test_unpaired_groups_are_clear_only_beyond_what_many_comparisons_bring() -> None:
    """An interval that just leaves out 0 is one of sixty that may do so by chance: printed ones know."""
    names = tuple(map(str, range(60)))
    test = measured((0.6,) * 60, (400,) * 60, names, (100,) * 60, 100)
    limits = photo_birds().limits

    def shows(n_groups: int) -> str:
        few = test.model_copy(update={"groups": test.groups[:n_groups], "considered": [*range(n_groups)]})
        alone = [
            GroupEstimate(value=v, low=v - 0.07, high=v + 0.07, n=400, index=0, name="a") for v in (0.6, 0.71)
        ]
        other = few.model_copy(update={"worst_group": few.worst_group.model_copy(update={"index": 1})})
        first, second = (printed(group, other, limits) for group in alone)
        return _row("a", (first, second), None).shows

    assert [shows(n) for n in (1, 60)] == ["higher", "open"]


class _Text(HTMLParser):
    """Tags and text, to see what a browser would make of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_self_contained_and_names_are_text(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "photo_birds.json"
    save_artifact(path, build_report(hostile_birds()))
    page_path, json_path = tmp_path / "page.html", tmp_path / "page.json"
    arguments = ["compare", f"{path}:erm", f"{path}:group_dro"]
    assert main([*arguments, "--html", str(page_path), "--json", str(json_path)]) == 0
    page = page_path.read_text()
    parsed = _Text(page)
    assert "script" not in parsed.tags
    assert HOSTILE_CLASS in "".join(parsed.words)
    assert "http" not in page.replace("http-equiv", "")
    assert len(page) < 100_000
    assert json.loads(json_path.read_text())["pairs"][0]["groups"][0]["name"].startswith(HOSTILE_CLASS)


def test_every_number_of_the_page_is_in_the_json(report: Path, tmp_path: Path) -> None:
    page_path, json_path = tmp_path / "page.html", tmp_path / "page.json"
    arguments = ["compare", f"{report}:erm", f"{report}:group_dro"]
    assert main([*arguments, "--html", str(page_path), "--json", str(json_path)]) == 0
    known = set(numbers(json.loads(json_path.read_text())))
    shown = [float(part.split('"')[0]) for part in page_path.read_text().split('<data value="')[1:]]
    assert len(shown) >= 3 * 9
    assert set(shown) <= known


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield float(value)


def test_a_name_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[31mred\x07\u202etxt\nb") == "a [31mred txt b"
    assert len(printable("x" * 300)) == 40


def test_small_groups_say_that_they_are_too_few_to_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a" / "reports" / "plain_hundred.json"
    save_artifact(path, build_report(plain_hundred()))
    copy = tmp_path / "b" / "reports" / "plain_hundred.json"
    save_artifact(copy, build_report(plain_hundred()))
    (pair,) = compare(tmp_path, str(path), str(copy)).pairs
    assert len(pair.groups) == 60
    assert not all(r.sufficient for r in pair.groups)
    assert "too few to decide" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("missing.json", "there is no such report"),
        ("{report}:jtt", "'jtt' is not a method. Known: ERM (erm) and Group DRO (group_dro)"),
        ("{report}", "compared with itself"),
        ("{old}", "schema version 1, this code reads"),
        ("{broken}", "not valid JSON"),
        ("{card}", "is not a Report"),
        ("{hundred}", "have no group in common"),
        ("{bare}", "no method in common"),
        ("{folder}", "there is no such report"),
    ],
)
def test_what_cannot_be_compared_is_explained(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], second: str, message: str
) -> None:
    raw = json.loads(report.read_text())
    (tmp_path / "old.json").write_text(json.dumps(raw | {"schema_version": 1}))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "card.json").write_text(json.dumps({"schema_version": raw["schema_version"]}))
    save_artifact(tmp_path / "hundred.json", build_report(plain_hundred()))
    save_artifact(tmp_path / "bare.json", build_report(bare()))
    names = {name: tmp_path / f"{name}.json" for name in ("old", "broken", "card", "hundred", "bare")}
    target = second.format(report=report, folder=tmp_path, **names)
    assert main(["compare", str(report), target]) == 1
    assert message in capsys.readouterr().err


def test_a_damaged_table_of_predictions_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_project(tmp_path, {"erm": ERM, "group_dro": DRO})
    (tmp_path / "evaluation" / "photo_birds" / "erm" / "predictions.parquet").write_bytes(b"PAR1")
    assert main(["compare", f"{path}:erm", f"{path}:group_dro"]) == 1
    assert "is not a table of predictions" in capsys.readouterr().err


def test_names_in_an_error_cannot_command_a_terminal() -> None:
    found = _listed(["a\x1b[31m\n::error::b", "\u202ec"])
    assert found.startswith("“a [31m ::error::b”")
    assert not set(found) & {"\x1b", "\n", "\u202e"}
