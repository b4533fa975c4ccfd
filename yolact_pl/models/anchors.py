"""Anchor boxes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

MAX_CACHED = 16
"""Image sizes whose anchors are kept."""


class Anchors(nn.Module):
    """The boxes that predictions are relative to: one at every cell for each scale and ratio."""

    def __init__(
        self,
        scales: Sequence[float],
        ratios: Sequence[float],
        *,
        octaves: int = 1,
        square: bool = False,
        reference_size: int | None = None,
        image_size: int | tuple[int, int] | None = None,
    ) -> None:
        """Args:
        scales: side in pixels of the ratio-1 anchor, one a level P3..P7.
        ratios: width / height.
        octaves: each level has scale x 2 ** (j / octaves) for j below `octaves` (YOLACT++ has 3).
        square: use the width as height, whatever the ratio, as the first released COCO weights have it.
        reference_size: image size that `scales` belong to. None: `scales` hold for every image size.
        image_size: the size, or (height, width), of the images trained on. With `reference_size` the scales
            grow with it, cut to whole pixels as in the released weights.

        Raises:
            ValueError: only one of `reference_size` and `image_size` is given.
        """
        super().__init__()
        if reference_size is not None and image_size is None:
            raise ValueError(
                f"anchors.reference_size={reference_size} needs anchors.image_size to scale anchors to; "
                "set it, or set anchors.reference_size=null for scales in fixed pixels"
            )
        if reference_size is not None and image_size is not None:
            height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
            size = math.sqrt(height * width)
            scales = [int(scale * size / reference_size) for scale in scales]
        self.scales = tuple(tuple(scale * 2 ** (j / octaves) for j in range(octaves)) for scale in scales)
        self.ratios = tuple(float(ratio) for ratio in ratios)
        self.square = square
        self.num_per_cell = octaves * len(self.ratios)
        self._cache: dict[tuple[object, ...], Tensor] = {}

    def forward(
        self,
        level_sizes: Sequence[tuple[int, int]],
        image_size: tuple[int, int],
        device: torch.device | None = None,
    ) -> Tensor:
        """All anchors of an image, ordered by level, row, column, scale, ratio.

        Args:
            level_sizes: (height, width) of each pyramid level.
            image_size: (H, W) in pixels.
            device: of the result.

        Returns:
            [A, 4] float32 xyxy in pixels, not clipped to the image.
        """
        if torch.compiler.is_compiling():  # a cache in the graph would mean a guard and a second compilation
            return self._compute(level_sizes, image_size, device)
        key = (tuple(level_sizes), tuple(image_size), device)
        if key not in self._cache:
            if len(self._cache) == MAX_CACHED:
                self._cache.clear()
            with torch.inference_mode(False):  # the same anchors may serve a training step next
                self._cache[key] = self._compute(level_sizes, image_size, device)
        return self._cache[key]

    def cell_sizes(self, level: int) -> list[tuple[float, float]]:
        """(width, height) in pixels of the anchors of one cell of a level, in order."""
        sizes = []
        for scale in self.scales[level]:
            for ratio in self.ratios:
                width = scale * math.sqrt(ratio)
                sizes.append((width, width if self.square else scale / math.sqrt(ratio)))
        return sizes

    def _compute(
        self, level_sizes: Sequence[tuple[int, int]], image_size: tuple[int, int], device: torch.device | None
    ) -> Tensor:
        height, width = image_size
        levels = []
        for level, (rows, columns) in enumerate(level_sizes):
            half = torch.tensor(self.cell_sizes(level), device=device) / 2  # [anchors a cell, 2]
            y = (torch.arange(rows, device=device) + 0.5) * (height / rows)
            x = (torch.arange(columns, device=device) + 0.5) * (width / columns)
            centre = torch.stack((x.expand(rows, columns), y[:, None].expand(rows, columns)), dim=-1)
            centre = centre[:, :, None]  # [rows, columns, 1, 2]
            levels.append(torch.cat((centre - half, centre + half), dim=-1).reshape(-1, 4))
        return torch.cat(levels)
