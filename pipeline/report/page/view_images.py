"""Choices of layout for the test images shown one by one."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.attribution import TargetAttribution
from pipeline.records.report import ImageOutcome, Report, TestImage
from pipeline.report.page.pictures import Pictures


@dataclass(frozen=True)
class ImagesView:
    """Layout of the test images, and the words that filters look for."""

    s: Report
    pictures: Pictures

    @property
    def groups(self) -> list[int]:
        """Groups with an image, in the dataset's order."""
        return sorted({image.group for image in self.s.images})

    @property
    def methods(self) -> list[str]:
        """Methods that any image has predictions of."""
        return [name for name in self.s.methods if any(name in image.methods for image in self.s.images)]

    def outcome_words(self, image: TestImage) -> str:
        """What the filter by outcome matches, separated by spaces."""
        right = {name: o.predicted == image.label for name, o in image.methods.items()}
        words = [f"{name}-{'right' if is_right else 'wrong'}" for name, is_right in right.items()]
        if right and len(set(right.values())) == 1:
            words.append("all-right" if next(iter(right.values())) else "all-wrong")
        return " ".join(words)

    def mapped(self, image: TestImage) -> list[tuple[str, ImageOutcome]]:
        """The methods whose GradCAM picture of the image is at hand."""
        return [
            (name, o)
            for name, o in image.methods.items()
            if o.map_class is not None and (name, image.id) in self.pictures.heats
        ]

    def influences(self, method: str, image: int) -> TargetAttribution | None:
        """The training images behind one test image, as one method's attribution has them."""
        targets = self.s.attribution[method].targets
        return next((target for target in targets if target.id == image), None)
