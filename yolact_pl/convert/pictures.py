"""Image files: finding them, their sizes, and the labels in mask images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from yolact_pl.convert.files import find_files
from yolact_pl.convert.labeled import EntryError
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.images.formats import image_suffixes

_ORIENTATION_TAG = 0x0112
_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF", "HEIF")
_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")
"""Compressions inside of a TIFF."""
_NUMBERS = ("1", "L", "P", "I", "I;16", "I;16B")
"""Pillow's modes with one value per pixel."""
UNREADABLE = "image that cannot be read"


def list_images(folder: Path) -> list[Path]:
    """All image files in a folder and its folders, sorted; without hidden ones.

    Raises:
        DataError: it is no folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder of the images.")
    return [path for path in find_files(folder, "**/*") if path.suffix.lower() in image_suffixes()]


def named(stem: str, files: dict[str, list[Path]], folder: Path, listed_in: object) -> Path:
    """The image with that name without suffix, of `by_stem`.

    Raises:
        EntryError: there is none, or several.
    """
    found = files.get(stem, [])
    if not found:
        raise EntryError(
            "image that does not exist", f"{folder} has no image {stem}, which {listed_in} names."
        )
    if len(found) > 1:
        raise EntryError(
            "images with the same name",
            f"{found[0]} and {found[1]} have the same name, so labels of both cannot be told apart.",
        )
    return found[0]


def by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Image files by their names without suffix."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(file.stem, []).append(file)
    return found


def picture_size(path: Path, stated: tuple[int, int] | None = None) -> tuple[int, int]:
    """(height, width) of an image file as it is displayed, EXIF orientation applied; without decoding it.

    Args:
        path: of the image.
        stated: the size in the annotations: returned if only the stored image has it.

    Raises:
        EntryError: the file is missing or no image.
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
    """The values of an indexed or gray mask, [H, W] integers.

    Raises:
        EntryError: the file is missing or damaged, has colors, a lossy format, or another size than
            (height, width).
    """
    with _open(path) as image:
        if _is_lossy(image):
            raise EntryError(
                "mask in a lossy format",
                f"{path} is a {image.format} file, whose compression changes the labels; write it as PNG, or "
                "put one file per object into a folder named after the image.",
            )
        if image.mode not in _NUMBERS:
            raise EntryError(
                "mask with colors",
                f"{path} has pixels of {image.mode}, not numbers; a mask of several objects must be an "
                "indexed or gray PNG.",
            )
        return _pixels(image, path, size)


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The shape in a mask of one object, [H, W] bool: where it is not black and not transparent.

    In a lossy format, "not black" means brighter than half of the brightest value. Alpha that is the same
    everywhere says nothing; it alone decides if everything visible is black.

    Raises:
        EntryError: the file is missing or damaged, or has another size than (height, width).
    """
    with _open(path) as image:
        lossy = _is_lossy(image)
        try:
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
            elif image.mode not in _NUMBERS:
                image = image.convert("RGB")
        except Exception as error:  # see _open
            raise _damaged(path, error) from None
        pixels = _pixels(image, path, size)
    values = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    covered = values > (values.max() / 2 if lossy else 0)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and np.ptp(pixels[..., 3]):
        visible = pixels[..., 3] > pixels[..., 3].min()
        covered = covered & visible if (covered & visible).any() else visible
    return covered


def _is_lossy(image: Image.Image) -> bool:
    return image.format in _LOSSY_FORMATS or image.info.get("compression") in _LOSSY_TIFF


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise EntryError(
            "image that does not exist", f"{path} does not exist; check the folders of images and masks."
        ) from None
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to SyntaxError
        raise EntryError(
            UNREADABLE, f"{path} is not a picture that can be read ({error}); replace it."
        ) from None


def _damaged(path: Path, error: Exception) -> EntryError:
    return EntryError(UNREADABLE, f"{path} is damaged ({error}); write it again.")


def _pixels(image: Image.Image, path: Path, size: tuple[int, int]) -> np.ndarray:
    if image.size != size[::-1]:
        raise EntryError(
            "mask of another size than its image",
            f"{path} is {image.height} x {image.width} (height x width) but its image is "
            f"{size[0]} x {size[1]}; both must have the same size.",
        )
    try:
        return np.array(image)
    except Exception as error:  # see _open
        raise _damaged(path, error) from None
