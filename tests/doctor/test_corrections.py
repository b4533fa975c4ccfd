"""What a corrected copy holds, against values written by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doctor.damages import turned_photo_of_stored_size
from tests.doctor.sound_set import (
    HEIGHT,
    WIDTH,
    DataSet,
    as_code,
    code_entry,
    mask_api,
    polygon_entry,
    ring,
    run_lengths,
    write_picture,
)
from tests.doctor.training import complaint
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.fixing.draft import Change
from yolact_pl.doctor.fixing.fix import Fixer
from yolact_pl.doctor.kinds import Kind, Severity


def corrected(data: DataSet, *, look: bool = True) -> tuple[dict[str, Any] | None, list[Change], Examination]:
    """The copy of the training set, None if there is none; all changes; and what is left."""
    output = data.root / "corrected"
    output.mkdir()
    opened = {} if look else None
    changes, left = Fixer(examine(data.sets(), opened=opened)).write(output, opened=opened)
    path = output / "train_corrected.json"
    return json.loads(path.read_text()) if path.exists() else None, changes, left


def entry(content: dict[str, Any] | None, number: int) -> dict[str, Any]:
    assert content is not None
    return next(one for one in content["annotations"] if one["id"] == number)


def told(changes: list[Change]) -> list[str]:
    return [f"{change.entry}: {change.what}" for change in changes]


def test_only_what_is_wrong_changes(data: DataSet) -> None:
    data.train["info"] = {"year": 2024, "by": "Zoë"}
    data.train["annotations"][0]["score"] = 0.5
    data.annotation(31)["bbox"] = [2, 13, 13, 15]
    content, changes, left = corrected(data)
    assert left.findings == []
    assert told(changes) == ["annotation 31: bbox [2, 13, 13, 15] -> [2.0, 3.0, 13.0, 15.0]"]
    data.annotation(31)["bbox"] = [2, 3, 13, 15]
    assert content == data.train


@pytest.mark.parametrize("sticks_out", [False, True])
def test_box_of_a_mask_is_clipped(data: DataSet, sticks_out: bool) -> None:
    corners = (-5, 3, 15, 18) if sticks_out else (2, 3, 15, 18)
    data.annotation(31).update(polygon_entry(31, 3, 1, corners), bbox=[0, 0, 0, 0], area=195)
    content, _, _ = corrected(data)
    assert entry(content, 31)["bbox"] == ([0, 3, 15, 15] if sticks_out else [2, 3, 13, 15])


@pytest.mark.parametrize("transposed", [False, True], ids=["only-the-size", "the-mask-too"])
def test_code_of_swapped_size_is_read_as_the_box_tells(data: DataSet, transposed: bool) -> None:
    mask = mask_api.decode(data.annotation(32)["segmentation"])
    code = as_code(np.ascontiguousarray(mask.T)) if transposed else data.annotation(32)["segmentation"]
    data.annotation(32)["segmentation"] = {**code, "size": [WIDTH, HEIGHT]}
    content, changes, left = corrected(data)
    assert left.findings == []
    assert told(changes) == ["annotation 32: segmentation size and runs as [height, width]"]
    assert (mask_api.decode(entry(content, 32)["segmentation"]) == mask).all()


def test_code_of_swapped_size_that_no_box_explains_goes(data: DataSet) -> None:
    data.annotation(32)["segmentation"]["size"] = [WIDTH, HEIGHT]
    data.annotation(32)["bbox"] = [0, 0, 5, 5]
    content, changes, _ = corrected(data)
    assert content is not None
    assert 32 not in [one["id"] for one in content["annotations"]]
    assert "annotation 32: removed: the RLE's size is [width, height]" in told(changes)


def test_codes_of_an_image_whose_sides_were_swapped_stay(data: DataSet) -> None:
    mask = np.zeros((30, 20), np.uint8)
    mask[8:26, 4:12] = 1
    data.annotation(62)["segmentation"] = as_code(mask)
    data.image(6).update(width=30, height=20)
    content, changes, left = corrected(data)
    assert left.findings == []
    assert told(changes) == ["image 6: height 20 -> 30; width 30 -> 20"]
    assert entry(content, 62) == data.annotation(62)


def test_size_is_not_taken_from_a_picture_that_is_too_small_for_the_masks(data: DataSet) -> None:
    write_picture(data.file("6.png"), (10, 20), np.random.default_rng(1))
    data.image(6).update(width=10, height=20)
    content, _, left = corrected(data)
    assert content is None
    assert Kind.SIZE_SWAPPED in {finding.kind for finding in left.findings}


def test_annotations_of_an_image_of_unknown_size_are_not_touched(data: DataSet) -> None:
    data.image(6).update(width=40, height=60)  # twice the picture
    data.annotation(61)["bbox"] = [30, 30, 5, 5]
    content, _, left = corrected(data)
    assert content is None
    assert {finding.kind for finding in left.findings} == {Kind.SIZE_WRONG, Kind.BOX_DISAGREES}


def test_without_opened_pictures_no_size_is_known(data: DataSet) -> None:
    data.image(6)["width"] = 0
    content, _, left = corrected(data, look=False)
    assert content is None
    assert left.count(Severity.ERROR) == 1


def test_fractions_become_pixels(data: DataSet) -> None:
    data.annotation(31).update(
        bbox=[0.05, 0.1, 0.2, 0.4], segmentation=[ring((0.05, 0.1, 0.25, 0.5))], area=0.08
    )
    content, changes, left = corrected(data)
    assert left.findings == []
    assert told(changes) == [
        "annotation 31: bbox times width and height; segmentation times width and height; "
        "area times width and height"
    ]
    found = entry(content, 31)
    assert found["bbox"] == pytest.approx([3, 4, 12, 16])
    assert found["segmentation"] == [pytest.approx(ring((3, 4, 15, 20)))]
    assert found["area"] == pytest.approx(12 * 16)


def test_a_missing_image_takes_its_annotations_with_it(data: DataSet) -> None:
    data.file("4.png").unlink()
    content, changes, _ = corrected(data)
    assert content is not None
    assert [image["id"] for image in content["images"]] == [1, 2, 3, 5, 6]
    assert {one["image_id"] for one in content["annotations"]} == {1, 2, 3, 5, 6}
    assert told(changes) == [
        "image 4: removed: the image file is not in the folder",
        "annotation 41: removed: its image is removed",
        "annotation 42: removed: its image is removed",
    ]


@pytest.mark.parametrize("kind", ["files", "segmentations"])
def test_what_is_wrong_with_most_entries_is_not_removed(data: DataSet, kind: str) -> None:
    if kind == "files":
        for number in (1, 2, 3, 4):
            data.file(f"{number}.png").unlink()
    else:
        for annotation in data.train["annotations"][:8]:
            annotation["segmentation"] = []
    content, changes, left = corrected(data)
    assert content is None
    assert changes == []
    missing = Kind.FILE_MISSING if kind == "files" else Kind.SEGMENTATION_MISSING
    assert sum(finding.kind is missing for finding in left.findings) == (4 if kind == "files" else 8)


def test_images_with_one_file_are_merged(data: DataSet) -> None:
    data.train["images"].append(data.image(5) | {"id": 20})
    data.train["annotations"].append(polygon_entry(201, 20, 1, (1, 1, 9, 9)))
    content, changes, left = corrected(data)
    assert left.findings == []
    assert told(changes) == [
        "image 20: removed: merged into image 5",
        "annotation 201: image_id 20 -> 5",
    ]
    assert entry(content, 201)["image_id"] == 5


@pytest.mark.parametrize("table", ["images", "categories"])
def test_an_id_of_two_different_entries_is_for_a_person_to_decide(data: DataSet, table: str) -> None:
    if table == "images":
        write_picture(data.file("new.png"), (HEIGHT, WIDTH), np.random.default_rng(1))
        data.train["images"].append(data.image(2) | {"file_name": "new.png"})
    else:
        data.train["categories"].append({"id": 2, "name": "bird"})
    content, changes, left = corrected(data)
    assert content is None
    assert changes == []
    assert left.count(Severity.ERROR) == 1


def test_new_ids_are_free_and_kept_by_the_annotations(data: DataSet) -> None:
    data.image(3)["id"] = "a"
    for annotation in data.train["annotations"]:
        if annotation["image_id"] == 3:
            annotation["image_id"] = "a"
    data.train["categories"][1]["id"] = "dog"
    for annotation in data.train["annotations"]:
        if annotation["category_id"] == 2:
            annotation["category_id"] = "dog"
    data.annotation(41)["id"] = 51
    content, _, _ = corrected(data)
    assert content is not None
    assert [image["id"] for image in content["images"]] == [1, 2, 7, 4, 5, 6]
    assert [category["id"] for category in content["categories"]] == [1, 2]
    assert len({one["id"] for one in content["annotations"]}) == len(content["annotations"])
    moved = [one for one in content["annotations"] if one["image_id"] == 7]
    assert [one["category_id"] for one in moved] == [1, 2]
    assert [one["bbox"] for one in moved] == [[2, 3, 13, 15], [20, 10, 30, 20]]


@pytest.mark.parametrize(("said", "crowd"), [("true", 1), ("Yes", 1), ("no", 0), (7, 0), ([], 0)])
def test_crowd_in_other_words(data: DataSet, said: Any, crowd: int) -> None:
    data.annotation(32)["iscrowd"] = said
    content, _, left = corrected(data)
    assert entry(content, 32)["iscrowd"] == crowd
    assert left.count(Severity.ERROR) == 0


def test_a_second_mistake_that_the_first_one_hides(data: DataSet) -> None:
    """The far polygon is left out: only then the box is seen to be too large."""
    data.annotation(31)["segmentation"].append(ring((300, 4, 310, 9)))
    data.annotation(31)["bbox"] = [2, 3, 58, 15]
    content, changes, left = corrected(data)
    assert left.findings == []
    assert entry(content, 31)["bbox"] == [2, 3, 13, 15]
    assert told(changes) == [
        "annotation 31: segmentation without polygon 2",
        "annotation 31: bbox [2, 3, 58, 15] -> [2.0, 3.0, 13.0, 15.0]",
    ]


def test_counts_that_are_a_list_stay_a_list(data: DataSet) -> None:
    data.annotation(13)["area"] = "unknown"
    content, _, _ = corrected(data)
    mask = mask_api.decode(code_entry(13, 1, 1, (30, 2, 58, 9))["segmentation"])
    assert entry(content, 13)["segmentation"]["counts"] == run_lengths(mask)
    assert entry(content, 13)["area"] == mask.sum()


def test_both_files_of_one_name_get_a_copy(data: DataSet) -> None:
    data.with_val = True
    data.train["annotations"][0]["area"] = -1
    data.val["annotations"][0]["area"] = -1
    sets = data.sets()
    for position, paths in enumerate(sets):
        folder = data.root / f"annotations of {paths.split}"
        folder.mkdir()
        sets[position] = paths._replace(json=paths.json.rename(folder / "labels.json"))
    output = data.root / "corrected"
    output.mkdir()
    _, left = Fixer(examine(sets, opened=None)).write(output, opened=None)
    assert sorted(path.name for path in output.iterdir()) == [
        "train_labels_corrected.json",
        "val_labels_corrected.json",
    ]
    assert left.findings == []
    assert complaint([paths._replace(json=left.part(paths.split).coco_set.path) for paths in sets]) is None


def test_sound_files_get_no_copy(data: DataSet, tmp_path: Path) -> None:
    data.with_val = True
    content, changes, _ = corrected(data)
    assert content is None
    assert changes == []
    assert list((data.root / "corrected").iterdir()) == []


def test_area_of_overlapping_polygons_is_counted_once(data: DataSet) -> None:
    data.annotation(31)["segmentation"] *= 3
    assert examine(data.sets(), opened=None).findings == []
    data.annotation(31)["area"] = 3000
    content, _, left = corrected(data)
    assert left.findings == []
    assert entry(content, 31)["area"] == 13 * 15


def test_more_than_half_is_removed_only_on_demand(data: DataSet) -> None:
    for number in (1, 2, 3, 4):
        data.file(f"{number}.png").unlink()
    data.annotation(51)["area"] = -1  # is corrected nevertheless
    examination = examine(data.sets(), opened={})
    (data.root / "few").mkdir()
    fixer = Fixer(examination)
    assert fixer.corrected_kinds() == {Kind.AREA_INVALID}
    (sentence,) = fixer.withheld()
    assert "nothing is removed, since it would be 4 of 6 images, more than half" in sentence
    assert told(fixer.write(data.root / "few", opened={})[0]) == ["annotation 51: area -1 -> 195.0"]

    (data.root / "most").mkdir()
    fixer = Fixer(examination, most=True)
    assert fixer.withheld() == []
    assert fixer.corrected_kinds() == {Kind.AREA_INVALID, Kind.FILE_MISSING}
    _, left = fixer.write(data.root / "most", opened={})
    assert len(left.part("train").coco_set.images) == 2


def test_what_several_kinds_remove_together_counts(data: DataSet) -> None:
    """Neither the missing segmentations nor the damaged codes alone are more than half."""
    for annotation in data.train["annotations"]:
        if type(annotation["segmentation"]) is dict:
            annotation["segmentation"]["counts"] = "no code!"
        elif annotation["id"] < 50:
            annotation["segmentation"] = []
    content, changes, _ = corrected(data)
    assert content is None
    assert changes == []


def test_merging_is_no_loss(data: DataSet) -> None:
    data.train["images"] += [data.image(5) | {"id": number} for number in range(20, 30)]
    content, _, left = corrected(data)
    assert content is not None
    assert len(content["images"]) == 6
    assert left.findings == []


@pytest.mark.parametrize("numbers", [[2, 3, 13, 15], [2, 3, 15, 18]])
def test_rectangles_get_four_corners(data: DataSet, numbers: list[float]) -> None:
    for annotation in data.train["annotations"]:
        left, top, width, height = annotation["bbox"]
        annotation["segmentation"] = [[left, top, left + width, top + height]]
    data.annotation(31)["segmentation"] = [numbers]
    content, _, left = corrected(data)
    assert left.findings == []
    assert entry(content, 31)["segmentation"] == [ring((2, 3, 15, 18))]


def test_the_reason_of_a_removal_is_told(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = [[3, 4, 9, 9], [1, 2, 3]]
    data.annotation(32).update(bbox=[70, 10, 30, 20])
    data.annotation(41).update(polygon_entry(41, 4, 1, (-9, -9, -2, -3)), bbox=[0, 0, 0, 5])
    _, changes, _ = corrected(data)
    said = told(changes)
    assert "annotation 31: removed: a polygon has fewer than 3 points" in said[0]
    assert "annotation 32: bbox [70, 10, 30, 20] -> [20.0, 10.0, 30.0, 20.0]" in said
    assert any("annotation 41: removed: " in line for line in said)


def test_sizes_are_swapped_instead_of_cutting_boxes(data: DataSet) -> None:
    turned_photo_of_stored_size(data)
    content, changes, _ = corrected(data)
    assert content is not None
    assert told(changes) == ["image 6: height 20 -> 30; width 30 -> 20"]
    assert entry(content, 62)["bbox"] == [4, 8, 8, 18]
