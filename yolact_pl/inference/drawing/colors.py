"""Colors that stay with a class (or an object) and the text color that can be read on them."""

import colorsys
from functools import lru_cache

Color = tuple[int, int, int]
"""RGB, 0..255."""

GOLDEN_RATIO = 0.618034
TONES = ((0.80, 1.00), (0.95, 0.80), (0.55, 1.00))
"""(saturation, value) in turn, so that hues which come close again still differ."""
BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)


@lru_cache(maxsize=1024)
def index_color(index: int) -> Color:
    """The color of a class or an object: the same for the same index, far apart for neighbouring ones."""
    saturation, value = TONES[index % len(TONES)]
    red, green, blue = colorsys.hsv_to_rgb((0.02 + index * GOLDEN_RATIO) % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


@lru_cache(maxsize=1024)
def text_color(background: Color) -> Color:
    """Black or white, whichever has the greater contrast (WCAG 2, section 1.4.3) to the background."""
    luminance = relative_luminance(background)
    return BLACK if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else WHITE


def relative_luminance(color: Color) -> float:
    """How bright an sRGB color is seen, 0 to 1 (WCAG 2)."""
    red, green, blue = (
        channel / 255 / 12.92 if channel <= 10 else ((channel / 255 + 0.055) / 1.055) ** 2.4
        for channel in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
