"""Image files: finding them, their sizes, and the numbers in indexed masks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.images.image_file import IMAGE_SUFFIXES

_ORIENTATION_TAG = 0x0112


def list_images(folder: Path) -> list[Path]:
    """All image files in a folder and its folders, sorted.

    Raises:
        DataError: it is no folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder of the images.")
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Image files by their names without ending.

    Raises:
        DataError: two files of the same name.
    """
    found: dict[str, Path] = {}
    for file in files:
        other = found.setdefault(file.stem, file)
        if other is not file:
            raise DataError(f"{other} and {file} have the same name, so labels of both cannot be told apart.")
    return found


def picture_size(path: Path, stated: tuple[int, int] | None = None) -> tuple[int, int]:
    """(height, width) of an image file as it is shown, its rotation mark applied; pixels are not decoded.

    Args:
        path: of the image.
        stated: the size that the annotations speak of: if only the stored picture has it, that is given.

    Raises:
        DataError: the file is missing or no picture.
    """
    with _open(path) as image:
        width, height = image.size
        # Of a PNG without this entry Pillow would decode all pixels to find a mark behind them.
        asked = image.format != "PNG" or "exif" in image.info
        try:
            turned = asked and image.getexif().get(_ORIENTATION_TAG, 1) in range(5, 9)
        except Exception:  # Pillow's parsers raise anything; damaged EXIF says nothing about the pixels
            turned = False
    return (width, height) if turned and stated != (height, width) else (height, width)


def read_indices(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The numbers of an indexed or gray mask, [H, W] integers.

    Raises:
        DataError: the file is missing or damaged, has colors, or another size than (height, width).
    """
    with _open(path) as image:
        if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise DataError(
                f"{path} has pixels of {image.mode}, not numbers; a mask of several objects must be an "
                "indexed or gray PNG."
            )
        return _pixels(image, path, size)


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Where a mask of one object is not black, [H, W] bool; alpha does not count.

    Raises:
        DataError: the file is missing or damaged, or has another size than (height, width).
    """
    with _open(path) as image:
        if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B", "RGB"):
            try:
                image = image.convert("RGB" if image.mode not in ("LA", "La") else "L")
            except Exception as error:  # see _pixels
                raise DataError(f"{path} is damaged ({error}); write it again.") from None
        pixels = _pixels(image, path, size)
    covered = pixels != 0
    return np.logical_or.reduce(covered, axis=2) if covered.ndim == 3 else covered


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the folders of images and masks.") from None
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to SyntaxError
        raise DataError(f"{path} is not a picture that can be read ({error}); replace it.") from None


def _pixels(image: Image.Image, path: Path, size: tuple[int, int]) -> np.ndarray:
    if image.size != size[::-1]:
        raise DataError(
            f"{path} is {image.height} x {image.width} (height x width) but its image is "
            f"{size[0]} x {size[1]}; both must have the same size."
        )
    try:
        return np.array(image)
    except Exception as error:  # see _open
        raise DataError(f"{path} is damaged ({error}); write it again.") from None
