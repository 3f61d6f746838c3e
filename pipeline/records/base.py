"""What every record is built from: estimates with intervals, and provenance."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 5


class Record(BaseModel):
    """Base of all records: unknown keys are errors, values are read-only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Artifact(Record):
    """A record that is a file of its own; `provenance` says what made it."""

    schema_version: int = SCHEMA_VERSION
    provenance: Provenance


class Provenance(Record):
    params_hash: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    seeds: list[int] = Field(default_factory=list)
    created: str = ""
    data: str = ""  # digest of the packed data behind it, or of their groups where these count, too


class Estimate(Record):
    """A number with its interval and the count of images behind it."""

    value: float
    low: float
    high: float
    n: int

    def __neg__(self) -> Estimate:
        """The same number with its sign turned, without the name of a group."""
        return Estimate(value=-self.value, low=-self.high, high=-self.low, n=self.n)


class GroupEstimate(Estimate):
    """An estimate for one group; `sufficient` is False below the minimum counts."""

    index: int  # of the group in its dataset, or of the class where classes are the groups
    name: str  # for people: code goes by the index
    sufficient: bool = True
    n_sources: int | None = None  # scenes or patients that the n images are of; None: each by itself
    n_effective: float | None = None  # independent images that would say as much; None: n

    @property
    def weight(self) -> float:
        """Independent images that would say as much as these."""
        return self.n if self.n_effective is None else self.n_effective


Artifact.model_rebuild()
