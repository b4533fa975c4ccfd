"""A large picture that is put together from captioned panels."""

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.gallery import BACKGROUND
from yolact_pl.inference.drawing.labels import draw_chip, shorten, text_coverage


class Sheet:
    """Columns of one width on a dark ground, filled from the top.

    Args:
        num_columns: of panels.
        column_width: in pixels.
        gap: between and around the panels, in pixels.
        font_size: of the captions, in pixels.
    """

    def __init__(self, num_columns: int, column_width: int, *, gap: int = 6, font_size: int = 13) -> None:
        self.column_width = column_width
        self.gap = gap
        self.font_size = font_size
        self.caption_height = text_coverage("Ag", font_size).shape[0]
        self._panels: list[tuple[int, int, NDArray[np.uint8], str]] = []
        self._width = num_columns * (column_width + gap) + gap
        self._height = gap

    @property
    def bottom(self) -> int:
        """The first row of pixels below all panels."""
        return self._height

    def span(self, num_columns: int) -> int:
        """The width of a panel over so many columns."""
        return num_columns * (self.column_width + self.gap) - self.gap

    def place(self, panel: NDArray[np.uint8], caption: str, *, column: int, top: int) -> int:
        """Put a panel [h, w, 3] with a caption above it; returns the first row of pixels below it."""
        self._panels.append((column * (self.column_width + self.gap) + self.gap, top, panel, caption))
        end = top + self.caption_height + panel.shape[0] + self.gap
        self._height = max(self._height, end)
        return end

    def draw(self) -> NDArray[np.uint8]:
        """[H, W, 3] RGB."""
        sheet = np.full((self._height, self._width, 3), BACKGROUND, dtype=np.uint8)
        for x, y, panel, caption in self._panels:
            height, width = panel.shape[:2]
            text = shorten(caption, "", self.font_size, width)
            if text:
                h = text_coverage(text, self.font_size).shape[0]
                draw_chip(sheet, text, (x, y + self.caption_height - h), BACKGROUND, self.font_size)
            y += self.caption_height
            sheet[y : y + height, x : x + width] = panel
        return sheet
