"""Images of more than 8 bits: no file becomes black because nobody said how its values are scaled."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from yolact_pl.images.any_image import to_pixels
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, image_pixels, read_image

RAMP = np.linspace(0, 1, 48).reshape(6, 8)


def written(folder: Path, values: np.ndarray, suffix: str, **options: Any) -> Path:
    path = folder / f"a.{suffix}"
    if suffix == "png":
        cv2.imwrite(str(path), values[..., ::-1] if values.ndim == 3 else values)
    else:
        Image.fromarray(values).save(path, **options)
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_whole_numbers_of_any_bits_lose_the_lower_ones(tmp_path: Path, bits: int, suffix: str) -> None:
    values = np.rint(RAMP * (2**bits - 1)).astype(np.uint16)
    read = read_image(written(tmp_path, values, suffix))
    np.testing.assert_array_equal(read, np.repeat((values >> (bits - 8))[..., None], 3, axis=2))


def test_colours_of_12_bits(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (6, 8, 3), dtype=np.uint16)
    values[0, 0] = 0, 1000, 4095
    np.testing.assert_array_equal(read_image(written(tmp_path, values, "png")), values >> 4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((RAMP * 255).astype(np.int32), np.floor(RAMP * 255)),
        (RAMP.astype(np.float32), np.rint(RAMP * 255)),
        ((RAMP * 255).astype(np.float32), np.rint(RAMP * 255)),
        ((RAMP * 4096 - 1024).astype(np.int32), np.floor(RAMP * 256)),  # as of a scanner: air is -1024
    ],
)
def test_wide_numbers(tmp_path: Path, values: np.ndarray, expected: np.ndarray) -> None:
    path = written(tmp_path, values, "tif")
    np.testing.assert_allclose(read_image(path)[..., 1], np.minimum(expected, 255), atol=1)
    np.testing.assert_array_equal(image_pixels(Image.open(path), "it"), read_image(path))


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    read = read_image(written(tmp_path, values, "tif"))
    assert read[0, 0].tolist() == read[0, 2].tolist() == [0, 0, 0]
    assert read[-1, -1].tolist() == [255, 255, 255]


def test_a_given_range_counts_and_a_stated_one_more(tmp_path: Path) -> None:
    values = (RAMP * 900).astype(np.uint16)
    given = ValueRange(0, 4095)
    path = written(tmp_path, values, "tif")
    np.testing.assert_array_equal(read_image(path, value_range=given)[..., 0], values >> 4)
    stated = written(tmp_path, values, "tif", tiffinfo={281: 16383})
    np.testing.assert_array_equal(read_image(stated, value_range=given)[..., 0], values >> 6)


def test_values_beyond_the_range_are_clipped(tmp_path: Path) -> None:
    read = read_image(
        written(tmp_path, (RAMP * 65535).astype(np.uint16), "png"), value_range=ValueRange(0, 255)
    )
    assert read.max() == 255
    assert (read[1:] == 255).all()


def test_files_of_8_bits_do_not_change(tmp_path: Path) -> None:
    values = np.rint(RAMP * 20).astype(np.uint8)
    read = read_image(written(tmp_path, values, "png"), value_range=ValueRange(0, 4095))
    np.testing.assert_array_equal(read[..., 0], values)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
def test_damaged_files_are_told(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 4096, shape, dtype=np.uint16)
    path = written(tmp_path, values, "png")
    path.write_bytes(path.read_bytes()[:3000] + b"IEND")
    with pytest.raises(ImageError, match="truncated or damaged"):
        read_image(path)


@given(
    bits=st.integers(1, 32),
    kind=st.sampled_from(["int32", "float32", "uint16"]),
    low=st.sampled_from([0, 0, -1000]),
    seed=st.integers(0, 99),
)
def test_no_image_with_content_is_black(bits: int, kind: str, low: int, seed: int) -> None:
    high = min(2**bits - 1, np.iinfo(kind).max if kind != "float32" else 2**32)
    values = np.random.default_rng(seed).uniform(0 if kind == "uint16" else low, high, (4, 8)).astype(kind)
    values[0, 0] = high
    pixels = ValueRange.of(values).to_bytes(values)
    assert pixels.max() > 60 or (kind != "float32" and high < 64)  # few values of whole numbers are 8 bits
    order = np.argsort(values.ravel(), kind="stable")
    assert (np.diff(pixels.ravel()[order].astype(int)) >= 0).all()


def test_memory_files_are_scaled_too() -> None:
    buffer = io.BytesIO()
    Image.fromarray((RAMP * 4095).astype(np.uint16)).save(buffer, "PNG")
    assert image_pixels(Image.open(buffer), "it").max() == 255


def test_library_and_files_share_the_scale_of_training(tmp_path: Path) -> None:
    path = written(tmp_path, (RAMP * 900).astype(np.uint16), "tif")
    trained = ValueRange(0, 4095)
    expected = read_image(path, value_range=trained)
    assert expected.max() == 900 >> 4
    for image in (path, str(path), Image.open(path)):
        np.testing.assert_array_equal(to_pixels(image, value_range=trained), expected)
