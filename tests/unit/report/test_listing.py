"""Every list that a report speaks of is complete, with file names, in the JSON, the export and the page."""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from pipeline.core.words import count
from pipeline.records.lists import list_key
from pipeline.records.report import Report
from pipeline.records.training import LeftOut
from pipeline.report.export.tables import build_tables
from pipeline.report.listing import Samples
from pipeline.report.page import view_lists
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from tests.fixtures.planted.audit import audit_data
from tests.fixtures.planted.data import Planted
from tests.fixtures.report import ReportInputs, bare, build_report, photo_birds, repaired_birds


@cache
def birds() -> tuple[ReportInputs, Report]:
    inputs = photo_birds()
    return inputs, build_report(inputs)


def test_lists_hold_as_many_images_as_the_page_counts() -> None:
    inputs, s = birds()
    for method, traced in inputs.attributions.items():
        assert traced.label_errors
        for found in traced.label_errors.lists:
            listed = s.lists[list_key("suspected", method, found.ranking)]
            assert len(listed.ids) == found.n_suspects
        for side in ("harmful", "helpful"):
            n = {getattr(share, side).n for share in traced.shares}
            assert n == {len(s.lists[list_key(side, method)].ids)}, "shares are counted among the listed"
    assert s.hygiene
    for kind in s.hygiene.duplicates:
        sets = [s.lists[key].columns["set"] for key in s.lists if key == list_key("duplicates", kind.kind)]
        assert len({n for found in sets for n in found}) == kind.n_sets
        leaking = s.lists.get(list_key("leaking", kind.kind))
        assert (len(set(leaking.ids)) if leaking else 0) == kind.n_leaking
    for issue in s.hygiene.issues:
        listed = s.lists.get(list_key("odd", issue.name))
        assert (len(listed.ids) if listed else 0) == issue.n


def test_planted_twins_are_listed_with_the_training_image_that_they_repeat() -> None:
    _, s = birds()
    packed = audit_data(Planted()).packed
    leaking = s.lists["leaking_exact"]
    assert len(leaking.ids) == Planted().twins == 3
    for test, twin in zip(leaking.ids, leaking.columns["twin"], strict=True):
        of_test, of_train = packed.test.ids == test, packed.train.ids == twin
        assert (packed.test.images[of_test] == packed.train.images[of_train]).all()
        assert s.listed.files[s.listed.ids.index(test)].startswith("test/twin_")


def test_without_twins_no_list_of_them() -> None:
    assert not [key for key in build_report(bare()).lists if key.startswith(("harmful", "suspected", "fail"))]
    data = audit_data(Planted(twins=0)).hygiene
    assert [kind.sets for kind in data.duplicates] == [[]]


def test_failures_are_the_images_that_most_seeds_get_wrong() -> None:
    inputs, s = birds()
    test = audit_data(Planted()).packed.test
    for method, outcome in inputs.outcomes.items():
        wrong = test.ids[(outcome.predicted_SN != test.labels).mean(axis=0) > 0.5]
        listed = s.lists[list_key("failures", method)]
        assert sorted(listed.ids) == wrong.tolist()
        labels = {image: int(test.labels[test.ids == image][0]) for image in listed.ids}
        predicted = dict(zip(listed.ids, listed.columns["predicted"], strict=True))
        assert all(predicted[image] != label for image, label in labels.items())


def test_every_listed_image_has_its_own_file_and_group() -> None:
    _, s = birds()
    splits = audit_data(Planted()).packed.splits
    everything = Samples.of(splits)
    assert set(s.listed.ids) == {image for listed in s.lists.values() for image in listed.ids}
    for image, file, split, label, group in zip(
        s.listed.ids, s.listed.files, s.listed.splits, s.listed.labels, s.listed.groups, strict=True
    ):
        assert file == everything.files[image]
        assert file.startswith(split)
        assert (label, group) == (everything.labels_N[image], everything.groups_N[image])
    for listed in s.lists.values():
        assert all(len(cells) == len(listed.ids) for cells in listed.columns.values())


def test_known_wrong_labels_are_marked_in_every_list() -> None:
    _, s = birds()
    wrong = dict(zip(s.listed.ids, s.listed.known_wrong or [], strict=True))
    flipped = {i for split in audit_data(Planted()).packed.splits for i in _flipped(split)}
    assert {image for image, is_wrong in wrong.items() if is_wrong} == flipped & set(s.listed.ids)
    assert flipped & set(s.listed.ids), "the planted ones are suspected"


