"""What every group of settings is built on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes


class Settings(BaseModel):
    """Unknown keys are errors, values are read-only and finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
