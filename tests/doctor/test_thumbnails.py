"""What is drawn, at pixels computed by hand."""

from typing import Any

import cv2
import numpy as np
import pytest

from tests.doctor.sound_set import DataSet, ring
from yolact_pl.doctor.examination import examine
from yolact_pl.doctor.report.thumbnails import SIDE, thumbnail

GRAY = (100, 100, 100)


def draw(data: DataSet, image: int, annotation: int | None = None, *, grey: bool = True) -> np.ndarray | None:
    """Of an image and an annotation by their ids, on a plain picture."""
    if grey:
        entry = data.image(image)
        cv2.imwrite(
            str(data.file(entry["file_name"])), np.full((entry["height"], entry["width"], 3), 100, np.uint8)
        )
    (part,) = examine(data.sets(), opened=None).sets
    rows = [one["id"] for one in part.coco_set.annotations]
    return thumbnail(part, image - 1, None if annotation is None else rows.index(annotation))


def colors(picture: np.ndarray | None, *points: tuple[float, float]) -> list[str]:
    """Which of the colors the pixels at x, y have."""
    assert picture is not None
    names = []
    for x, y in points:
        red, green, blue = picture[round(y), round(x)].astype(int).tolist()
        if green > red + 20 and green > blue + 20:
            names.append("mask")
        elif red > blue + 60:
            names.append("box")
        elif min(red, green, blue) > 200:
            names.append("other")
        elif (red, green, blue) == GRAY:
            names.append("image")
        else:
            names.append("ground")
    return names


def test_whole_image(data: DataSet) -> None:
    """60 x 40 pixels are shown four times as large; the dog is a code at x 20 to 50, y 10 to 30."""
    data.annotation(32)["bbox"] = [20, 10, 30, 25]
    picture = draw(data, 3)
    assert picture is not None
    assert picture.shape == (160, SIDE, 3)
    middle, below, beside, bottom_of_box = (140, 80), (140, 130), (70, 80), (140, 140)
    assert colors(picture, middle, below, beside, bottom_of_box) == ["mask", "image", "image", "box"]


def test_annotation_with_what_is_around_it(data: DataSet) -> None:
    """The cat is at x 2 to 15, y 3 to 18; with 12 pixels around it that is 37 x 39."""
    picture = draw(data, 3, 31)
    assert picture is not None
    scale = SIDE / 39
    assert picture.shape == (SIDE, round(37 * scale), 3)

    def place(x: float, y: float) -> tuple[float, float]:
        return (x + 10) * scale, (y + 9) * scale

    assert colors(picture, place(8, 10), place(17.5, 3), place(-5, -5)) == ["mask", "image", "ground"]
    assert colors(picture, place(20.5, 20)) == ["other"]  # the dog's left side


def test_box_beside_the_image_is_shown_with_the_image(data: DataSet) -> None:
    data.annotation(31).update(bbox=[100, 3, 13, 15], segmentation=[])
    picture = draw(data, 3, 31)
    scale = SIDE / 125  # of the image's left side to 12 pixels beyond the box

    def place(x: float, y: float) -> tuple[float, float]:
        return x * scale, (y + 9) * scale

    assert colors(picture, place(30, 35), place(80, 10), place(100, 10)) == ["image", "ground", "box"]


@pytest.mark.parametrize(
    "change",
    [
        {"bbox": [1e300, -1e300, 1e300, 1e300]},
        {"bbox": None, "segmentation": None},
        {"segmentation": [ring((1e9, 1e9, 2e9, 2e9))]},
        {"segmentation": {"size": [40, 60], "counts": "no code!"}},
        {"segmentation": [[1, 2, 3], [], [float("nan")] * 8]},
        {"bbox": [0, 0, 0, 0], "segmentation": [ring((5, 5, 5, 5))]},
    ],
)
def test_anything_can_be_drawn(data: DataSet, change: dict[str, Any]) -> None:
    data.annotation(31).update(change)
    for annotation in (None, 31):
        picture = draw(data, 3, annotation)
        assert picture is not None
        assert max(picture.shape) <= SIDE
        assert picture.dtype == np.uint8


def test_large_images_are_averaged(data: DataSet) -> None:
    """A fine checkerboard of black and white is grey from afar."""
    board = np.indices((800, 1200)).sum(0) % 2 * 255
    data.image(3).update(height=800, width=1200)
    cv2.imwrite(str(data.file("3.png")), np.repeat(board[..., None], 3, 2).astype(np.uint8))
    picture = draw(data, 3, grey=False)
    assert picture is not None
    assert picture.shape == (160, 240, 3)
    assert np.abs(picture[100:, 100:].astype(int) - 127).max() < 10  # 13 and 12 pixels of 25


def test_a_picture_of_another_size_is_shown_as_it_is(data: DataSet) -> None:
    data.image(3).update(height=80, width=120)
    cv2.imwrite(str(data.file("3.png")), np.full((40, 60, 3), 100, np.uint8))
    picture = draw(data, 3, grey=False)
    assert picture is not None
    assert picture.shape == (160, 240, 3)


def test_no_file_no_picture(data: DataSet) -> None:
    data.file("3.png").write_bytes(b"")
    assert draw(data, 3, grey=False) is None
    data.file("3.png").unlink()
    assert draw(data, 3, grey=False) is None
