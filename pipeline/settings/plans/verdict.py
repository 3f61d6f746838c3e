"""What the stage `verdict` is told: what counts as an effect and as enough images, how color was asked."""

from __future__ import annotations

from pipeline.settings.audit import ColorSettings
from pipeline.settings.base import Settings
from pipeline.settings.cues import CuesSettings
from pipeline.settings.hygiene import HygieneSettings
from pipeline.settings.titles import TitlesSettings


class VerdictPlan(Settings):
    """The first of `active_methods` is the baseline."""

    active_methods: list[str]
    explained_methods: list[str]
    color: ColorSettings
    hygiene: HygieneSettings
    cues: CuesSettings
    min_effect: float  # section `report`
    min_test: int  # section `evaluate`
    min_val: int
    titles: TitlesSettings
    shares_source: bool  # with another entry, so that their titles must differ
