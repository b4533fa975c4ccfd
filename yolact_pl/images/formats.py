"""File formats that can be read as images."""

import functools
import mimetypes
from pathlib import Path

from PIL import Image

_WITHOUT_PIXELS = ("EPS", "WMF", "GRIB", "HDF5", "BUFR", "MPEG")
"""Formats that Pillow only identifies, or has another program render."""


@functools.cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of the formats that the installed Pillow opens, lower case with a dot."""
    formats = Image.registered_extensions()
    return frozenset(
        suffix for suffix, name in formats.items() if name in Image.OPEN and name not in _WITHOUT_PIXELS
    )


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix, or by its content if the suffix is unknown or missing."""
    suffix = path.suffix.lower()
    return suffix in image_suffixes() or (mimetypes.guess_type(f"a{suffix}")[0] is None and opens(path))


def opens(path: Path) -> bool:
    """Whether the content is in one of these formats."""
    try:
        with Image.open(path) as image:
            return image.format not in _WITHOUT_PIXELS
    except Exception:  # Pillow's parsers raise anything, from struct.error to SyntaxError
        return False
