"""One entry of each format that cannot be used, among others that can."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.convert.conftest import disc, indexed, write_picture
from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.files import locate
from yolact_pl.convert.labeled import LabeledSet
from yolact_pl.convert.labelme import read_labelme
from yolact_pl.convert.mask_folders import read_masks
from yolact_pl.convert.via import read_via
from yolact_pl.convert.voc import read_voc
from yolact_pl.convert.yolo import read_yolo
from yolact_pl.data.annotations.annotations import DataError

POLYGON = [[5, 5], [50, 5], [30, 35]]
LINE = "0 .1 .1 .9 .1 .5 .9\n"
RING = disc((40, 60), 30, 20, 15)


def write_yolo(folder: Path, name: str) -> None:
    write_picture(folder / "images" / f"{name}.jpg")
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / f"{name}.txt").write_text(LINE)


def write_labelme(folder: Path, name: str) -> None:
    write_picture(folder / f"{name}.jpg")
    shapes = [{"label": "x", "points": POLYGON, "shape_type": "polygon"}]
    (folder / f"{name}.json").write_text(json.dumps({"imagePath": f"{name}.jpg", "shapes": shapes}))


def write_via(folder: Path, name: str) -> None:
    write_picture(folder / f"{name}.jpg")
    path = folder / "via.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    shape = {"name": "rect", "x": 5, "y": 5, "width": 20, "height": 20}
    content[name] = {"filename": f"{name}.jpg", "regions": [{"shape_attributes": shape}]}
    path.write_text(json.dumps(content))


def write_masks(folder: Path, name: str) -> None:
    write_picture(folder / "images" / f"{name}.jpg")
    indexed(folder / "masks" / f"{name}.png", RING)


def write_voc(folder: Path, name: str) -> None:
    write_picture(folder / "JPEGImages" / f"{name}.jpg")
    indexed(folder / "SegmentationObject" / f"{name}.png", RING)
    indexed(folder / "SegmentationClass" / f"{name}.png", RING)


ARGUMENTS = ("write", "read", "image", "labels")
FILE_PER_IMAGE = [
    pytest.param(write_yolo, read_yolo, "images/{}.jpg", "labels/{}.txt", id="yolo"),
    pytest.param(write_labelme, read_labelme, "{}.jpg", "{}.json", id="labelme"),
    pytest.param(write_masks, read_masks, "images/{}.jpg", "masks/{}.png", id="masks"),
    pytest.param(write_voc, read_voc, "JPEGImages/{}.jpg", "SegmentationObject/{}.png", id="voc"),
]


@pytest.mark.parametrize(
    ARGUMENTS, [*FILE_PER_IMAGE, pytest.param(write_via, read_via, "{}.jpg", None, id="via")]
)
def test_one_broken_image_and_hidden_files_cost_only_themselves(
    tmp_path: Path, write: Callable, read: Callable[[Path], LabeledSet], image: str, labels: str | None
) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, name)
    (tmp_path / image.format("b")).write_bytes(b"\xff\xd8 broken")
    for file in (image, labels or image):
        (tmp_path / file.format("._a")).write_bytes(b"\0\5\26\7")
    (tmp_path / "__MACOSX" / "images").mkdir(parents=True)
    conversion = to_coco(read(tmp_path))
    (content,) = conversion.contents.values()
    assert [Path(row["file_name"]).stem for row in content["images"]] == ["a", "c"]
    assert len(content["annotations"]) == 2
    (error,) = conversion.left_out
    assert error.kind == "image that cannot be read"
    assert image.format("b") in str(error)
    with pytest.raises(DataError, match="not a picture that can be read"):
        to_coco(read(tmp_path), strict=True)


@pytest.mark.parametrize(ARGUMENTS, FILE_PER_IMAGE)
def test_an_image_with_unreadable_labels_is_left_out_and_not_taken_for_empty(
    tmp_path: Path, write: Callable, read: Callable[[Path], LabeledSet], image: str, labels: str
) -> None:
    for name in ("a", "b"):
        write(tmp_path, name)
    (tmp_path / labels.format("b")).write_bytes(b"\xff\xfe\x00 broken")
    conversion = to_coco(read(tmp_path))
    (content,) = conversion.contents.values()
    assert [Path(row["file_name"]).stem for row in content["images"]] == ["a"]
    assert len(conversion.left_out) == 1


def test_when_nothing_is_left_the_reasons_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, "a")
    (tmp_path / "labels" / "a.txt").write_text("0 .5 .5 .1 .1\n" * 3)
    with pytest.raises(
        DataError, match=r"^no object was found .* 3 x box instead of a polygon, the first: .*a\.txt, line 1"
    ):
        to_coco(read_yolo(tmp_path))


@given(seed=st.integers(0, 10**6), wrong=st.lists(st.integers(0, 5), max_size=8))
def test_every_label_line_is_an_object_or_left_out(
    seed: int, wrong: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Good and bad lines in any order: each is counted once, and good ones are never lost."""
    folder = tmp_path_factory.mktemp("lines")
    write_yolo(folder, "a")
    bad = [
        "0 .5 .5 .1 .1",
        "1.5 .1 .1 .9 .1 .5 .9",
        "x",
        "0 9 9 9 9 9 9",
        "0 .1 .1 .1 .1 .1 .1",
        "7 .1 .1 .9 .1 .5 .9",
    ]
    good = ["0 .1 .1 .9 .1 .5 .9", "1.0 .1 .1 .9 .1 .5 .9", "1 -.2 .1 1.2 .1 .5 .9"]
    lines = [*good, *(bad[number] for number in wrong)]
    random.Random(seed).shuffle(lines)
    (folder / "labels" / "a.txt").write_text("\r\n".join(lines))
    conversion = to_coco(read_yolo(folder, classes=["cat", "dog"]))
    assert len(conversion.left_out) == len(wrong)
    assert len(conversion.contents[""]["annotations"]) == len(good)


parts = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=5), max_size=4
)


@given(prefix=parts, separator=st.sampled_from("/\\"), start=st.sampled_from(["", "/", "C:\\", "../", "./"]))
def test_a_path_of_any_machine_leads_to_the_file(
    prefix: list[str], separator: str, start: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("paths")
    file = write_picture(folder / "images" / "a.png", (2, 2))
    written = start + separator.join([*prefix, "images", "a.png"])
    assert locate(written, [folder], least=2) == file
    assert locate(start + separator.join([*prefix, "images", "b.png"]), [folder]) is None


def test_masks_of_all_readers_are_of_the_image(tmp_path: Path) -> None:
    write_masks(tmp_path, "a")
    indexed(tmp_path / "masks" / "b.png", np.zeros((40, 60)))
    conversion = to_coco(read_masks(tmp_path))
    assert [error.kind for error in conversion.left_out] == ["mask without an image"]
