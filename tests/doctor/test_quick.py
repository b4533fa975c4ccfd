"""The check at the start of a training: the same mistakes as the whole check, in a sentence each."""

from pathlib import Path

import pytest

from tests.doctor.damages import DAMAGES, Damage
from tests.doctor.sound_set import DataSet, polygon_entry
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.doctor import quick
from yolact_pl.doctor.kinds import Kind, Severity
from yolact_pl.doctor.quick import quick_check

TOLD = {
    Kind.CATEGORY_NAME_DOUBLE: "1 class has the name of another one (dog)",
    Kind.CATEGORY_NAME_SIMILAR: "1 class has the name of another one (Dog )",
    Kind.CLASS_EMPTY: "1 class has no object to learn from (bird)",
    Kind.CROWDS: "3 of 13 annotations (23%) are crowd regions (iscrowd 1), neither learned nor counted,",
    Kind.ANNOTATION_DOUBLE: "1 object is annotated twice (e.g. annotation 310)",
    Kind.BOX_XYXY: "1 box does not fit its mask (e.g. annotation 32)",
    Kind.BOX_DISAGREES: "1 box does not fit its mask (e.g. annotation 31)",
    Kind.COORDINATES_RELATIVE: (
        "1 object seems to be in fractions of the image instead of pixels (e.g. annotation 31)"
    ),
}
"""What training neither stops at nor reports by itself, and can be told from the arrays that it has."""
ONLY_THE_WHOLE_CHECK = {
    Kind.PICTURE_DARK,
    Kind.PICTURE_DOUBLE,
    Kind.PICTURE_IN_BOTH,
    Kind.FILE_NAME_DOUBLE,
    Kind.ANNOTATION_ID_DOUBLE,
    Kind.POLYGON_FLAT,
    Kind.MASK_EMPTY,
}


def sentences(data: DataSet) -> list[str]:
    return quick_check(
        [(read_annotations(paths.json, paths.images), Path(str(paths.images))) for paths in data.sets()]
    )


@pytest.mark.parametrize("with_val", [False, True])
def test_nothing_to_say(data: DataSet, with_val: bool) -> None:
    data.with_val = with_val
    assert sentences(data) == []


@pytest.mark.parametrize(
    "damage", [damage for damage in DAMAGES if damage.kind.severity is Severity.WARNING], ids=str
)
def test_each_warning_is_told_once(data: DataSet, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    """By the reading, or by the quick check, or it takes the whole check."""
    damage.plant(data)
    told = sentences(data)
    if damage.kind in TOLD:
        (sentence,) = told
        assert sentence.startswith(f"{TOLD[damage.kind]} in {data.root / 'train.json'}")
        assert caplog.text == ""
    else:
        assert told == []
        assert (damage.kind in ONLY_THE_WHOLE_CHECK) == (caplog.text == "")


def test_several_are_counted(data: DataSet) -> None:
    for number in (31, 41, 51):
        data.annotation(number)["bbox"][0] += 20
    data.train["categories"] += [{"id": 3 + k, "name": f"bird {k}"} for k in range(4)]
    assert sentences(data) == [
        "4 classes have no object to learn from (bird 0, bird 1, bird 2, ...) in "
        f"{data.root / 'train.json'}; "
        """dataset.classes='["cat","dog"]' trains without""",
        f"3 boxes do not fit their masks (e.g. annotation 31) in {data.root / 'train.json'}",
    ]


def test_pictures_of_one_folder_in_both_files(data: DataSet) -> None:
    data.with_val = True
    data.folders["val"] = data.folders["train"]
    for entry in data.val["images"]:
        (data.root / "val" / entry["file_name"]).rename(data.file(entry["file_name"]))
    data.val["images"][0]["file_name"] = "2.png"
    assert sentences(data) == [
        f"1 picture is in both training and validation (e.g. 2.png) in {data.root / 'val.json'}"
    ]


def test_of_many_codes_some_are_looked_at(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "MAX_CODES", 3)
    decoded = []
    original = quick.rle.read_run_lengths
    monkeypatch.setattr(quick.rle, "read_run_lengths", lambda code: decoded.append(code) or original(code))
    known = [(read_annotations(paths.json, paths.images), data.file("")) for paths in data.sets()]
    decoded.clear()
    assert quick_check(known) == []
    assert 1 < len(decoded) <= 3  # of 6


def test_a_set_without_masks_to_look_at(data: DataSet) -> None:
    data.train["annotations"] = [
        polygon_entry(1, 1, 1, (2, 3, 15, 18)),
        polygon_entry(2, 1, 2, (2, 3, 15, 18)),
    ]
    assert sentences(data) == []
    data.train["annotations"][0]["segmentation"] = []
    assert "no object to learn from (cat)" in sentences(data)[0]


def test_a_validation_set_without_objects_is_told(data: DataSet) -> None:
    data.with_val = True
    data.val["annotations"] = []
    assert sentences(data) == [f"no object to validate with, so there is no AP, in {data.root / 'val.json'}"]
