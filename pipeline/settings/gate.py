"""What `python -m pipeline gate` asks of a finished report; a chart draws one of its thresholds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.settings.base import Settings

Forbidden = Literal["available", "used", "harmful"]
Use = Literal["lower", "estimate"]


def check_fraction(value: float) -> float:
    """The value, if it is a share.

    Raises:
        ValueError: it is not in 0 to 1.
    """
    if not 0 <= value <= 1:
        raise ValueError("thresholds are fractions from 0 to 1: write 0.8 for 80 %")
    return value


Fraction = Annotated[float, AfterValidator(check_fraction)]
NO_SHARES = frozenset({"max_psi"})  # thresholds that are numbers of 0 or more


class GateSettings(Settings):
    """Thresholds; null asks nothing."""

    method: str | None = None
    use: Use = Field(
        "lower",
        description="lower: doubt counts against the model (the interval's worse end; a forbidden rung must "
        "be answered no); estimate: the number itself (a forbidden rung must not be answered yes)",
    )
    min_worst_group: Fraction | None = Field(None, description="least accuracy of the worst group")
    min_average: Fraction | None = Field(None, description="least average accuracy")
    max_gap: Fraction | None = Field(
        None, description="average minus the worst group, corrected for having picked the worst"
    )
    max_flip_rate: Fraction | None = Field(
        None,
        description="shift of predictions towards the donor's class (or away from it) when the cue alone is "
        "exchanged, beyond an exchange that keeps it; predictions that change to and fro cancel out",
    )
    max_leaking: Fraction | None = Field(
        None,
        description="share of test images with a duplicate, or with their scene or patient, in training or "
        "validation",
    )
    max_drop: Fraction | None = Field(
        None, description="fall of the worst group since the report named by --baseline"
    )
    max_ece: Fraction | None = Field(
        None, description="calibration error over all test images, less what chance adds to it"
    )
    max_psi: float | None = Field(
        None,
        ge=0,
        description="drift of the predicted classes from training to test images (population stability "
        "index, a number and no share)",
    )
    min_attacked: Fraction | None = Field(
        None,
        description="share of right answers that survive attacks within indicators.attack_radius (PGD)",
    )
    min_corrupted: Fraction | None = Field(
        None, description="share of right answers that survive the 15 common corruptions, on average"
    )
    forbid: list[Forbidden] = Field(
        default_factory=list, description="rungs of the verdict that must not be answered yes"
    )

    allow_uncounted: bool = Field(
        False,
        description="pass although some groups have too few test images to count, so that nothing protects "
        "them; one that is clearly below min_worst_group fails it all the same",
    )

    @property
    def asks_about_groups(self) -> bool:
        """Whether groups that do not count could hide what is asked for."""
        limits = (self.min_worst_group, self.max_gap, self.max_drop)
        return "harmful" in self.forbid or any(value is not None for value in limits)

    @property
    def asks_nothing(self) -> bool:
        """Whether any report would pass."""
        limits = self.model_dump(exclude={"method", "use", "forbid", "allow_uncounted"})
        return not self.forbid and all(value is None for value in limits.values())
