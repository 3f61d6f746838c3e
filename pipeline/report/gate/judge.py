"""Whether a finished report meets a team's thresholds.

Where a number cannot be judged - images are too few, a part was not run - its check fails: a gate that
passes what nobody measured would be worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.errors import InputError
from pipeline.methods.registry import parse_method
from pipeline.records.report import Report
from pipeline.report.compare.sides import Side
from pipeline.report.gate.checks import OF_METHODS, Asked, check_leaking, check_uncounted
from pipeline.report.gate.limits import Check, find_limit, unmeasured
from pipeline.report.gate.rungs import check_rung, unanswered_rung
from pipeline.settings.gate import GateSettings


@dataclass(frozen=True)
class Judged:
    """One report with its checks."""

    report: Report
    checks: list[Check]

    @property
    def n_failed(self) -> int:
        return sum(not check.passed for check in self.checks)

    @property
    def methods(self) -> list[str]:
        """Whose checks these are; empty where all are about the data."""
        return list(dict.fromkeys(check.method for check in self.checks if check.method is not None))

    @property
    def is_of_baseline(self) -> bool:
        """Whether what the report says of its baseline is about what was judged."""
        return self.methods in ([], [self.report.verdict.baseline])


def choose_gated(report: Report, wanted: str | None) -> list[str]:
    """Methods that must pass: the baseline, every one for "all", or the one named.

    What could not be trained is among them where it is asked for, and fails with the reason.

    There is no "any": the best of several, picked on the test images that it is then judged on, looks
    better than it is.

    Raises:
        InputError: the report does not have the method.
    """
    if (
        wanted is None
        and report.verdict.baseline is not None
        and report.verdict.baseline not in report.methods
    ):
        raise InputError(
            f"the report of {report.dataset.name} is damaged: it has no numbers of its baseline "
            f"{report.verdict.baseline!r}. Run `dvc repro` to make it again, or name a method with --method."
        )
    if wanted is None:
        return [report.verdict.baseline] if report.verdict.baseline else []
    known = [*report.methods, *report.verdict.not_trained]
    try:
        method = parse_method(wanted, [*known, "all"])
    except ValueError as error:
        raise InputError(f"the report of {report.dataset.name}: {error}. Name the one you ship.") from None
    return known if method == "all" else [method]


def judge_report(
    report: Report,
    settings: GateSettings,
    methods: list[str],
    earlier: Mapping[str, tuple[Side, Side]],
) -> Judged:
    """Every check that `settings` ask for: of each method, then of the data.

    Args:
        earlier: per method the earlier report's side and this one's, for `max_drop`.
    """
    of_models = [check for method in methods for check in _check_method(report, settings, method, earlier)]
    if not methods:
        of_models = _without_models(report, settings)
    return Judged(report, [*of_models, *_check_data(report, settings)])


def _check_method(
    report: Report, settings: GateSettings, method: str, earlier: Mapping[str, tuple[Side, Side]]
) -> list[Check]:
    if method in report.verdict.not_trained:
        return _without_training(report, settings, method)
    numbers = [
        check(Asked(report, method, limit, earlier.get(method)))
        for key, (_, check) in OF_METHODS.items()
        if (limit := find_limit(settings, key)) is not None
    ]
    counted: list[Check] = []
    if settings.asks_about_groups and not settings.allow_uncounted:
        counted = check_uncounted(report, method)
    return [*numbers, *_check_rungs(report, settings, method), *counted]


def _without_training(report: Report, settings: GateSettings, method: str) -> list[Check]:
    """Nothing can be said of a method that these data do not allow to train."""
    why = f"it was not trained: {report.verdict.not_trained[method]}"
    numbers = [
        unmeasured(what, limit, why, method=method)
        for key, (what, _) in OF_METHODS.items()
        if (limit := find_limit(settings, key)) is not None
    ]
    rungs = [name for name in dict.fromkeys(settings.forbid) if name != "available"]
    return [*numbers, *(unanswered_rung(name, method, why) for name in rungs)]


def _check_rungs(report: Report, settings: GateSettings, method: str | None) -> list[Check]:
    """The forbidden rungs that ask about a model."""
    asked = [name for name in dict.fromkeys(settings.forbid) if name != "available"]
    return [check_rung(report, name, method, settings.use) for name in asked]


def _check_data(report: Report, settings: GateSettings) -> list[Check]:
    """What holds for all methods alike."""
    leaking = find_limit(settings, "max_leaking")
    checks = check_leaking(report, leaking) if leaking else []
    if "available" in settings.forbid:
        checks.append(check_rung(report, "available", None, settings.use))
    return checks


def _without_models(report: Report, settings: GateSettings) -> list[Check]:
    """A report about data alone has none of the numbers of a model."""
    numbers = [
        unmeasured(what, limit, "no model was evaluated")
        for key, (what, _) in OF_METHODS.items()
        if (limit := find_limit(settings, key)) is not None
    ]
    return [*numbers, *_check_rungs(report, settings, None)]
