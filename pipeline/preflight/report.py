"""The whole look ahead, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

from pipeline.core.errors import PipelineError
from pipeline.core.memory import available_cores
from pipeline.core.words import align
from pipeline.data.plan import Plan
from pipeline.data.raw import RawDataset
from pipeline.methods.registry import method_names
from pipeline.plan.params import DatasetSettings
from pipeline.preflight.labels import augmentation_risks
from pipeline.preflight.methods import reasons_against
from pipeline.preflight.minutes import Work, estimate_seconds
from pipeline.preflight.networks import Proposal, baseline_speed, propose_network
from pipeline.preflight.questions import Outlook, foresee_questions
from pipeline.preflight.sizes import Sizes, foresee_sizes

_MAX_GROUPS = 12


@dataclass(frozen=True)
class Preflight:
    """Lines for a terminal, and the active methods that the groups are too small for, with the reasons."""

    lines: list[str]
    against: dict[str, str]


def look_ahead(
    name: str,
    raw: RawDataset,
    plan: Plan,
    settings: DatasetSettings,
    *,
    methods: Sequence[str],
    explained: Sequence[str],
    is_timed: bool = True,
) -> Preflight:
    """Group sizes, questions that can be answered, methods, minutes, and what may break labels.

    Args:
        methods: active ones, the baseline first; those that the groups are too small for are named.
        is_timed: run a few training steps to say how long it will take.

    Raises:
        InputError: groups that cannot be made as asked.
    """
    sizes = foresee_sizes(raw, plan, settings)
    against = reasons_against(sizes, settings)
    trained = [method for method in methods if method not in against] or [methods[0]]
    questions = foresee_questions(sizes, settings, trained, has_masks=plan.has_masks, name=name)
    lines = [f"before {name} is run", *_group_lines(sizes), *_question_lines(questions)]
    lines += _method_lines(methods, against, sizes.is_open)
    risks = dict.fromkeys(
        risk for method in trained for risk in augmentation_risks(settings.train_for(method), plan.classes)
    )
    lines += [f"warning: {risk}" for risk in risks]
    if is_timed:
        work = Work(settings, sizes, trained, [method for method in explained if method in trained])
        lines += _time_lines(work, name, plan.classes)
    return Preflight(lines, {method: against[method] for method in methods if method in against})


def _group_lines(sizes: Sizes) -> list[str]:
    """The groups with the fewest test images first: they decide what can be said."""
    groups = sorted(sizes.groups, key=lambda group: (group.n_test, group.name))
    about = " (classes so far: a cue that is found may split them)" if sizes.is_open else ""
    table = [["group", "train", "val", "test"]]
    for group in groups[:_MAX_GROUPS]:
        table.append([group.name, *(f"{n:,}" for n in (group.n_train, group.n_val, group.n_test))])
    hidden = len(groups) - _MAX_GROUPS
    lines = [f"images per group{about}, fewest test images first:", indent(align(table), "  ")]
    return [*lines, f"  ... and {hidden:,} larger ones"] if hidden > 0 else lines


def _question_lines(questions: Sequence[Outlook]) -> list[str]:
    lines = ["what the report can answer:"]
    for number, outlook in enumerate(questions, start=1):
        answer = "yes" if outlook.can_be_answered else "no"
        why = f" ({outlook.why})" if outlook.why else ""
        lines.append(f"  {number} {outlook.rung.replace('_', ' ')}: {answer}{why}")
        lines += [f"      write: {remedy}" for remedy in outlook.remedies]
    return lines


def _method_lines(active: Sequence[str], against: dict[str, str], is_open: bool) -> list[str]:
    lines = [f"not possible, although active: {m}. {against[m]}" for m in active if m in against]
    free = [m for m in method_names() if m not in active and m not in against]
    if free:
        lines.append(f"possible and not active: {', '.join(free)} (active_methods)")
    if is_open and lines:
        lines[0] += " (by the sizes of classes)"
    return lines


def _time_lines(work: Work, name: str, classes: Sequence[str]) -> list[str]:
    try:
        speed = baseline_speed(work, classes)
    except (RuntimeError, PipelineError) as error:  # as torch reports images too small for the network
        reason = str(error).splitlines()[0]
        return [f"warning: a training step of {work.methods[0]} fails with these settings: {reason}"]
    seconds = estimate_seconds(work, speed)
    total = sum(seconds.values())
    parts = ", ".join(f"{stage} {_minutes(spent)}" for stage, spent in seconds.items() if spent >= 3)
    cores = available_cores()
    where = f"{cores} core{'s' if cores > 1 else ''}"
    lines = [f"time on this machine ({where}): about {_minutes(total)}{f' ({parts})' if parts else ''}"]
    proposal = propose_network(work, classes, total)
    return [*lines, _proposal_line(proposal, name)] if proposal else lines


def _proposal_line(proposal: Proposal, name: str) -> str:
    changes = ", ".join(f"{key}: {_yaml(value)}" for key, value in proposal.train.items())
    return (
        f"a smaller network takes about {_minutes(proposal.seconds)}; "
        f"write: datasets.{name}.train: {{ {changes} }}"
    )


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
