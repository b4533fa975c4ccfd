"""The page: what is on it, that it asks for nothing, and that names are no HTML."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.report.evaluated import Evaluated
from yolact_pl.evaluation.parts.rebuilding import Rebuilt
from yolact_pl.evaluation.parts.shares import PARTS, PartShares, SizeShares
from yolact_pl.report.evaluation_page import evaluation_page

NASTY = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a page has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.scripts = 0
        self.headings: list[str] = []
        self.text = ""
        self._heading = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.scripts += tag == "script"
        self.links += [attributes["href"] or ""] if "href" in attributes else []
        self.sources += [attributes["src"] or ""] if "src" in attributes else []
        self._heading = tag in ("h2", "h3")
        assert not any(name.startswith("on") for name in attributes)

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._heading:
            self.headings.append(data)
            self._heading = False


TRUTH = [[(0, 4, 4, 20), (1, 40, 40, 16)], [(0, 10, 10, 30)], [(1, 5, 5, 40)], []]
FOUND = [
    [((0, 4, 4, 20), 0.9), ((1, 2, 40, 12), 0.8)],  # right; on nothing, and a dog that is found by none
    [((1, 10, 10, 30), 0.7)],  # taken for the other class
    [((1, 15, 15, 40), 0.6)],  # too far off
    [((0, 0, 0, 9), 0.2)],
]


def test_sections_pictures_and_links(tmp_path: Path) -> None:
    page = Page(evaluation_page(Evaluated(tmp_path, TRUTH, FOUND).evaluation()))
    for heading in (
        "Numbers",
        "Errors",
        "Curves",
        "Confusion",
        "Thresholds",
        "Pictures",
        "Data",
        "Run",
        "What to do next",
        "Confident, but wrong",
        "Suspect: detected, not annotated",
        "Suspect: annotated, and nothing detected there",
    ):
        assert heading in page.headings
    assert page.scripts == 1
    assert page.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    files = [link for link in page.links if not link.startswith("#")]
    assert {os.path.normpath(tmp_path / "out" / unquote(link)) for link in files} <= {
        str(tmp_path / f"{number}.png") for number in range(1, 5)
    }
    anchors = [link for link in page.links if link.startswith("#")]
    assert len(anchors) == 9
    assert "dog 0.80" in page.text
    assert "dog 0.70: IoU 1.00 with cat" in page.text
    assert "dog, 16 px, annotation 2" in page.text


def test_a_page_asks_the_net_for_nothing(tmp_path: Path) -> None:
    html = evaluation_page(Evaluated(tmp_path, TRUTH, FOUND).evaluation())
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", html)


def test_names_are_no_html(tmp_path: Path) -> None:
    evaluated = Evaluated(
        tmp_path,
        TRUTH,
        FOUND,
        class_names=(f"cat {NASTY}", '" onload="alert(2)'),
        file_name="{}" + NASTY.replace("/", "") + ".png",
    )
    page = Page(evaluation_page(evaluated.evaluation()))
    assert page.scripts == 1
    assert f"cat {NASTY}" in page.text
    assert f"1{NASTY.replace('/', '')}.png" in page.text
    assert page.sources


@pytest.mark.parametrize(
    ("truth", "found", "names"),
    [
        (TRUTH, [[], [], [], []], ("cat", "dog")),
        (None, FOUND, ("cat", "dog")),
        ([[], []], [[((0, 4, 4, 20), 0.9)], []], ("cat", "dog")),
        ([[(0, 4, 4, 20)]], [[((0, 4, 4, 20), 0.9)]], ("cat",)),
        (TRUTH, FOUND, tuple(f"class {k}" for k in range(1203))),
    ],
    ids=["no detections", "no ground truth", "no objects", "one class", "1,203 classes"],
)
def test_any_set_has_a_page(tmp_path: Path, truth: list | None, found: list, names: tuple[str, ...]) -> None:
    html = evaluation_page(Evaluated(tmp_path, truth, found, class_names=names).evaluation())
    assert len(html) < 2e6
    page = Page(html)
    assert "nan" not in page.text.split()
    assert ("no annotations to measure against" in page.text) == (truth is None)


def test_the_costliest_part_comes_first(tmp_path: Path) -> None:
    gains = dict(zip(PARTS, (0.05, 0.3, 0.02, 0.001, 0.1), strict=True))
    iou = dict.fromkeys(Rebuilt._fields, 0.8)
    size = SizeShares(0.529, gains, objects=40, missed=4, iou=iou, missed_iou=0.7)
    shares = PartShares({"all": size, "large": size}, {0: (3, 30), 1: (1, 10)}, 0, (0, 0), 2, 4, 32, (16, 16))
    page = Page(evaluation_page(replace(Evaluated(tmp_path, TRUTH, FOUND).evaluation(), shares=shares)))
    advice = page.text[page.text.index("What to do next") : page.text.rindex("Numbers")]
    assert re.findall(r"(box|class/score|coefficients|prototypes|resolution): [\d.]+ AP\.", advice) == [
        "box",
        "class/score",
        "coefficients",
    ]
    assert "model.loss.terms.box.weight" in advice
    assert (
        "4 of 40 objects are missed: a longer schedule, or more training images, first of 'cat' (3 of 30)"
        in advice
    )
    assert "Measured on 2 of the 4 images" in page.text
