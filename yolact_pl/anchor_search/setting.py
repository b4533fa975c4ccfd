"""Anchor configuration as one immutable value."""

import math
from dataclasses import dataclass

from yolact_pl.models.anchors import Anchors


@dataclass(frozen=True)
class AnchorSetting:
    """The arguments of `Anchors` that do not depend on the training image size; see there."""

    scales: tuple[float, ...]
    """One per level, in pixels at `reference_size`."""
    ratios: tuple[float, ...]
    octaves: int = 1
    square: bool = False
    reference_size: int | None = None

    def build(self, image_size: tuple[int, int]) -> Anchors:
        """Anchors for network inputs of (height, width)."""
        return Anchors(
            self.scales,
            self.ratios,
            octaves=self.octaves,
            square=self.square,
            reference_size=self.reference_size,
            image_size=image_size,
        )

    def stated_for(self, image_size: tuple[int, int]) -> "AnchorSetting":
        """Equivalent setting whose scales are in pixels at this image size; fixed scales are kept."""
        if self.reference_size is None:
            return self
        scales = tuple(scale[0] for scale in self.build(image_size).scales)
        # Rounded down, so that integer scales survive the truncation in `Anchors`.
        reference_size = int(math.sqrt(image_size[0] * image_size[1]))
        return AnchorSetting(scales, self.ratios, self.octaves, self.square, reference_size)
