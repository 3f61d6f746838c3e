"""What the stage `data` is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.base import DecidesNothing, Settings
from pipeline.settings.data import DataSettings
from pipeline.settings.sources import Source


class DataPlan(Settings):
    source: Source
    data: DataSettings
    datasets: Annotated[list[str], DecidesNothing()] = Field(
        description="every dataset's name: where their packed images lie, no source may"
    )
