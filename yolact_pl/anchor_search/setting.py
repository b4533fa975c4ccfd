"""What can be said of anchors, in one value."""

import math
from dataclasses import dataclass

from yolact_pl.models.anchors import Anchors


@dataclass(frozen=True)
class AnchorSetting:
    """The arguments of `Anchors` that do not depend on the images trained on; see there."""

    scales: tuple[float, ...]
    """One a level, in pixels at `reference_size`."""
    ratios: tuple[float, ...]
    octaves: int = 1
    square: bool = False
    reference_size: int | None = None

    def build(self, image_size: tuple[int, int]) -> Anchors:
        """The anchors of a network for images of (height, width)."""
        return Anchors(
            self.scales,
            self.ratios,
            octaves=self.octaves,
            square=self.square,
            reference_size=self.reference_size,
            image_size=image_size,
        )

    def stated_for(self, image_size: tuple[int, int]) -> "AnchorSetting":
        """The same anchors at this image size, with scales in its pixels; fixed scales stay as they are."""
        if self.reference_size is None:
            return self
        scales = tuple(scale[0] for scale in self.build(image_size).scales)
        # Rounded down, so that scales of whole pixels, which are cut again, come out as they were.
        reference_size = int(math.sqrt(image_size[0] * image_size[1]))
        return AnchorSetting(scales, self.ratios, self.octaves, self.square, reference_size)
