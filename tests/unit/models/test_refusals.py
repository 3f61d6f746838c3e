"""What timm's networks do not take is an error that names the setting."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import InputError
from tests.fixtures.zoo import VIT, build_small


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            VIT,
            {"args": {"dpeth": 2}},
            r"patch16_224 does not take train\.model_args = \{'dpeth': 2\} \(.*dpeth",
        ),
        ("timm/regnetx_002", {"args": {"depth": 3}}, r"does not take train\.model_args = \{'depth': 3\}\.$"),
        (VIT, {"args": {"embed_dim": 13}}, r"does not take train\.model_args = \{'embed_dim': 13\} \("),
        (
            "timm/vgg11",
            {"stochastic_depth": 0.1},
            r"vgg11 has no stochastic depth .*train\.stochastic_depth: 0",
        ),
    ],
)
def test_arguments_that_a_network_does_not_take(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_small(name, **changes)
