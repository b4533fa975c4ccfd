"""JPEGs decoded at a part of their size: the same place of the picture, each pixel about a mean."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from yolact_pl.data import dataset
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.images.placement import Placement

Write = Callable[..., tuple[Path, Path]]
reductions = pytest.mark.parametrize("reduction", [2, 4, 8])


def slopes(height: int, width: int) -> np.ndarray:
    """[H, W, 3] uint8 that rises by 2 a pixel to the right, and to below; at most 128 pixels a side."""
    y, x = np.mgrid[:height, :width]
    return np.stack((2 * x, 2 * y, x + y), 2).astype(np.uint8)


def means(pixels: np.ndarray, reduction: int) -> np.ndarray:
    """Of whole squares of pixels."""
    height, width = (side // reduction for side in pixels.shape[:2])
    whole = pixels[: height * reduction, : width * reduction].astype(np.float64)
    return whole.reshape(height, reduction, width, reduction, 3).mean((1, 3))


def write_jpeg(path: Path, pixels: np.ndarray, orientation: int = 1) -> Path:
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(pixels).save(path, "JPEG", quality=98, subsampling=0, exif=tags.tobytes())
    return path


@reductions
@pytest.mark.parametrize("size", [(64, 96), (61, 91)])
def test_a_reduced_jpeg_has_the_means_of_its_pixels(
    size: tuple[int, int], reduction: int, tmp_path: Path
) -> None:
    path = write_jpeg(tmp_path / "a.jpg", slopes(*size))
    read = read_image(path, size, reduction=reduction)
    assert read.shape == (-(-size[0] // reduction), -(-size[1] // reduction), 3)
    expected = means(slopes(*size), reduction)
    np.testing.assert_allclose(read[: len(expected), : expected.shape[1]], expected, atol=4)


def test_a_reduced_jpeg_is_turned_upright(tmp_path: Path) -> None:
    upright = slopes(64, 96)
    path = write_jpeg(tmp_path / "a.jpg", np.rot90(upright), orientation=6)
    np.testing.assert_allclose(read_image(path, (64, 96), reduction=4), means(upright, 4), atol=4)


def test_pictures_that_cannot_be_reduced_keep_their_size(tmp_path: Path) -> None:
    """Not a JPEG; inks; turned, with a last row that does not fill a square."""
    pixels = slopes(61, 96)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", reduction=4), pixels)
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "inks.jpg")
    assert read_image(tmp_path / "inks.jpg", reduction=4).shape == (61, 96, 3)
    path = write_jpeg(tmp_path / "turned.jpg", pixels, orientation=3)
    assert read_image(path, reduction=4).shape == (61, 96, 3)


def test_the_size_is_checked_to_the_pixel(tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "a.jpg", slopes(61, 91))
    with pytest.raises(ImageError, match=r"is 61 x 91 .* made for 62 x 91"):
        read_image(path, (62, 91), reduction=8)


def test_a_window_leaves_a_pixel_for_each_of_the_input() -> None:
    assert Window(0, 0, 4400, 4400).reduction((550, 550)) == 8
    assert Window(0, 0, 99_000, 4399).reduction((550, 550)) == 4
    assert Window(-50, 20, 1100, 2300).reduction((550, 550)) == 2
    assert Window(0, 0, 1099, 2300).reduction((550, 550)) == 1
    assert Window(0, 0, 200, 200).reduction((550, 550)) == 1
    placed = Window(0, 0, 1100, 600, placement=Placement((550, 550), 125, 0, 300, 550))
    assert placed.reduction((550, 550)) == 2


@reductions
@settings(max_examples=60, deadline=None)
@given(
    window=st.builds(
        Window,
        left=st.integers(-60, 60),
        top=st.integers(-60, 40),
        width=st.integers(32, 120),
        height=st.integers(32, 120),
        flip=st.booleans(),
    )
)
def test_a_window_shows_the_same_of_a_reduced_picture(window: Window, reduction: int) -> None:
    """A slope's means are the values at the middles of the squares, so that both ways see the same of it."""
    picture = slopes(96, 128)
    size = (window.height // reduction, window.width // reduction)
    part, place = window.cut(picture, size)
    reduced, reduced_place = window.cut(
        means(picture, reduction).round().astype(np.uint8), size, reduction=reduction
    )
    assert place == reduced_place
    # Within a square of the edges of what is visible the values level off.
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(reduced[inner], part[inner].astype(float), atol=2)


def reduced_set(tiny_coco: Write, **options: Any) -> TrainDataset:
    """The first image, 40 x 60, is a JPEG; the input has 16 x 24 pixels."""
    path, folder = tiny_coco()
    write_jpeg(folder / "0.png", slopes(40, 60))
    known = read_annotations(path, folder)
    return TrainDataset(known, folder, image_size=(16, 24), augment=NoAugmentation(), **options)


def test_samples_differ_little_and_their_objects_not(
    tiny_coco: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = reduced_set(tiny_coco)
    pixels, target = samples[(0, 0)]
    shapes = []

    def read(*arguments: Any, **options: Any) -> np.ndarray:
        image = read_image(*arguments, **options)
        shapes.append(image.shape[:2])
        return image

    monkeypatch.setattr(dataset, "read_image", read)
    samples.reduced_decoding = True
    reduced_pixels, reduced_target = samples[(0, 0)]
    assert shapes == [(20, 30)]
    difference = (reduced_pixels.float() - pixels.float())[:, 1:-1, 1:-1]
    assert difference.abs().max() <= 5
    for name in ("boxes", "masks", "labels"):
        np.testing.assert_array_equal(reduced_target[name], target[name])


def test_other_files_give_the_same_sample(tiny_coco: Write) -> None:
    samples = reduced_set(tiny_coco)
    pixels, _ = samples[(0, 3)]  # a PNG of 64 x 48
    samples.reduced_decoding = True
    np.testing.assert_array_equal(samples[(0, 3)][0], pixels)


def test_only_who_asks_reads_reduced(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    options: dict[str, Any] = {
        "image_size": 16,
        "batch_size": 1,
        "augment": NoAugmentation(),
        "num_workers": 0,
    }
    for wanted in ({}, {"reduced_decoding": True}):
        data = CocoDataModule(train_json=path, train_images=folder, **options, **wanted)
        trained = data.train_dataloader().dataset
        assert isinstance(trained, TrainDataset)
        assert trained.reduced_decoding == bool(wanted)
