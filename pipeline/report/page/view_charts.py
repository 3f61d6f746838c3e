"""The charts that are drawn of the report and its pictures, each made when a template asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.report import Report
from pipeline.report.page.charts.cause_curve import CauseCurve, cause_curve
from pipeline.report.page.charts.color_dots import ColorDots, color_dots
from pipeline.report.page.charts.cost_frontier import CostFrontier, cost_frontier
from pipeline.report.page.charts.film import Film, film
from pipeline.report.page.charts.followed import FollowedChart, followed
from pipeline.report.page.charts.group_slope import GroupSlope, group_slope
from pipeline.report.page.charts.indicator_groups import IndicatorGroups, indicator_groups
from pipeline.report.page.charts.learning_panels import LearningPanels, learning_panels
from pipeline.report.page.charts.reliability import Reliability, reliability
from pipeline.report.page.charts.reliance import Reliance, reliance
from pipeline.report.page.pictures import Pictures


@dataclass(frozen=True)
class ChartsView:
    """None where there is nothing to draw."""

    s: Report
    pictures: Pictures

    @property
    def cause_curve(self) -> CauseCurve | None:
        return cause_curve(self.s)

    @property
    def color_dots(self) -> ColorDots | None:
        return color_dots(self.s)

    @property
    def cost_frontier(self) -> CostFrontier | None:
        return cost_frontier(self.s)

    @property
    def film(self) -> Film | None:
        return film(self.s, self.pictures)

    @property
    def followed(self) -> FollowedChart | None:
        return followed(self.s)

    @property
    def group_slope(self) -> GroupSlope | None:
        return group_slope(self.s)

    @property
    def indicator_groups(self) -> IndicatorGroups | None:
        return indicator_groups(self.s)

    @property
    def learning_panels(self) -> LearningPanels | None:
        return learning_panels(self.s)

    @property
    def reliability(self) -> Reliability | None:
        return reliability(self.s)

    @property
    def reliance(self) -> Reliance | None:
        return reliance(self.s)