def _flipped(split: Any) -> list[int]:
    return [] if split.label_flipped is None else split.ids[split.label_flipped].tolist()


def test_a_step_speaks_of_exactly_what_its_lists_hold() -> None:
    _, s = birds()
    steps = [step for step in s.verdict.next_steps if step.lists]
    kinds = {s.lists[key].kind for step in steps for key in step.lists}
    assert {"suspected", "leaking"} <= kinds
    for step in steps:
        for key in step.lists:
            n = len(dict.fromkeys(s.lists[key].ids))
            n = len(set(s.lists[key].columns["set"])) if s.lists[key].kind == "contradicting" else n
            assert count(n) in re.findall(r"\d[\d,]*", step.action), (step.action, key, n)


def test_what_was_left_out_is_listed_seed_by_seed_where_seeds_differ() -> None:
    inputs = repaired_birds()
    history = inputs.histories["repair"]
    assert history.removal
    left_out = [LeftOut(kind="repair", ids=[5, 3])]
    left_out += [LeftOut(kind="random", seed=seed, ids=[seed, seed + 7]) for seed in (0, 1)]
    removal = history.removal.model_copy(update={"left_out": left_out})
    told = history.model_copy(update={"removal": removal})
    s = build_report(ReportInputs(**{**vars(inputs), "histories": {**inputs.histories, "repair": told}}))
    assert s.lists["removed_repair"].ids == [5, 3], "in the order in which they were chosen"
    assert s.lists["removed_repair"].columns == {}
    assert s.lists["removed_repair_random"].ids == [0, 7, 1, 8]
    assert s.lists["removed_repair_random"].columns == {"seed": [0, 0, 1, 1]}
    kept = s.training["repair"].removal
    assert kept
    assert kept.left_out == [], "once is enough"


def test_an_export_has_every_list_as_a_table() -> None:
    _, s = birds()
    tables = {table.name: table.frame() for table in build_tables(s)}
    for key, listed in s.lists.items():
        frame = tables[f"list_{key}"]
        assert frame["image"].tolist() == listed.ids
        assert frame["rank"].tolist() == list(range(1, len(listed.ids) + 1))
        assert frame["file"].notna().all()
        assert set(frame["label"]) <= set(s.dataset.classes)
    suggested = tables["list_suspected_erm_aum"]["suggested"]
    assert set(suggested) <= set(s.dataset.classes), "names, not numbers"


def carried(html: str) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'id="lists" data-name="\w+">([^<]+)</script>', html)
    assert found
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return data


def test_the_page_carries_every_list() -> None:
    _, s = birds()
    data = carried(render_report(s, Pictures()))
    assert set(data["lists"]) == set(s.lists)
    for key, listed in s.lists.items():
        places = data["lists"][key]["places"]
        assert [data["image"][place] for place in places] == listed.ids
        assert data["lists"][key]["columns"] == listed.columns
    row = s.listed.ids.index(data["image"][0])
    assert data["file"][0] == s.listed.files[row]


def test_lists_that_a_page_cannot_carry_are_named_with_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, s = birds()
    whole = len(view_lists.ListsView(s).data)
    monkeypatch.setattr(view_lists, "LISTS_BUDGET", int(0.6 * whole))
    html = render_report(s, Pictures())
    data = carried(html)
    missing = set(s.lists) - set(data["lists"])
    assert missing
    assert min(len(s.lists[key].ids) for key in missing) >= max(
        len(s.lists[key].ids) for key in data["lists"]
    ), "the largest go first"
    key = next(key for key in missing if s.lists[key].kind != "behind")
    n = len(s.lists[key].ids)
    assert f"All {count(n)} are too many for this page: they are <code>lists.{key}</code> of the JSON" in html


def test_a_list_of_nothing_is_no_list() -> None:
    inputs, s = birds()
    right = {
        m: type(o)(o.ids_N, np.repeat(audit_data(Planted()).packed.test.labels[None], 2, axis=0))
        for m, o in inputs.outcomes.items()
    }
    told = build_report(ReportInputs(**{**vars(inputs), "outcomes": right}))
    assert "failures_erm" in s.lists
    assert "failures_erm" not in told.lists
