"""compare.html: numbers with their signs, pictures of what changed, names as text."""

from pathlib import Path

from tests.report.evaluated import Evaluated
from tests.report.test_evaluation_page import FOUND, NASTY, TRUTH, Page
from yolact_pl.evaluation.report import write_results
from yolact_pl.report.comparison import compare
from yolact_pl.report.comparison_page import comparison_page
from yolact_pl.report.numbers import report_numbers, write_numbers
from yolact_pl.report.reading import Report, read_report


def report_of(name: str, evaluated: Evaluated, folder: Path) -> Report:
    evaluation, known = evaluated.evaluation(), evaluated.known
    numbers = report_numbers(
        measured={
            "checkpoint": f"{name}.ckpt",
            "data": str(known.path),
            "data_sha256": "same",
            "image_folder": str(evaluated.folder),
        },
        matches=evaluated.matches,
        precision=evaluation.precision,
        file_names=[known.file_name(i) for i in range(known.num_images)],
    )
    write_results(evaluated.results, folder)
    return read_report(name, write_numbers(numbers, folder))


def page_of(tmp_path: Path, *, found: list) -> Page:
    names = (f"cat {NASTY}", "dog")
    runs = [
        report_of(name, Evaluated(tmp_path, TRUTH, what, class_names=names), tmp_path / name[:1])
        for name, what in ((f"a{NASTY}", FOUND), ("better", found))
    ]
    return Page(comparison_page(compare(runs, resamples=20), runs))


def test_a_better_run(tmp_path: Path) -> None:
    perfect = [[(one, 0.9) for one in squares] for squares in TRUTH]
    page = page_of(tmp_path, found=perfect)
    assert page.scripts == 1
    assert f"a{NASTY}" in page.text
    assert f"cat {NASTY}" in page.text
    assert "before: mask AP 0.0" in page.text
    assert "after: mask AP 100.0" in page.text
    assert "Images that changed most from A to B" in page.headings
    assert len(page.sources) == 9, "truth, before and after of three images; one has nothing on it"
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)


def test_nothing_changed(tmp_path: Path) -> None:
    page = page_of(tmp_path, found=FOUND)
    assert "+0.00" in page.text
    assert not page.sources


def test_pictures_that_are_gone(tmp_path: Path) -> None:
    perfect = [[(one, 0.9) for one in squares] for squares in TRUTH]
    evaluated = [Evaluated(tmp_path, TRUTH, what) for what in (FOUND, perfect)]
    runs = [report_of(name, one, tmp_path / name) for name, one in zip("ab", evaluated, strict=True)]
    (tmp_path / "b" / "mask_detections.json").unlink()
    page = Page(comparison_page(compare(runs, resamples=20), runs))
    assert "No pictures" in page.text
    assert not page.sources
