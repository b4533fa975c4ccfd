"""Image files of any format as upright RGB bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from yolact_pl.images.completeness import JPEG_START, PNG_START, is_complete
from yolact_pl.images.depth import ValueRange, deep_values, stated_range

MAX_PIXELS = 178_000_000
"""Larger pictures are refused: decoded they take more than half a gigabyte each."""

_ORIENTATION_TAG = 0x0112
_OPENCV_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
# Palettes, alpha and inks need a conversion that OpenCV leaves out, or does without the colour table.
_OPENCV_MODES = ("RGB", "L")


def is_file(path: Path) -> bool:
    """Whether there is such a file; false as well for a name that no file system takes."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


class ImageError(ValueError):
    """A picture that cannot be used; the message is one sentence that names the file.

    A DataLoader raises a worker's exception anew with the worker's traceback as its message; of that only the
    sentence is kept.
    """

    def __init__(self, message: str) -> None:
        if message.startswith("Caught "):
            message = message.rpartition(f"{type(self).__name__}: ")[2].strip()
        super().__init__(message)


def read_image(
    path: str | Path,
    size: tuple[int, int] | None = None,
    *,
    reduction: int = 1,
    value_range: ValueRange | None = None,
) -> np.ndarray:
    """Read an image as uint8 [H, W, 3] RGB; more than 8 bits are scaled to 8, alpha is dropped.

    Args:
        path: any file that OpenCV or Pillow reads; of an animation the first frame.
        size: the (height, width) that the annotations speak of. The EXIF orientation is applied if the
            upright picture has this size, and ignored if only the stored one has it. None: always applied.
        reduction: 2, 4 or 8: a JPEG is decoded at this part of its height and width, rounded up, where each
            pixel is about the mean of those that it stands for; other files at their full size, as well as
            pictures that are to be turned and cannot be divided so.
        value_range: values that become 0 and 255 in files with more than 8 bits that do not state it. None:
            as the file's own values suggest, see `ValueRange.of`.

    Raises:
        ImageError: the file is missing, empty, truncated, no picture, too large, or of another size.
    """
    pixels, orientation, stored = _decode(_read(path), path, reduction, value_range)
    return _orient(pixels, orientation, stored, size, path)


def read_stored(path: str | Path, *, value_range: ValueRange | None = None) -> tuple[np.ndarray, int]:
    """The pixels as they are stored, uint8 [H, W, 3] RGB, and the EXIF orientation, 1 (upright) to 8.

    Raises:
        ImageError: as `read_image`, whatever the size.
    """
    pixels, orientation, _ = _decode(_read(path), path, value_range=value_range)
    return pixels, orientation


def read_values(path: str | Path) -> np.ndarray | None:
    """The values of a file with more than 8 bits that does not state their range; None for other files.

    Raises:
        ImageError: as `read_image`, whatever the size.
    """
    data = _read(path)
    header = _open(data, path)
    if stated_range(header) is not None:
        return None
    with _told_as_damage(path):
        return deep_values(header, data)


def stored_size(path: str | Path) -> tuple[tuple[int, int], int]:
    """(height, width) as stored and the EXIF orientation, without decoding; (0, 0) if it cannot be read."""
    try:
        with Image.open(path) as header:
            decodes = header.format == "PNG" and "exif" not in header.info  # to find out
            return (header.height, header.width), 1 if decodes else _orientation(header)
    except Exception:  # Pillow's parsers raise anything; told when the image is read
        return (0, 0), 1


def _read(path: str | Path) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the images folder and the file names.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}; check the path.") from None
    except ValueError as error:  # a name that no file system takes
        raise ImageError(f"{path!r} cannot be read: {error}; correct the file name.") from None
    return data


