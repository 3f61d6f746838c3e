"""What the stage `groups` is told.

Titles only so that a wrong name is an error before hours are spent.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.base import DecidesNothing
from pipeline.settings.groups import GroupsSettings
from pipeline.settings.plans.train import NetworkPlan
from pipeline.settings.titles import TitlesSettings


class GroupsPlan(GroupsSettings):
    base: NetworkPlan = Field(description="of the model that is asked which cue it uses; one seed")
    titles: Annotated[TitlesSettings, DecidesNothing()] = Field(default_factory=TitlesSettings)
