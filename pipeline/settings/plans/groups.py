"""What the stage `groups` is told: titles only so that a wrong name is an error before hours are spent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.base import DecidesNothing
from pipeline.settings.groups import GroupsSettings
from pipeline.settings.titles import TitlesSettings


class GroupsPlan(GroupsSettings):
    titles: Annotated[TitlesSettings, DecidesNothing()] = Field(default_factory=TitlesSettings)