def decode_image(
    data: bytes, name: str, *, value_range: ValueRange | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """The content of an image file as uint8 [H, W, 3] RGB, upright.

    Args:
        data: of any format that OpenCV or Pillow reads.
        name: for errors.
        value_range: if it has more than 8 bits, see `read_image`.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: it is empty, truncated, no image, or too large.
    """
    pixels, orientation, _ = _decode(data, name, value_range=value_range, max_pixels=max_pixels)
    return turn_upright(pixels, orientation)


def image_pixels(image: Image.Image, name: str, *, value_range: ValueRange | None = None) -> np.ndarray:
    """The pixels of a Pillow image like those of a file: uint8 [H, W, 3] RGB, upright.

    Args:
        image: of any mode; read from its file if it was not yet.
        name: for errors.
        value_range: if it has more than 8 bits, see `read_image`.

    Raises:
        ImageError: it is too large, its file damaged, or it has no pixels that can be shown.
    """
    _check_header(image, name)
    return turn_upright(_decode_pillow(image, name, value_range=value_range), _orientation(image))


def _decode(
    data: bytes,
    path: str | Path,
    reduction: int = 1,
    value_range: ValueRange | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[np.ndarray, int, tuple[int, int]]:
    """Pixels as stored, the EXIF orientation (1..8), and (height, width) without the reduction."""
    header = _open(data, path, max_pixels)
    reduction = _possible_reduction(header, data, reduction)
    pixels = _decode_opencv(data, reduction) if header.mode in _OPENCV_MODES and is_complete(data) else None
    if pixels is None:
        pixels, reduction = _decode_pillow(header, path, data, value_range), 1
    stored = (pixels.shape[0], pixels.shape[1]) if reduction == 1 else (header.height, header.width)
    return pixels, 1 if _is_png_without_exif(data) else _orientation(header), stored


def _open(data: bytes, path: str | Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image in a file's content, which was checked as far as its header tells."""
    if not data:
        raise ImageError(f"{path} is empty; replace or remove the file.")
    try:
        header = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not a picture in a format that can be read; replace the file.") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path} has more than {MAX_PIXELS} pixels; scale or tile it first.") from None
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to SyntaxError
        raise ImageError(f"{path} has a damaged header ({error}); replace the file.") from None
    if data[:8] == PNG_START and b"IEND" not in data:  # Pillow is content if only the end mark is missing
        raise ImageError(f"{path} is truncated; replace the file.")
    _check_header(header, path, max_pixels)
    return header


def _possible_reduction(header: Image.Image, data: bytes, wanted: int) -> int:
    """Only JPEGs; those that are turned if they can be divided so: what is left over would come first."""
    if wanted == 1 or data[:2] != JPEG_START:
        return 1
    divisible = header.width % wanted == header.height % wanted == 0
    return wanted if divisible or _orientation(header) == 1 else 1


def _check_header(image: Image.Image, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
    """What can be refused before anything is decoded."""
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"{path} is {height} x {width}, more than {max_pixels} pixels; scale or tile it first."
        )
    if width * height == 0:
        raise ImageError(f"{path} has no pixels; replace the file.")
    if image.format == "EPS":  # Pillow would have another program run it
        raise ImageError(f"{path} is PostScript and not an image of pixels; convert it to PNG.")


def _decode_opencv(data: bytes, reduction: int) -> np.ndarray | None:
    try:
        flags = _OPENCV_FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def _decode_pillow(
    image: Image.Image,
    path: str | Path,
    data: bytes | None = None,
    value_range: ValueRange | None = None,
) -> np.ndarray:
    with _told_as_damage(path):
        values = deep_values(image, data)
        if values is None:
            return np.array(image.convert("RGB"))
        value_range = stated_range(image) or value_range or ValueRange.of(values)
        pixels = value_range.to_bytes(values)
        return np.ascontiguousarray(pixels) if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


@contextmanager
def _told_as_damage(path: str | Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # see _open
        raise ImageError(f"{path} is truncated or damaged ({error}); replace the file.") from None


def _is_png_without_exif(data: bytes) -> bool:
    """Of a PNG Pillow would decode all pixels to find out."""
    return data[:8] == PNG_START and b"eXIf" not in data and b"Raw profile type" not in data


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _orient(
    pixels: np.ndarray,
    orientation: int,
    stored: tuple[int, int],
    size: tuple[int, int] | None,
    path: str | Path,
) -> np.ndarray:
    upright = stored if orientation < 5 else stored[::-1]
    if size is None or upright == tuple(size):
        return turn_upright(pixels, orientation)
    if stored == tuple(size):
        return pixels
    raise ImageError(
        f"{path} is {upright[0]} x {upright[1]} (height x width) but its annotations were made for "
        f"{size[0]} x {size[1]}; correct the json's height and width or the file."
    )


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels [H, W, 3] as they are meant to be seen; from orientation 5 on the sides are swapped."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
