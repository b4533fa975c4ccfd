"""Corrections beside the pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask
import pytest

from tests.serving.channel_engine import CATEGORY_IDS, CLASS_NAMES, colored_picture
from tests.serving.running import Client, png
from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.serving.corrections import CorrectedPicture, CorrectionError, Corrections
from yolact_pl.serving.folder import PictureFolder

SIZE = (24, 36)
mask_api: Any = pycocotools.mask


def sent(
    name: str, masks: list[np.ndarray], *, categories: list[int], corrected: bool = True
) -> dict[str, Any]:
    codes = [mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode() for mask in masks]
    rows = [
        {
            "category_id": category,
            "segmentation": {"size": list(masks[0].shape), "counts": code},
            "corrected": corrected,
        }
        for code, category in zip(codes, categories, strict=True)
    ]
    return {"file_name": name, "annotations": rows}


def masks(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    made = np.zeros((count, *size), dtype=bool)
    for k, mask in enumerate(made):
        mask[2 + k : 15 + 2 * k, 3 * k + 1 : 3 * k + 20] = True
    return list(made)


@pytest.fixture
def corrections(tmp_path: Path) -> Corrections:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(colored_picture(SIZE)))
    return Corrections(PictureFolder(tmp_path), class_names=CLASS_NAMES, category_ids=CATEGORY_IDS)


def save(corrections: Corrections, picture: dict[str, Any]) -> dict[str, Any]:
    return corrections.save(CorrectedPicture.model_validate_json(json.dumps(picture)))


def test_what_is_saved_is_read_as_a_data_set(corrections: Corrections) -> None:
    one, two = masks(2)
    save(corrections, sent("a.png", [two], categories=[9]))
    save(corrections, sent("b.png", [one], categories=[3], corrected=False))
    told = save(corrections, sent("a.png", [one, two], categories=[7, 3]))
    assert told == {"file": "corrections.json", "pictures": 2, "annotations": 3}
    assert corrections.saved() == {"a.png", "b.png"}
    read = read_annotations(corrections.path, corrections.folder.path)
    assert read.summary is None
    assert (read.class_names, read.category_ids) == (list(CLASS_NAMES), list(CATEGORY_IDS))
    by_name = {read.file_name(i): read.rows(i) for i in range(read.num_images)}
    rows = by_name["a.png"]
    assert [read.category_ids[label] for label in read.labels[rows]] == [7, 3]
    for j, mask in zip(range(rows.start, rows.stop), (one, two), strict=True):
        assert (read.mask(j) == mask).all()
        y, x = np.nonzero(mask)
        assert read.boxes[j].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert read.area[j] == mask.sum()
    written = json.loads(corrections.path.read_text())
    assert [one["corrected"] for one in written["annotations"]] == [False, True, True]
    assert sorted(path.name for path in corrections.folder.path.iterdir()) == [
        "a.png",
        "b.png",
        "corrections.json",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"file_name": "../a.png"}, "no picture '../a.png'"),
        ({"file_name": "c.png"}, "no picture"),
        ({"category_id": 4}, "object 1: the model has no category_id 4"),
        ({"size": [36, 24]}, r"the picture's is \[24, 36\]"),
        ({"counts": "~"}, "damaged"),
        ({"counts": "é"}, "object 1"),
        ({"counts": "11"}, "do not add up"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(
    corrections: Corrections, change: dict[str, Any], sentence: str
) -> None:
    picture = sent("a.png", masks(1), categories=[3])
    (row,) = picture["annotations"]
    for key, value in change.items():
        place = picture if key == "file_name" else row if key == "category_id" else row["segmentation"]
        place[key] = value
    with pytest.raises(ValueError, match=sentence):
        save(corrections, picture)
    assert not corrections.path.exists()


def test_an_empty_mask_is_told(corrections: Corrections) -> None:
    with pytest.raises(CorrectionError, match="object 1: its mask is empty"):
        save(corrections, sent("a.png", [np.zeros(SIZE)], categories=[3]))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "damaged"),
        ('{"images": [{}], "annotations": [], "categories": []}', "damaged"),
        ('{"images": [], "annotations": [], "categories": []}', "other classes"),
    ],
)
def test_a_file_that_is_not_ours_stays(corrections: Corrections, content: str, sentence: str) -> None:
    corrections.path.write_text(content)
    with pytest.raises(CorrectionError, match=sentence):
        save(corrections, sent("a.png", masks(1), categories=[3]))
    assert corrections.path.read_text() == content


def test_a_link_is_not_followed(corrections: Corrections, tmp_path: Path) -> None:
    target = tmp_path.parent / f"{tmp_path.name}.json"
    target.write_text("secret")
    corrections.path.symlink_to(target)
    with pytest.raises(CorrectionError, match="a link"):
        save(corrections, sent("a.png", masks(1), categories=[3]))
    assert target.read_text() == "secret"


def test_saving_through_the_server(server: Client, pictures: Path) -> None:
    picture = sent("a.png", masks(1, (240, 320)), categories=[3])
    answer = server("POST", "/save", json.dumps(picture).encode())
    assert answer.json == {"file": "corrections.json", "pictures": 1, "annotations": 1}
    assert [one["saved"] for one in server("GET", "/folder").json["pictures"]] == [True, False]
    refused = server("POST", "/save", json.dumps(picture | {"file_name": "link.png"}).encode())
    assert refused.status == 409
    wrong = server("POST", "/save", b'{"file_name": 3}')
    assert (wrong.status, wrong.json["detail"]) == (422, "file_name: Input should be a valid string")
    assert read_annotations(pictures / "corrections.json", pictures).num_annotations == 1
