"""Conversion of any image type to one kind of array."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, decode_image, image_pixels, read_image

if TYPE_CHECKING:
    from torch import Tensor

AnyImage: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | NDArray[np.uint8] | Image.Image | Tensor"
"""A path; the content of an image file, or an open binary file with it; an array uint8 [H, W, 3] RGB,
[H, W, 4] RGBA, [H, W, 1] or [H, W] grey; a Pillow image of any mode; a tensor [3, H, W] RGB, [4, H, W] RGBA,
[1, H, W] or [H, W] grey, uint8 in 0..255 or floating point in 0..1. Alpha is dropped."""
ImageStack: TypeAlias = "Sequence[AnyImage] | NDArray[np.uint8] | Tensor"
"""A list or tuple of images, or an array or a tensor with one more dimension in front."""
CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA."""


def is_one_image(images: "AnyImage | ImageStack") -> bool:
    """Whether it is an image and not several."""
    if isinstance(images, list | tuple):
        return False
    return getattr(images, "ndim", 3) != 4 or isinstance(images, memoryview)


def to_pixels(
    image: AnyImage, name: str = "image", *, value_range: ValueRange | None = None
) -> NDArray[np.uint8]:
    """An image as uint8 [H, W, 3] RGB; files and Pillow images are turned upright by their EXIF orientation.

    Args:
        image: see `AnyImage`; it is not changed. An open file is read from its start.
        name: for errors where there is no file name.
        value_range: of files and Pillow images with more than 8 bits, see `read_image`.

    Raises:
        ImageError: of another type, shape or range, or a file that holds no image.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(os.fspath(image), value_range=value_range)
    if isinstance(image, Image.Image):
        return image_pixels(image, name, value_range=value_range)
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image), name, value_range=value_range)
    if hasattr(image, "read"):
        return decode_image(_content(image, name), name, value_range=value_range)
    if hasattr(image, "detach"):
        return _tensor_pixels(image, name)
    if isinstance(image, np.ndarray):
        return _array_pixels(image, name)
    raise ImageError(
        f"{name} is a {type(image).__name__}: expected a path, bytes, an open binary file, a numpy array, "
        "a Pillow image or a tensor"
    )


def _content(file: Any, name: str) -> bytes:
    """All that an open file holds."""
    try:
        if file.seekable():
            file.seek(0)
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ImageError(f"{name} is an open file that cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise ImageError(f"{name} is a file opened as text: open it with mode 'rb'")
    return data


def _array_pixels(image: NDArray[Any], name: str) -> NDArray[np.uint8]:
    planes = image[:, :, None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or planes.ndim != 3 or planes.shape[2] not in CHANNELS or 0 in image.shape:
        raise ImageError(
            f"{name} is an array {image.dtype} of shape {tuple(image.shape)}: expected uint8 of shape "
            "(height, width, 3), channels RGB; or RGBA (height, width, 4), or grey (height, width)"
        )
    return planes.repeat(3, axis=2) if planes.shape[2] == 1 else planes[:, :, :3]


def _tensor_pixels(image: Any, name: str) -> NDArray[np.uint8]:
    """Of a tensor, by its own methods: torch is not imported for those who have none."""
    planes = image[None] if image.ndim == 2 else image
    if planes.ndim != 3 or planes.shape[0] not in CHANNELS or 0 in image.shape:
        raise ImageError(
            f"{name} is a tensor of shape {tuple(image.shape)}: expected (3, height, width), channels RGB; "
            "or RGBA (4, height, width), or grey (height, width)"
        )
    on_cpu = planes.detach().cpu().permute(1, 2, 0)
    if not image.is_floating_point():
        pixels = on_cpu.numpy()
        if pixels.dtype != np.uint8:
            raise ImageError(
                f"{name} is a tensor of {image.dtype}: expected uint8, or floating point in 0..1"
            )
        return _array_pixels(pixels, name)
    pixels = on_cpu.float().numpy()
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 1):  # also where there is a nan
        raise ImageError(
            f"{name} is a floating-point tensor from {low:g} to {high:g}: expected 0 to 1, "
            "not normalised; values in 0..255 are given as uint8"
        )
    return _array_pixels(np.rint(pixels * np.float32(255)).astype(np.uint8), name)
