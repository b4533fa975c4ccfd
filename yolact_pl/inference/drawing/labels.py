"""Text on pictures: any script for which a font is at hand, shortened to the room there is."""

import logging
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from yolact_pl.inference.drawing.colors import Color, text_color

log = logging.getLogger(__name__)

FONT_FILES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "arial.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "PingFang.ttc",
    "Arial Unicode.ttf",
)
"""Asked of the system, in this order, for what Pillow's own font (ASCII and little more) cannot draw."""
ELLIPSIS = "…"
NO_CHARACTER = "\uffff"
_warned: list[bool] = []
"""Not empty once a missing font was told, which is enough for a process."""


def text_coverage(text: str, size: int) -> NDArray[np.float32]:
    """Rendered text with a small margin: [h, w] in 0..1; `size` is the font's, in pixels."""
    return _coverage(" ".join(text.split()), size)


def shorten(name: str, suffix: str, size: int, max_width: int) -> str:
    """`name suffix` if it fits into `max_width` pixels, else a shorter form of it, or "" where nothing fits.

    The name is cut before the suffix (a score) is given up; a single letter of a name is not worth a label.
    """
    for tail in dict.fromkeys((suffix, "")):
        whole = f"{name} {tail}".strip()
        if text_coverage(whole, size).shape[1] <= max_width:
            return whole
        fits, fails = 1, min(len(name), max_width)
        while fails - fits > 1:
            middle = (fits + fails) // 2
            text = f"{name[:middle].rstrip()}{ELLIPSIS} {tail}".strip()
            if text_coverage(text, size).shape[1] <= max_width:
                fits = middle
            else:
                fails = middle
        if fits > 1:
            return f"{name[:fits].rstrip()}{ELLIPSIS} {tail}".strip()
    return ""


def draw_chip(image: NDArray[np.uint8], text: str, corner: tuple[int, int], color: Color, size: int) -> None:
    """Write the text in black or white on a filled rectangle, into the image [H, W, 3].

    Args:
        image: RGB; changed in place.
        text: one line.
        corner: (x, y) of the rectangle's top left; the rectangle must lie inside of the image.
        color: of the rectangle.
        size: of the font, in pixels.
    """
    coverage = text_coverage(text, size)[..., None]
    background = np.array(color, dtype=np.float32)
    chip = background + coverage * (np.array(text_color(color), dtype=np.float32) - background)
    x, y = corner
    image[y : y + chip.shape[0], x : x + chip.shape[1]] = chip.round()


@lru_cache(maxsize=1024)
def _coverage(text: str, size: int) -> NDArray[np.float32]:
    font = _font(_font_file(frozenset(text) - {" "}), size)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    # Letters without descenders still get the line's height, so that chips side by side look alike.
    ascent, descent = max(-top, 0.76 * size), max(bottom, 0.24 * size)
    margin = max(1, round(size / 6))
    width, height = int(np.ceil(right - left)) + 2 * margin, int(np.ceil(ascent + descent)) + margin
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).text((margin - left, margin / 2 + ascent), text, fill=255, font=font, anchor="ls")
    coverage = np.array(canvas, dtype=np.float32)
    coverage /= 255
    return coverage


@lru_cache(maxsize=64)
def _font(file: str | None, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size) if file is None else ImageFont.truetype(file, size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels bring FreeType"
    return font


@lru_cache(maxsize=1024)
def _font_file(characters: frozenset[str]) -> str | None:
    """The first font that can draw all the characters, or else most of them; None is Pillow's own."""
    best, most = None, -1
    for file in (None, *FONT_FILES):
        try:
            font = _font(file, 16)
        except OSError:  # not on this computer
            continue
        missing = _glyph(font, NO_CHARACTER)
        drawn = sum(_glyph(font, character) != missing for character in characters)
        if drawn == len(characters):
            return file
        if drawn > most:
            best, most = file, drawn
    if not _warned:  # each score beside a name is another text
        _warned.append(True)
        log.warning(
            "no font on this computer can draw all of %r, labels show empty boxes instead: "
            "install one that can, such as DejaVu Sans or Noto Sans CJK",
            "".join(sorted(characters)),
        )
    return best


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    canvas = Image.new("1", (32, 32))
    ImageDraw.Draw(canvas).text((8, 24), character, fill=1, font=font, anchor="ls")
    return canvas.tobytes()
