"""The gallery says of an image what the baseline and its own pixels say, and what was left out for it."""

from __future__ import annotations

import json

import pytest

from pipeline.records.report import Report
from pipeline.report.page.gallery import gallery_ids, gallery_lists, kinds_shown, make_gallery
from tests import ROOT


@pytest.fixture(scope="module")
def sample() -> Report:
    path = ROOT / "docs" / "sample" / "photo_digits.json"
    return Report.model_validate(json.loads(path.read_text()))


def test_no_image_both_hurts_and_helps_one_worst_group(sample: Report) -> None:
    cards = make_gallery(sample, gallery_ids(sample))
    assert len(cards) > 50
    assert not [card.id for card in cards if {"harmful", "helpful"} <= set(card.kinds)]
    other = sample.lists["helpful_group_dro"].ids
    assert set(other) & set(sample.lists["harmful_erm"].ids), "another method's worst group is another one"


def test_a_control_leaves_out_what_the_draw_brings_and_is_no_mark_of_an_image(sample: Report) -> None:
    removed = set(sample.lists["removed_repair"].ids)
    drawn = set(sample.lists["removed_repair_random"].ids) - removed
    marked = {card.id for card in make_gallery(sample, gallery_ids(sample)) if "removed" in card.kinds}
    assert marked <= removed
    assert drawn
    assert {found.kind for found in gallery_lists(sample)} >= {"harmful", "suspected", "removed", "failures"}


def test_only_kinds_with_cards_can_be_chosen(sample: Report) -> None:
    cards = make_gallery(sample, sample.lists["harmful_erm"].ids)
    assert "failures" not in kinds_shown(cards)
    assert "harmful" in kinds_shown(cards)


def test_a_card_knows_whether_its_label_is_wrong_where_that_is_known(sample: Report) -> None:
    known = sample.listed.known_wrong
    assert known is not None
    wrong = {image for image, is_wrong in zip(sample.listed.ids, known, strict=True) if is_wrong}
    cards = make_gallery(sample, gallery_ids(sample))
    assert {card.id for card in cards if card.known_wrong} == wrong & {card.id for card in cards} != set()
    untold = sample.model_copy(update={"listed": sample.listed.model_copy(update={"known_wrong": None})})
    assert {card.known_wrong for card in make_gallery(untold, gallery_ids(untold))} == {None}
