"""Folders of data sets as other programs write them."""

import json
from pathlib import Path

import pytest

from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.layout import find_files


def write_json(path: Path, file_name: str) -> None:
    """The annotations come first, as no rule says where the images have to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"annotations": [{"id": 1}], "images": [{"id": 1, "file_name": file_name}]}
    path.write_text(json.dumps(content))


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def lay_out(root: Path, sets: list[tuple[str, str, str]]) -> None:
    """Each a json, the name of its image in it and the folder of images."""
    for file, name, folder in sets:
        write_json(root / file, name)
        write_image(root / folder / name)


@pytest.mark.parametrize(
    "sets",
    [
        [  # COCO
            ("annotations/instances_train2017.json", "1.jpg", "train2017"),
            ("annotations/instances_val2017.json", "2.jpg", "val2017"),
        ],
        [
            ("annotations/instances_train2014.json", "1.jpg", "images/train2014"),
            ("annotations/instances_val2014.json", "2.jpg", "images/val2014"),
        ],
        [
            ("annotations/instances_train.json", "1.jpg", "images/train"),
            ("annotations/instances_val.json", "2.jpg", "images/val"),
        ],
        [  # Roboflow
            ("train/_annotations.coco.json", "1.jpg", "train"),
            ("valid/_annotations.coco.json", "2.jpg", "valid"),
        ],
        [("train.json", "1.jpg", "images"), ("val.json", "2.jpg", "images")],
        [("train.json", "train/1.jpg", "images"), ("val.json", "val/2.jpg", "images")],
        [("train.json", "train/1.jpg", "."), ("val.json", "val/2.jpg", ".")],
        [("train.json", "1.jpg", "train/images"), ("validation.json", "2.jpg", "validation/images")],
        [("annotations/train.json", "1.jpg", "train"), ("annotations/valid.json", "2.jpg", "valid")],
        [
            ("train/annotations.json", "1.jpg", "train/images"),
            ("val/annotations.json", "2.jpg", "val/images"),
        ],
        [("annotations/instances_default.json", "1.jpg", "images/default")],  # CVAT
        [("result.json", "images/1.jpg", ".")],  # Label Studio
        [("result.json", '1 \u00e9\\".jpg', "images")],
        [("annotations.json", "1.jpg", "images")],
        [("labels.json", "1.jpg", "data")],  # FiftyOne
        [
            ("train/labels.json", "1.jpg", "train/data"),
            ("validation/labels.json", "2.jpg", "validation/data"),
        ],
    ],
)
def test_usual_layouts(tmp_path: Path, sets: list[tuple[str, str, str]]) -> None:
    lay_out(tmp_path, [*sets, ("test/_annotations.coco.json", "3.jpg", "test")])
    found = find_files(tmp_path)
    assert list(found) == ["train", "val"][: len(sets)]
    for (file, name, folder), files in zip(sets, found.values(), strict=True):
        assert files.json == tmp_path / file
        assert files.images == tmp_path / folder
        assert (files.images / name).is_file()


def test_a_folder_for_the_first_image_wins_over_one_that_is_only_there(tmp_path: Path) -> None:
    lay_out(tmp_path, [("annotations/instances_train2017.json", "1.jpg", "images/train2017")])
    (tmp_path / "train2017").mkdir()
    assert find_files(tmp_path)["train"].images == tmp_path / "images" / "train2017"
    (tmp_path / "images" / "train2017" / "1.jpg").unlink()  # nobody has it: whoever reads the set will say so
    assert find_files(tmp_path)["train"].images == tmp_path / "train2017"


def test_what_was_looked_for_is_said(tmp_path: Path) -> None:
    write_json(tmp_path / "labels" / "mine.json", "1.jpg")
    with pytest.raises(DataError) as caught:
        find_files(tmp_path)
    message = str(caught.value)
    for part in (
        str(tmp_path),
        "annotations/instances_train*.json",
        "val/_annotations.coco.json",
        "train.json",
        "result.json",
        "give train_json and train_images",
    ):
        assert part in message
    assert "\n" not in message


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        find_files(tmp_path / "nowhere")


def test_annotations_without_images_are_said(tmp_path: Path) -> None:
    write_json(tmp_path / "annotations" / "instances_train2017.json", "1.jpg")
    with pytest.raises(
        DataError, match=r"no folder with the images of annotations.*looked for train2017, imag"
    ):
        find_files(tmp_path)


def test_several_years_have_to_be_chosen_from(tmp_path: Path) -> None:
    for year in ("2014", "2017"):
        lay_out(tmp_path, [(f"annotations/instances_train{year}.json", "1.jpg", f"train{year}")])
    with pytest.raises(DataError, match=r"train2014.json and .*train2017.json; choose one by train_json"):
        find_files(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"images": []}', b'"file_name": "\\ud800"', b"\xff\xfe"])
def test_damaged_files_are_for_their_reader_to_tell(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "train.json").write_bytes(content)
    assert find_files(tmp_path)["train"] == (tmp_path / "train.json", tmp_path / "images")


def test_an_image_with_a_name_that_no_file_system_takes(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_json(tmp_path / "train.json", "x" * 5000)
    assert find_files(tmp_path)["train"].images == tmp_path / "images"
