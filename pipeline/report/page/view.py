"""Choices of layout for the templates: what is listed, in which order, on which axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup

from pipeline.core import words
from pipeline.records.attribution import Influence
from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import Intervention
from pipeline.records.learning import LearningDynamics
from pipeline.records.lists import ListKind
from pipeline.records.report import Report
from pipeline.records.verdict import Curve, Curves, FoundCueUse
from pipeline.report.cards.model_card import ModelCard, model_card
from pipeline.report.guesses import Guess, list_guesses
from pipeline.report.page.causes import find_causes, find_wrong_looking
from pipeline.report.page.chapters import (
    CHAPTERS,
    Chapter,
    Failures,
    UsualImages,
    find_failures,
    find_usual,
)
from pipeline.report.page.charts import scales
from pipeline.report.page.charts.cue_ranking import CueRanking, cue_ranking
from pipeline.report.page.charts.followed import own_dynamics
from pipeline.report.page.charts.group_dots import GroupDots, group_dots
from pipeline.report.page.charts.picture_matrix import PictureMatrix, picture_matrix
from pipeline.report.page.gallery import GalleryCard, kinds_shown, make_gallery
from pipeline.report.page.group_rows import order_groups
from pipeline.report.page.pictures import (
    HARMFUL_SHOWN,
    HELPFUL_SHOWN,
    INFLUENCES_SHOWN,
    ODD_SHOWN,
    SETS_SHOWN,
    SUSPECTS_SHOWN,
    TWINS_SHOWN,
    Pictures,
    examples_shown,
)
from pipeline.report.page.traits import TraitShown, find_traits
from pipeline.report.page.view_attribution import AttributionView, RemovalView
from pipeline.report.page.view_charts import ChartsView
from pipeline.report.page.view_images import ImagesView
from pipeline.report.page.view_indicators import IndicatorLine, indicator_lines, indicator_notes
from pipeline.report.page.view_lists import ListsView
from pipeline.verdict import phrases


@dataclass
class View:
    """Choices of layout: what is listed, in which order, on which axis."""

    s: Report
    pictures: Pictures
    _anchored: set[int] = field(default_factory=set)

    def anchor(self, image: int) -> Markup:
        """` id="image-7"` at an image's first appearance, nothing after: ids are unique."""
        if image in self._anchored:
            return Markup("")
        self._anchored.add(image)
        return Markup(' id="image-{}"').format(image)

    def group_name(self, group: int) -> str:
        names = self.s.dataset.groups
        return names[group].name if 0 <= group < len(names) else f"group {group}"

    @property
    def indicator_rows(self) -> list[IndicatorLine]:
        return indicator_lines(self.s)

    @property
    def indicator_notes(self) -> list[str]:
        return indicator_notes(self.s)

    def class_name(self, label: int) -> str:
        classes = self.s.dataset.classes
        return classes[label] if 0 <= label < len(classes) else f"class {label}"

    @property
    def origin(self) -> str:
        """annotated, cue, inferred or none: where the groups' attribute comes from."""
        attributes = self.s.dataset.attributes
        return attributes[0].origin if attributes else "none"

    def lower_uncounted(self, method: str) -> str:
        """Groups with too few images whose accuracy lies below that of the worst one that counts."""
        test, judged = self.s.methods[method].test, self.s.verdict.methods[method]
        thin = [judged.groups[i] for i in judged.uncounted]
        lower = [g for g in thin if g.n and g.value < test.worst_group.value]
        return phrases.name_groups(lower) if test.worst_group.sufficient else ""

    @property
    def shared_sources(self) -> str | None:
        """That test images share scenes or patients with training; None where they do not."""
        return phrases.shared_sources(self.s.dataset.sources, self.s.dataset.n.get("test", 0))

    @property
    def group_rows(self) -> list[tuple[int, dict[str, GroupEstimate]]]:
        """Group index and its accuracy per method, in the order of `order_groups`."""
        return order_groups(self.s)

    def unexplained(self, explained: Mapping[str, object]) -> str:
        """Labels of the methods that `explained` lacks, for a sentence; empty where it has all."""
        return ", ".join(phrases.method_label(name) for name in self.s.methods if name not in explained)

    def unasked(self, method: str) -> list[str]:
        """What a model that was trained elsewhere cannot be asked, and why."""
        parts = [part for part in self.s.verdict.missing if part.method == method and part.why]
        return [
            " and ".join(phrases.missing_phrase(part.stage, method) for part in parts if part.why == why)
            + f": {why}"
            for why in dict.fromkeys(part.why for part in parts)
        ]

    @cached_property
    def traits(self) -> list[TraitShown]:
        """What inferred groups are, in the order of the groups' table."""
        return find_traits(self.s)

    @property
    def shrunk_rows(self) -> list[tuple[int, dict[str, GroupEstimate]]]:
        """Group index and its shrunken accuracy per method, lowest of the first method first."""
        shrunk = {m: method.test.shrunk for m, method in self.s.methods.items()}
        rows = [
            (g, {m: found[g] for m, found in shrunk.items() if found})
            for g in range(len(next(iter(shrunk.values()), [])))
        ]
        return sorted(rows, key=lambda row: next(iter(row[1].values())).value)

    @property
    def accuracy_scale(self) -> scales.Scale:
        methods = self.s.methods.values()
        return scales.accuracy_scale(
            [g for m in methods for g in m.test.groups if g.n] + [m.test.average for m in methods]
        )

    @property
    def interventions(self) -> list[Intervention]:
        """Each intervention once, in the order they were run."""
        found: dict[str, Intervention] = {}
        for method in self.s.methods.values():
            for intervention in method.interventions:
                found.setdefault(intervention.name, intervention)
        return list(found.values())

    def by_method(self, intervention: str) -> list[tuple[str, Intervention]]:
        """The methods that ran an intervention, with what it did to each."""
        return [
            (m, i)
            for m, method in self.s.methods.items()
            for i in method.interventions
            if i.name == intervention
        ]

    def position(self, method: str) -> int:
        """Index of a method, which decides its color and mark."""
        names = list(self.s.methods)
        return names.index(method) if method in names else len(names)

    @property
    def any_exchange(self) -> bool:
        return any(m.cue_use and m.cue_use.exchanges for m in self.s.methods.values())

    @property
    def any_sensitivity(self) -> bool:
        return any(m.foreground_sensitivity for m in self.s.methods.values())

    @property
    def any_agreement(self) -> bool:
        return any(m.color_agreement for m in self.s.methods.values())

    @property
    def any_sanity(self) -> bool:
        return any(cam.sanity for cam in self.s.gradcam.values())

    @property
    def region_list(self) -> str:
        names = {"ring": "border ring", "whole": "whole image"}
        return words.join_names([f"the {names.get(region, region)}" for region in self.s.color.regions])

    def color_examples(self, class_name: str) -> list[tuple[str, list[int]]]:
        """Titles and ids of the images whose class color tells best and worst."""
        found = next((e for e in self.s.color.examples if e.class_name == class_name), None)
        if found is None:
            return []
        n = examples_shown(len(self.s.color.examples))
        shown = [("Most typical", found.typical[:n]), ("Least typical", found.atypical[:n])]
        return [(title, ids) for title, ids in shown if ids]

    @property
    def gain_scale(self) -> scales.Scale:
        found = self.s.verdict.comparisons
        return scales.change_scale([c.gain for c in found] + [c.worst_group_gain for c in found])

    def control_scale(self, method: str) -> scales.Scale:
        """Axis of the gains of `repair` over leaving out as many others."""
        return scales.change_scale([c.gain for c in self.s.methods[method].removal_controls])

    @property
    def curved_methods(self) -> dict[str, Curves]:
        """Methods with learning curves of their own: those of a last layer alone are ERM's."""
        curves = {name: found.curves for name, found in self.s.verdict.methods.items()}
        borrowed = {name for name, trained in self.s.training.items() if trained.last_layers}
        return {name: found for name, found in curves.items() if found and name not in borrowed}

    @property
    def dynamics(self) -> dict[str, LearningDynamics]:
        """What the epochs of these methods say, where it was noted."""
        found = {name: own_dynamics(self.s, name) for name in self.curved_methods}
        return {name: own for name, own in found.items() if own}

    @property
    def paces(self) -> list[tuple[int, dict[str, Curve]]]:
        """Group index and its curve under each method, in the data's order, where validation suffices."""
        groups, least = self.s.dataset.groups, self.s.verdict.thresholds.min_val
        rows = [
            (
                g,
                {
                    method: curves.groups[g]
                    for method, curves in self.curved_methods.items()
                    if curves.groups[g].learned_epoch is not None
                },
            )
            for g, group in enumerate(groups)
            if group.n_val >= least
        ]
        return [(g, by_method) for g, by_method in rows if by_method]

    @property
    def chapters(self) -> list[Chapter]:
        return CHAPTERS

    @property
    def matrix(self) -> PictureMatrix | None:
        return picture_matrix(self.s, self.pictures)

    @property
    def charts(self) -> ChartsView:
        return ChartsView(self.s, self.pictures)

    @property
    def group_dots(self) -> GroupDots | None:
        return group_dots(self.s)

    @property
    def usual_images(self) -> list[UsualImages]:
        return find_usual(self.s, self.pictures)

    @cached_property
    def cue_ranking(self) -> CueRanking | None:
        return cue_ranking(self.s)

    @property
    def cue_titles(self) -> dict[str, str]:
        return {cue.name: cue.title for cue in self.s.cues.cues} if self.s.cues else {}

    @property
    def found_cues(self) -> dict[str, FoundCueUse]:
        """Whether the baseline uses each found cue, by the cue's name."""
        baseline = self.s.verdict.baseline
        found = self.s.verdict.methods[baseline].found_cues if baseline is not None else []
        return {answer.name: answer for answer in found}

    @property
    def is_cue_unnamed(self) -> bool:
        """Whether the chapter on the cue leads with one that nobody annotated."""
        return self.s.verdict.brief.unnamed_cue is not None

    @property
    def failures(self) -> Failures:
        return find_failures(self.s)

    @property
    def causes(self) -> list[Influence]:
        return find_causes(self.s)

    @cached_property
    def wrong_looking(self) -> set[int]:
        return find_wrong_looking(self.s)

    @cached_property
    def gallery(self) -> list[GalleryCard]:
        return make_gallery(self.s, self.pictures.images)

    @property
    def gallery_kinds(self) -> list[ListKind]:
        return kinds_shown(self.gallery)

    @property
    def images(self) -> ImagesView:
        return ImagesView(self.s, self.pictures)

    @property
    def model_cards(self) -> list[ModelCard]:
        return [model_card(self.s, method) for method in self.s.methods]

    @cached_property
    def lists(self) -> ListsView:
        return ListsView(self.s)

    @property
    def export_command(self) -> str:
        return f"shortcut-audit export reports/{self.s.dataset.name}.json"

    def attribution(self, method: str) -> AttributionView:
        return AttributionView(self.s, method)

    def removal(self, method: str) -> RemovalView | None:
        """How one method left training images out; None where it left none out."""
        trained, outcome = self.s.training.get(method), self.s.verdict.methods[method].removal
        if trained is None or trained.removal is None or outcome is None:
            return None
        return RemovalView(trained.removal, outcome)

    @property
    def guesses(self) -> list[Guess]:
        return list_guesses(self.s.color)

    @property
    def influences_shown(self) -> int:
        return INFLUENCES_SHOWN

    @property
    def harmful_shown(self) -> int:
        return HARMFUL_SHOWN

    @property
    def helpful_shown(self) -> int:
        return HELPFUL_SHOWN

    @property
    def suspects_shown(self) -> int:
        return SUSPECTS_SHOWN

    @property
    def sets_shown(self) -> int:
        return SETS_SHOWN

    @property
    def twins_shown(self) -> int:
        return TWINS_SHOWN

    @property
    def odd_shown(self) -> int:
        return ODD_SHOWN
