"""Numbers, tables, the page and the csv file, against counts by hand."""

import csv
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.doctor.damages import DAMAGES
from tests.doctor.sound_set import DataSet, polygon_entry, write_picture
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.fixing.fix import Fixer
from yolact_pl.doctor.report.page import page
from yolact_pl.doctor.report.places import write_csv
from yolact_pl.doctor.report.text_report import text_report


class Page(HTMLParser):
    """What a page has: links, targets of links, pictures, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.targets: list[str] = []
        self.pictures = 0
        self.scripts = 0
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.links += [attributes["href"] or ""] if tag == "a" else []
        self.targets += [attributes["id"] or ""] if "id" in attributes else []
        self.pictures += tag == "img" and (attributes["src"] or "").startswith("data:image/jpeg;base64,")
        self.scripts += tag == "script"

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(examination: Examination, *, examples: int = 2, pictures: bool = True) -> Page:
    corrected = Fixer(examination).corrected_kinds()
    return Page(page(examination, corrected, [], examination, examples=examples, pictures=pictures))


def plant(data: DataSet, *slugs: str) -> Examination:
    for damage in DAMAGES:
        if str(damage) in slugs:
            damage.plant(data)
    return examine(data.sets(), opened={})


def test_numbers_of_both_sets(data: DataSet) -> None:
    data.with_val = True
    data.train["annotations"].append(polygon_entry(63, 6, 2, (1, 1, 19, 29)))  # 504 pixels
    data.train["annotations"] = [one for one in data.train["annotations"] if one["image_id"] != 2]
    lines = [
        re.split(r" *\| *", line)
        for line in text_report(examine(data.sets(), opened=None), set()).splitlines()
    ]
    rows = {row[0].strip(): row[1:] for row in lines if len(row) > 1}
    assert rows["images"] == ["6", "3"]
    assert rows["images without objects"] == ["1", "0"]
    assert rows["instances"] == ["11", "6"]
    assert rows["crowd regions"] == ["1", "0"]
    assert rows["objects per image"] == ["1.8, at most 3", "2.0, at most 2"]
    assert rows["image widths"] == ["20 to 60 px", "60 px"]
    assert rows["image heights"] == ["30 to 40 px", "40 px"]
    assert rows["most frequent size"] == ["60 x 40 (5 images)", "60 x 40 (3 images)"]
    assert rows["small / medium / large"] == ["11 / 0 / 0", "6 / 0 / 0"]
    # Training has five cats of 13 x 15; dogs of 30 x 20 four times, of 8 x 18 and of 18 x 28 once each.
    assert rows["cat"] == ["5", "5", "195", "3", "3", "195"]
    assert rows["dog"] == ["6", "5", "600", "3", "3", "600"]
    assert rows["median side of an object"] == ["14 px", "19 px"]  # roots of 195; of 195 and 600, averaged


def test_findings_on_screen(data: DataSet) -> None:
    examination = plant(data, "box-xyxy", "file-missing", "file-not-listed")
    report = text_report(examination, Fixer(examination).corrected_kinds())
    lines = [re.split(r" *\| *", line.strip()) for line in report.splitlines()]
    assert [
        "error",
        "file-missing",
        "1",
        "the image file is not in the folder",
        "corrects",
        "image 4 (4.png)",
    ] in lines
    place = "annotation 32, image 3 (3.png)"
    assert ["warning", "box-xyxy", "1", "the bbox looks like [x1, y1, x2, y2]", "corrects", place] in lines
    assert report.splitlines()[-4:] == [
        "1 error, 1 warning, 1 note",
        "error: training stops there",
        "warning: training continues, but leaves something out or learns something wrong",
        "note: training copes with it; good to know",
    ]


def test_page_has_each_kind_with_its_pictures(data: DataSet) -> None:
    shown = page_of(
        plant(data, "box-xyxy", "file-missing", "annotation-double", "category-name-double"), examples=2
    )
    kinds = ["file-missing", "category-name-double", "annotation-double", "box-xyxy"]
    assert shown.links == [f"#{kind}" for kind in kinds]
    assert shown.targets == kinds
    assert shown.pictures == 2 + 2  # of the set; of the box and of the object that is there twice
    assert "annotation 310, image 3 (3.png)" in shown.text
    assert "fix=true takes it from the mask" in shown.text


@pytest.mark.parametrize(("examples", "pictures"), [(0, True), (3, False)])
def test_page_without_pictures(data: DataSet, examples: int, pictures: bool) -> None:
    shown = page_of(plant(data, "box-xyxy"), examples=examples, pictures=pictures)
    assert shown.pictures == 0
    assert shown.targets == ["box-xyxy"]


def test_page_of_a_sound_set(data: DataSet) -> None:
    shown = page_of(examine(data.sets(), opened={}), examples=4)
    assert "nothing was found" in shown.text
    assert shown.pictures == 4


def test_names_are_no_html(data: DataSet) -> None:
    data.train["categories"][1]["name"] = "<script>alert(1)</script>"
    data.image(4)["file_name"] = "<script>.png"
    shown = page_of(examine(data.sets(), opened={}))
    assert shown.scripts == 0
    assert "<script>alert(1)</script>" in shown.text


def test_long_lists_are_cut_but_not_in_the_csv(data: DataSet, tmp_path: Path) -> None:
    for number in range(300):
        data.train["annotations"].append(
            polygon_entry(1000 + number, 3, 1, (20, 10, 50, 30)) | {"area": 1 + number}
        )
    examination = examine(data.sets(), opened=None)
    assert (
        "... and 100 more in findings.csv" in page_of(examination).text
    )  # the same object 300 times: 299 doubles
    write_csv(tmp_path / "findings.csv", examination)
    with (tmp_path / "findings.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "annotation-double"]
    assert len(rows) == 299
    assert rows[0] == {
        "severity": "warning",
        "kind": "annotation-double",
        "json": str(data.root / "train.json"),
        "annotation_id": "1001",
        "image_id": "3",
        "file_name": "3.png",
        "category_id": "",
        "detail": "it is the same as annotation 1000",
    }


def test_objects_of_a_picture_that_was_not_opened_are_still_counted(data: DataSet) -> None:
    write_picture(data.file("4.png"), (9, 9), np.random.default_rng(1))
    examination = examine(data.sets(), opened=None)
    assert examination.findings == []


def test_folders_whose_names_are_no_text(data: DataSet, tmp_path: Path) -> None:
    folder = data.root / os.fsdecode(b"\xff")
    data.folders["train"] = data.folders["train"].rename(folder)
    data.file("4.png").unlink()
    data.file("5.png").write_bytes(b"")
    examination = examine(data.sets(), opened={})
    assert len(examination.findings) == 2
    assert text_report(examination, set()).encode()
    assert "\\udcff" in page_of(examination).text
    write_csv(tmp_path / "findings.csv", examination)
    assert "\\udcff" in (tmp_path / "findings.csv").read_text()
