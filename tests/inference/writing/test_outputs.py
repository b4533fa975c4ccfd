from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from yolact_pl.inference.drawing.colors import index_color
from yolact_pl.inference.writing.outputs import (
    file_name,
    write_cutouts,
    write_index_mask,
    write_instance_masks,
    write_picture,
)
from yolact_pl.results.detections import Detections


def two_overlapping_masks() -> np.ndarray:
    """The better one is rows 2..5, columns 1..4, the other rows 4..7, columns 3..8."""
    masks = np.zeros((2, 10, 12), dtype=np.bool_)
    masks[0, 2:6, 1:5] = True
    masks[1, 4:8, 3:9] = True
    return masks


def found(masks: np.ndarray, labels: list[int] | None = None) -> Detections:
    count = len(masks)
    return Detections.from_masks(
        boxes=np.zeros((count, 4)), scores=np.ones(count), labels=labels or [0] * count, masks=masks
    )


def test_pictures_keep_their_channels_and_transparency(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for channels, mode in ((3, "RGB"), (4, "RGBA")):
        picture = random.integers(0, 256, (7, 9, channels), dtype=np.uint8)
        path = write_picture(tmp_path / "ünï 図" / "new" / f"{mode}.png", picture)
        with Image.open(path) as image:
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image), picture)


def test_a_picture_too_long_for_jpeg_becomes_a_png(tmp_path: Path) -> None:
    written = write_picture(tmp_path / "long.jpg", np.full((1, 66_000, 3), 77, dtype=np.uint8))
    assert written == tmp_path / "long.png"
    assert [path.name for path in tmp_path.iterdir()] == ["long.png"]
    with Image.open(written) as image:
        assert image.size == (66_000, 1)


def test_index_mask_numbers_the_objects_and_the_better_one_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "masks" / "some.png"
    write_index_mask(path, found(two_overlapping_masks()))
    expected = np.zeros((10, 12), dtype=np.uint8)
    expected[4:8, 3:9] = 2
    expected[2:6, 1:5] = 1
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), expected)
        shown = np.asarray(image.convert("RGB"))
    assert tuple(shown[0, 0]) == (0, 0, 0)
    assert tuple(shown[2, 1]) == index_color(0)
    assert tuple(shown[7, 8]) == index_color(1)


@pytest.mark.parametrize("count", [0, 255])
def test_index_mask_of_none_and_of_the_most(count: int, tmp_path: Path) -> None:
    masks = np.zeros((count, 16, 16), dtype=np.bool_)
    for index in range(count):
        masks[index].reshape(-1)[index] = True
    write_index_mask(tmp_path / "some.png", found(masks))
    with Image.open(tmp_path / "some.png") as image:
        pixels = np.asarray(image).reshape(-1)
    np.testing.assert_array_equal(pixels, [*range(1, count + 1), *[0] * (256 - count)])


def test_cutouts_are_the_objects_own_pixels_named_by_rank_and_class(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    masks = np.concatenate((two_overlapping_masks(), np.zeros((1, 10, 12), dtype=np.bool_)))
    masks[0, 3, 2] = False  # a hole
    folder = tmp_path / "cutouts"
    write_cutouts(folder, image, found(masks, [1, 0, 0]), ["traffic light", "a/b: c"])
    names = ["01_a_b_c.png", "02_traffic_light.png"]  # none for the empty mask
    assert sorted(path.name for path in folder.iterdir()) == names
    first, second = (np.asarray(Image.open(folder / name)) for name in names)
    np.testing.assert_array_equal(first[..., :3], image[2:6, 1:5])
    np.testing.assert_array_equal(second[..., :3], image[4:8, 3:9])
    assert second[..., 3].min() == 255
    hole = np.full((4, 4), 255)
    hole[1, 1] = 0
    np.testing.assert_array_equal(first[..., 3], hole)


def test_instance_masks_keep_what_others_cover(tmp_path: Path) -> None:
    masks = np.zeros((3, 10, 12), dtype=np.bool_)
    masks[0, 2:8, 2:8] = masks[1, 3:5, 3:5] = True  # the first covers the second; the third is empty
    detections = found(masks, [0, 1, 0])
    files = write_instance_masks(tmp_path / "a" / "b", detections, ["cat", "dog"])
    assert [file.name for file in files] == ["01_cat.png", "02_dog.png", "03_cat.png"]
    for file, mask in zip(files, masks, strict=True):
        with Image.open(file) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), mask * np.uint8(255))
    with Image.open(write_index_mask(tmp_path / "all.png", detections)) as image:
        assert set(np.unique(np.asarray(image))) == {0, 1}


@given(st.text(max_size=200))
def test_any_class_name_is_a_file_name(text: str) -> None:
    name = file_name(text)
    assert 1 <= len(name) <= 80
    assert all(letter.isalnum() or letter in "_-" for letter in name)


def test_letters_of_any_script_stay() -> None:
    assert file_name("自行车 Fußgänger-1") == "自行车_Fußgänger-1"
