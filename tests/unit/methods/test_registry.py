"""Names of methods: which there are, and what is said of others."""

from __future__ import annotations

import pytest

from pipeline.methods.registry import check_name, method_names


def test_names_are_known_and_others_are_answered_with_what_was_meant() -> None:
    assert all(check_name(name) == name for name in method_names())
    with pytest.raises(
        ValueError, match=r"not a training method; did you mean 'rwg'\? Known: erm, group_dro"
    ):
        check_name("rwgg")
    with pytest.raises(ValueError, match=r"not a training method\. Known: erm"):
        check_name("")
