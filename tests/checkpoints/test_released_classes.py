"""The names and ids, against an annotation file of COCO."""

import gzip
import json
from pathlib import Path

from yolact_pl.checkpoints.released_classes import released_classes

PARITY = Path(__file__).parents[1] / "parity"


def test_coco() -> None:
    with gzip.open(PARITY / "map_case1.json.gz") as file:
        categories = json.load(file)["gt"]["categories"]
    classes = released_classes(80, "mine.pth")
    assert list(zip(classes.category_ids, classes.names, strict=True)) == [
        (category["id"], category["name"]) for category in sorted(categories, key=lambda c: c["id"])
    ]
    assert classes.known


def test_pascal() -> None:
    classes = released_classes(20, "yolact_resnet50_pascal_54_120000.pth")
    assert classes.names == tuple(sorted(classes.names))  # the challenge numbers its classes alphabetically
    assert classes.category_ids == tuple(range(1, 21))
    assert (classes.names[0], classes.names[14], classes.names[19]) == ("aeroplane", "person", "tvmonitor")


def test_other_classes_are_numbered() -> None:
    assert released_classes(2, "pascal.pth") == (("class 1", "class 2"), (1, 2), False)
    assert not released_classes(20, "pascal/mine.pth").known
