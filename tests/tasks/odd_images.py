"""Image files as they are found in the wild: of rare kinds, cut off, damaged, or no images at all."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

SUFFIX_OF = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "BMP": "bmp", "WEBP": "webp", "TIFF": "tif"}


class OddFile(NamedTuple):
    """One file to be made."""

    name: str
    data: bytes
    readable: bool | None
    """Whether it holds a picture; None: that depends on where it was hit."""


def odd_files(count: int, seed: int = 0) -> list[OddFile]:
    """So many files, each kind in turn, none like another and none larger than 100 kB."""
    random = np.random.default_rng(seed)
    kinds = sorted(KINDS)
    files = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        suffix, data, readable = KINDS[kind](random)
        files.append(OddFile(f"{number:03} {kind}.{suffix}", data, readable))
    return files


Made = tuple[str, bytes, bool | None]
Random = np.random.Generator


def _picture(random: Random, mode: str = "RGB") -> Image.Image:
    height, width = random.integers(8, 90, 2)
    coarse = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(np.asarray(cv2.resize(coarse, (int(width), int(height))))).convert(mode)


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _whole(random: Random, mode: str, *formats: str, **options: object) -> Made:
    format = formats[random.integers(len(formats))]
    return SUFFIX_OF[format], _saved(_picture(random, mode), format, **options), True


def _sound(random: Random) -> tuple[str, bytes]:
    suffix, data, _ = _whole(random, "RGB", "JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
    return suffix, data


def _solid(height: int, width: int) -> Made:
    return "png", _saved(Image.new("RGB", (width, height), (9, 99, 199)), "PNG"), True


def _truncated(random: Random) -> Made:
    suffix, data, _ = _whole(random, "RGB", "JPEG", "PNG", "WEBP")
    return suffix, data[: int(len(data) * random.uniform(0.02, 0.95))], False


def _truncated_others(random: Random) -> Made:
    suffix, data, _ = _whole(random, "RGB", "GIF", "BMP", "TIFF")
    return suffix, data[: int(len(data) * random.uniform(0.02, 0.95))], None


def _flipped_bytes(random: Random) -> Made:
    suffix, data = _sound(random)
    damaged = bytearray(data)
    for place in random.integers(0, len(data), 1 + len(data) // 200):
        damaged[place] ^= int(random.integers(1, 256))
    return suffix, bytes(damaged), None


def _zeros_inside(random: Random) -> Made:
    """What a disk leaves after a crash: the length is right, the rest is zero; WebP has no checksum."""
    suffix, data, _ = _whole(random, "RGB", "PNG", "WEBP")
    start = int(len(data) * random.uniform(0, 0.6))
    return suffix, data[:start] + bytes(len(data) - start), None if suffix == "webp" and start > 30 else False


def _sixteen_bit(random: Random) -> Made:
    pixels = random.integers(0, 65536, (20, 30, int(random.choice([1, 3, 4]))), dtype=np.uint16)
    suffix = str(random.choice(["png", "tif"]))
    return suffix, cv2.imencode(f".{suffix}", pixels)[1].tobytes(), True


def _floating(random: Random) -> Made:
    image = Image.fromarray(random.random((12, 9), dtype=np.float32))
    return "tif", _saved(image, "TIFF"), True


def _animated(random: Random) -> Made:
    first = _picture(random)
    more = [Image.new("RGB", first.size, tuple(random.integers(0, 256, 3).tolist())) for _ in range(3)]
    format = str(random.choice(["GIF", "WEBP", "PNG"]))
    return SUFFIX_OF[format], _saved(first, format, save_all=True, append_images=more), True


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _huge_png(random: Random) -> Made:
    sides = random.integers(20_000, 2**31 - 1, 2).tolist()
    body = _chunk(b"IHDR", struct.pack(">IIBBBBB", *sides, 8, 2, 0, 0, 0))
    body += _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b"")
    return "png", b"\x89PNG\r\n\x1a\n" + body, False


def _huge_jpeg(random: Random) -> Made:
    data = bytearray(_saved(_picture(random), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", *random.integers(30_000, 65_535, 2).tolist())
    return "jpg", bytes(data), False


def _huge_gif(random: Random) -> Made:
    data = bytearray(_saved(_picture(random), "GIF"))
    data[6:10] = struct.pack("<HH", 65_535, int(random.integers(20_000, 65_535)))
    return "gif", bytes(data), False


def _huge_bmp(random: Random) -> Made:
    data = bytearray(_saved(_picture(random), "BMP"))
    data[18:26] = struct.pack("<ii", *random.integers(20_000, 2**31 - 1, 2).tolist())
    return "bmp", bytes(data), False


def _inflating_text(random: Random) -> Made:
    """A PNG of a few kB with a comment that unpacks to many MB."""
    data = _saved(_picture(random), "PNG")
    comment = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    return "png", data[:33] + comment + data[33:], None


def _something_else(random: Random) -> Made:
    texts = [
        b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n",
        b"P6\n99999999 99999999\n255\nabc",
        b"\xff\xd8\xff\xe0 no picture",
        random.bytes(300),
    ]
    suffix = str(random.choice(["jpg", "png", "gif", "webp", "tiff", "jp2", "ppm"]))
    return suffix, texts[random.integers(len(texts))], False


def _turned(random: Random) -> Made:
    exif = Image.Exif()
    exif[0x0112] = int(random.integers(0, 12))
    return _whole(random, "RGB", "JPEG", "PNG", "WEBP", exif=exif)


KINDS: dict[str, Callable[[Random], Made]] = {
    "nothing": lambda random: ("jpg", b"", False),
    "zero bytes": lambda random: ("png", bytes(int(random.integers(1, 5000))), False),
    "truncated": _truncated,
    "truncated too": _truncated_others,
    "flipped bytes": _flipped_bytes,
    "zeros inside": _zeros_inside,
    "one pixel": lambda random: _solid(1, 1),
    "one row": lambda random: _solid(1, 4000),
    "one column": lambda random: _solid(4000, 1),
    "sixteen bit": _sixteen_bit,
    "floating point": _floating,
    "cmyk": lambda random: _whole(random, "CMYK", "JPEG", "TIFF"),
    "palette": lambda random: _whole(random, "P", "PNG", "GIF", "BMP"),
    "transparent palette": lambda random: _whole(random, "P", "PNG", "GIF", transparency=3),
    "transparent": lambda random: _whole(random, "RGBA", "PNG", "WEBP", "TIFF"),
    "grey and alpha": lambda random: _whole(random, "LA", "PNG", "TIFF"),
    "black and white": lambda random: _whole(random, "1", "PNG", "BMP", "TIFF"),
    "grey": lambda random: _whole(random, "L", "JPEG", "PNG", "BMP"),
    "progressive": lambda random: _whole(random, "RGB", "JPEG", progressive=True),
    "animated": _animated,
    "turned": _turned,
    "huge png": _huge_png,
    "huge jpeg": _huge_jpeg,
    "huge gif": _huge_gif,
    "huge bmp": _huge_bmp,
    "inflating text": _inflating_text,
    "something else": _something_else,
    "[brackets] ünï": lambda random: _whole(random, "RGB", "JPEG"),
}
