"""Reading one picture from disk, whatever its flavour, as upright RGB bytes."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 178_000_000
"""Larger pictures are refused: decoded they take more than half a gigabyte each."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
"""What is taken for a picture where a folder is searched."""

_ORIENTATION_TAG = 0x0112
_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_OPENCV_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
# Palettes, alpha and inks need a conversion that OpenCV leaves out, or does without the colour table.
_OPENCV_MODES = ("RGB", "L", "I;16", "I;16B", "I")


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


def read_image(path: str | Path, size: tuple[int, int] | None = None, *, reduction: int = 1) -> np.ndarray:
    """Read a picture as uint8 [H, W, 3] RGB; 16-bit files are scaled to 8 bits, alpha is dropped.

    Args:
        path: any file that OpenCV or Pillow reads; of an animation the first frame.
        size: the (height, width) that the annotations speak of. The EXIF orientation is applied if the
            upright picture has this size, and ignored if only the stored one has it. None: always applied.
        reduction: 2, 4 or 8: a JPEG is decoded at this part of its height and width, rounded up, where each
            pixel is about the mean of those that it stands for; other files at their full size, as well as
            pictures that are to be turned and cannot be divided so.

    Raises:
        ImageError: the file is missing, empty, truncated, no picture, too large, or of another size.
    """
    pixels, orientation, stored = _decode(_read(path), path, reduction)
    return _orient(pixels, orientation, stored, size, path)


def read_stored(path: str | Path) -> tuple[np.ndarray, int]:
    """The pixels as they are stored, uint8 [H, W, 3] RGB, and the EXIF orientation, 1 (upright) to 8.

    Raises:
        ImageError: as `read_image`, whatever the size.
    """
    pixels, orientation, _ = _decode(_read(path), path)
    return pixels, orientation


def _read(path: str | Path) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the images folder and the file names.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}; check the path.") from None
    except ValueError as error:  # a name that no file system takes
        raise ImageError(f"{path!r} cannot be read: {error}; correct the file name.") from None
    if not data:
        raise ImageError(f"{path} is empty; replace or remove the file.")
    return data


def image_pixels(image: Image.Image, name: str) -> np.ndarray:
    """The pixels of a Pillow image like those of a file: uint8 [H, W, 3] RGB, upright.

    Args:
        image: of any mode but floating point; read from its file if it was not yet.
        name: for errors.

    Raises:
        ImageError: it is too large, its file damaged, or it has no pixels that can be shown.
    """
    _check_header(image, name)
    return turn_upright(_decode_pillow(image, name), _orientation(image))


def _decode(data: bytes, path: str | Path, reduction: int = 1) -> tuple[np.ndarray, int, tuple[int, int]]:
    """Pixels as stored, the EXIF orientation (1..8), and (height, width) without the reduction."""
    try:
        header = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not a picture in a format that can be read; replace the file.") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path} has more than {MAX_PIXELS} pixels; scale or tile it first.") from None
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to SyntaxError
        raise ImageError(f"{path} has a damaged header ({error}); replace the file.") from None
    if data[:8] == _PNG_START and b"IEND" not in data:  # Pillow is content if only the end mark is missing
        raise ImageError(f"{path} is truncated; replace the file.")
    _check_header(header, path)
    reduction = _possible_reduction(header, data, reduction)
    pixels = _decode_opencv(data, reduction) if header.mode in _OPENCV_MODES and _is_complete(data) else None
    if pixels is None:
        pixels, reduction = _decode_pillow(header, path), 1
    stored = (pixels.shape[0], pixels.shape[1]) if reduction == 1 else (header.height, header.width)
    return pixels, 1 if _is_png_without_exif(data) else _orientation(header), stored


def _possible_reduction(header: Image.Image, data: bytes, wanted: int) -> int:
    """Only JPEGs; those that are turned if they can be divided so: what is left over would come first."""
    if wanted == 1 or data[:2] != _JPEG_START:
        return 1
    divisible = header.width % wanted == header.height % wanted == 0
    return wanted if divisible or _orientation(header) == 1 else 1


def _check_header(image: Image.Image, path: str | Path) -> None:
    """What can be refused before anything is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path} is {height} x {width}, more than {MAX_PIXELS} pixels; scale or tile it first."
        )
    if width * height == 0:
        raise ImageError(f"{path} has no pixels; replace the file.")
    if image.mode.startswith("F"):
        raise ImageError(f"{path} has floating-point pixels; convert it to 8 or 16 bits.")
    if image.format == "EPS":  # Pillow would have another program run it
        raise ImageError(f"{path} is PostScript and not an image of pixels; convert it to PNG.")


def _decode_opencv(data: bytes, reduction: int) -> np.ndarray | None:
    try:
        flags = _OPENCV_FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def _decode_pillow(image: Image.Image, path: str | Path) -> np.ndarray:
    try:
        if image.mode.startswith("I"):  # Pillow's own conversion clips 16 bits at 255 instead of scaling them
            upper = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
            return np.repeat(upper[:, :, None], 3, axis=2)
        return np.array(image.convert("RGB"))
    except Exception as error:  # see _decode
        raise ImageError(f"{path} is truncated or damaged ({error}); replace the file.") from None


def _is_complete(data: bytes) -> bool:
    """Whether it is a JPEG or PNG with its end mark: OpenCV decodes half of any file without a word."""
    if data[:2] == _JPEG_START:
        # Inside of compressed data ff is always followed by 00 or a restart mark, so ffd9 after the scan's
        # start is the end; an embedded thumbnail has an end mark too, but lies before the start.
        return data[-2:] == b"\xff\xd9" or data.find(b"\xff\xd9", _scan_start(data)) >= 0
    return data[:8] == _PNG_START  # its end mark was checked


def _scan_start(data: bytes) -> int:
    """Where the first compressed scan of a JPEG begins; the file's end if there is none."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            return position
    return len(data)


def _is_png_without_exif(data: bytes) -> bool:
    """Of a PNG Pillow would decode all pixels to find out."""
    return data[:8] == _PNG_START and b"eXIf" not in data and b"Raw profile type" not in data


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
