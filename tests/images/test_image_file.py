import io
import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from yolact_pl.images.image_file import ImageError, read_image


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """[H, W, 3] uint8, smooth, different in every corner and channel."""
    y, x = np.mgrid[:height, :width]
    return np.stack((x * 4, y * 6, (x + y) * 2), 2).astype(np.uint8)


def encode(pixels: np.ndarray, format: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def put(folder: Path, data: bytes, name: str = "a.bin") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


# What an upright picture looks like as stored, by EXIF orientation: the inverse of what the tag asks for.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),  # shown turned clockwise, so stored turned counter-clockwise
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_as_rgb(tmp_path: Path, format: str) -> None:
    read = read_image(put(tmp_path, encode(gradient(), format)))
    assert read.dtype == np.uint8
    assert read.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(read, gradient())


def test_jpeg_is_what_opencv_decodes(tmp_path: Path) -> None:
    data = encode(gradient(), "JPEG")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_image(put(tmp_path, data)), expected[:, :, ::-1])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, format: str, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](gradient()))
    path = put(tmp_path, encode(stored, format, exif=exif(orientation)))
    for size in (None, (40, 60)):
        np.testing.assert_allclose(read_image(path, size).astype(int), gradient(), atol=12)


def test_orientation_is_ignored_when_only_the_stored_picture_agrees(tmp_path: Path) -> None:
    path = put(tmp_path, encode(gradient(), "PNG", exif=exif(6)))
    assert read_image(path).shape == (60, 40, 3)
    np.testing.assert_array_equal(read_image(path, (40, 60)), gradient())


def test_square_pictures_are_turned(tmp_path: Path) -> None:
    path = put(tmp_path, encode(gradient(40, 40), "PNG", exif=exif(3)))
    np.testing.assert_array_equal(read_image(path, (40, 40)), gradient(40, 40)[::-1, ::-1])


def test_other_size_names_file_and_both_sizes(tmp_path: Path) -> None:
    path = put(tmp_path, encode(gradient(), "PNG"), "cat.png")
    with pytest.raises(ImageError, match=r"cat\.png is 40 x 60 .* 41 x 60"):
        read_image(path, (41, 60))


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack((gradient(), np.zeros((40, 60), np.uint8)))  # all transparent, still the colours
    buffer = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(buffer, "PNG")
    np.testing.assert_array_equal(read_image(put(tmp_path, buffer.getvalue())), gradient())


def test_one_channel_becomes_three(tmp_path: Path) -> None:
    gray = gradient()[:, :, 0]
    for mode in ("L", "LA"):
        read = read_image(put(tmp_path, encode(gray, "PNG", mode)))
        np.testing.assert_array_equal(read, np.repeat(gray[:, :, None], 3, 2))


def test_black_and_white(tmp_path: Path) -> None:
    read = read_image(put(tmp_path, encode(np.eye(8, dtype=bool), "PNG", "1")))
    np.testing.assert_array_equal(read[:, :, 0], np.eye(8) * 255)


def test_palette_with_transparency_gives_the_colours_of_the_palette(tmp_path: Path) -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((3, 1), 1)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    read = read_image(put(tmp_path, buffer.getvalue()))
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[1, 3].tolist() == [200, 100, 50]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))  # all cyan ink: no red light
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    np.testing.assert_allclose(read_image(put(tmp_path, buffer.getvalue()))[8, 8], [0, 255, 255], atol=6)


@pytest.mark.parametrize("extension", [".png", ".tiff", ".pgm"])
def test_16_bit_gray_is_scaled(tmp_path: Path, extension: str) -> None:
    values = np.array([[0, 255, 256, 0x1234], [0x8000, 0xFF00, 0xFFFE, 0xFFFF]], np.uint16)
    cv2.imwrite(str(tmp_path / f"a{extension}"), values)
    read = read_image(tmp_path / f"a{extension}")
    np.testing.assert_array_equal(read[:, :, 1], values >> 8)


def test_16_bit_colour_is_scaled(tmp_path: Path) -> None:
    values = gradient().astype(np.uint16) * 256 + 255
    cv2.imwrite(str(tmp_path / "a.png"), values[:, :, ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.95])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("WEBP", {}),
        ("PPM", {}),
    ],
)
def test_truncated_files_are_refused(
    tmp_path: Path, format: str, options: dict[str, object], keep: float
) -> None:
    data = encode(noise(), format, **options)
    path = put(tmp_path, data[: int(len(data) * keep)], "dog.img")
    with pytest.raises(ImageError, match=r"dog\.img"):
        read_image(path)


def test_truncated_jpeg_with_a_whole_thumbnail_is_refused(tmp_path: Path) -> None:
    thumbnail = encode(gradient(), "JPEG")
    segment = b"Exif\0\0" + thumbnail  # the thumbnail's end mark must not pass for the picture's
    data = encode(noise(), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    assert read_image(put(tmp_path, data)).shape == (64, 64, 3)
    with pytest.raises(ImageError):
        read_image(put(tmp_path, data[:-2000]))


def test_bytes_after_the_end_do_no_harm(tmp_path: Path) -> None:
    assert read_image(put(tmp_path, encode(gradient(), "JPEG") + b"\0" * 5000)).shape == (40, 60, 3)


def test_png_without_its_end_is_refused(tmp_path: Path) -> None:
    data = encode(noise(), "PNG")
    with pytest.raises(ImageError):
        read_image(put(tmp_path, data[: data.index(b"IEND") - 4]))


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "is empty"), (b"<html>not found</html>", "is not a picture"), (b"\xff\xd8", "a.bin")],
)
def test_files_without_a_picture_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        read_image(put(tmp_path, data))


def test_missing_files_folders_and_impossible_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg does not exist"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        read_image("a\0b.jpg")


def test_huge_headers_are_refused_before_decoding(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    with pytest.raises(ImageError, match="pixels"):
        read_image(put(tmp_path, b"\x89PNG\r\n\x1a\n" + chunks))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    format=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"]),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
    end=st.floats(0, 1),
)
def test_damaged_files_give_a_picture_or_an_image_error(
    tmp_path: Path, format: str, places: list[tuple[float, int]], end: float
) -> None:
    data = bytearray(encode(gradient(16, 16), format))
    for place, value in places:
        data[int(place * len(data))] = value
    path = put(tmp_path, bytes(data[: int(end * len(data)) + 1]))
    try:
        read = read_image(path)
    except ImageError as error:
        message = str(error)
    else:
        assert (read.dtype, read.ndim) == (np.uint8, 3)
        return
    assert str(path) in message


class Pictures(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image("/nowhere/cat.jpg")


def test_a_worker_s_error_reaches_the_user_as_one_sentence() -> None:
    with pytest.raises(ImageError) as caught:
        next(iter(torch.utils.data.DataLoader(Pictures(), num_workers=1)))
    assert str(caught.value) == "/nowhere/cat.jpg does not exist; check the images folder and the file names."


def test_errors_can_be_pickled() -> None:
    assert str(pickle.loads(pickle.dumps(ImageError("a.jpg is empty.")))) == "a.jpg is empty."
