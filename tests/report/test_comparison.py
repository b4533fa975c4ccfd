"""Runs side by side, and what is found of them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.matching.matched import matched, recorded
from yolact_pl.evaluation.matching.average_precision import average_precision
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.report.comparison import compare, comparison_text
from yolact_pl.report.numbers import report_numbers, write_numbers
from yolact_pl.report.reading import Report, find_report, read_report

BAD_IMAGE = 7
"""Place of the image in which the worse run finds nothing."""


@pytest.fixture(scope="module")
def pair() -> tuple[SetMatches, SetMatches]:
    """Recorded detections, and the same with scores that say less and one image without any."""
    content, rows = recorded()
    rows = sorted(rows, key=lambda row: row.image_id)
    worse = [row._replace(mask_scores=[1 - score / 2 for score in row.mask_scores]) for row in rows]
    nothing: dict[str, Any] = {key: [] for key in ("category_ids", "boxes", "scores", "mask_scores")}
    worse[BAD_IMAGE] = worse[BAD_IMAGE]._replace(**nothing, segmentations=[])
    return matched(content, rows), matched(content, worse)


def write(folder: Path, matches: SetMatches, **measured: Any) -> Path:
    numbers = report_numbers(
        measured={"data_sha256": "d", "checkpoint_sha256": "c", **measured},
        matches=matches,
        precision={"box": average_precision(matches, "box"), "mask": average_precision(matches, "mask")},
        file_names=[f"<b>{image_id}.jpg" for image_id in matches.image_ids],
    )
    return write_numbers(numbers, folder)


def read(folder: Path) -> Report:
    return read_report(folder.name, find_report(str(folder)))


def test_differences_with_intervals_and_the_images_that_changed(
    tmp_path: Path,
    pair: tuple[SetMatches, SetMatches],
    run_task: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yolact_pl.tasks.compare.RESAMPLES", 100)
    for name, matches in zip("ab", pair, strict=True):
        write(tmp_path / name, matches)
    run_task(tmp_path / "out", "task=compare", f"runs=[{tmp_path / 'a'},{tmp_path / 'b'}]")
    result = json.loads((tmp_path / "out" / "compare.json").read_text())
    first, second = result["runs"]
    aps = [average_precision(matches, "mask").all for matches in pair]
    found = second["differences"]["mask AP"]
    assert found["value"] == pytest.approx(aps[1] - aps[0], abs=1e-6)
    assert found["low"] < found["value"] < found["high"] < 0
    assert first["intervals"]["mask AP"][0] < aps[0] < first["intervals"]["mask AP"][1]
    assert first["differences"] is None
    files = [image["file"] for image in second["changed_images"]]
    assert f"<b>{pair[0].image_ids[BAD_IMAGE]}.jpg" in files
    changes = [abs(image["change"]) for image in second["changed_images"]]
    assert changes == sorted(changes, reverse=True)
    text = (tmp_path / "out" / "compare.txt").read_text()
    (line,) = (line for line in text.splitlines() if line.split("|")[0].strip() == "mask AP")
    assert f"{100 * aps[0]:.2f}" in line
    assert line.endswith("] *")
    assert {row["name"] for row in result["classes"]} == set(pair[0].class_names)


def test_runs_on_other_data_stand_side_by_side_only(
    tmp_path: Path, pair: tuple[SetMatches, SetMatches]
) -> None:
    write(tmp_path / "a", pair[0])
    write(tmp_path / "b", pair[1], data_sha256="other")
    write(tmp_path / "c", pair[0])
    seen = []
    reports = [read(tmp_path / name) for name in "abc"]
    result = compare(reports, resamples=20, on_resample=lambda: seen.append(1))
    assert len(seen) == 40
    first, other, same = result["runs"]
    assert other["differences"] is other["intervals"] is other["changed_images"] is None
    assert other["numbers"]["mask AP"] > 0
    assert same["differences"]["mask AP"] == {"value": 0, "low": 0, "high": 0}
    assert same["changed_images"] == []
    assert first["intervals"] == same["intervals"]
    assert "not on the same images as A, so without differences: b" in comparison_text(result)


def test_the_report_of_a_checkpoint_is_found_by_its_hash(
    tmp_path: Path, pair: tuple[SetMatches, SetMatches]
) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    write(tmp_path / "other_eval", pair[0])
    with pytest.raises(ValueError, match=rf"task=eval checkpoint={checkpoint} report=true"):
        find_report(str(checkpoint))
    with pytest.raises(ValueError, match=rf"no report.json of .*run; .* checkpoint={checkpoint} report=true"):
        find_report(str(tmp_path / "run"))
    digest = hashlib.sha256(b"weights").hexdigest()
    path = write(tmp_path / "its_eval", pair[0], checkpoint_sha256=digest)
    assert find_report(str(checkpoint)) == path
    assert find_report(str(path)) == path
    with pytest.raises(ValueError, match="nowhere does not exist"):
        find_report(str(tmp_path / "nowhere"))


def test_fewer_than_two_runs_are_refused(tmp_path: Path, run_task: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="give two or more"):
        run_task(tmp_path, "task=compare", f"runs={tmp_path}")


def damaged(numbers: dict[str, Any], damage: str) -> Any:
    if damage == "no json":
        return None
    if damage == "list":
        return [1]
    if damage == "version":
        return numbers | {"format_version": 2}
    if damage == "no truth":
        return {key: numbers[key] for key in ("format_version", "measured")}
    if damage == "missing key":
        return {key: value for key, value in numbers.items() if key != "errors"}
    if damage == "fewer images":
        numbers["images"]["ids"] = numbers["images"]["ids"][:3]
    return numbers


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no json", "is no report of an evaluation; write it again: python run"),
        ("list", "is no report"),
        ("version", "has format 2, this program reads 1"),
        ("no truth", "was measured without ground truth"),
        ("missing key", "is damaged .*errors"),
        ("fewer images", "ranking of mask does not fit its images and classes"),
    ],
)
def test_unusable_reports_are_told(
    tmp_path: Path, pair: tuple[SetMatches, SetMatches], damage: str, message: str
) -> None:
    path = write(tmp_path, pair[0])
    changed = damaged(json.loads(path.read_text()), damage)
    path.write_text("{" if changed is None else json.dumps(changed))
    with pytest.raises(ValueError, match=message):
        read_report("run", path)


def test_a_set_without_objects_has_no_intervals(tmp_path: Path, pair: tuple[SetMatches, SetMatches]) -> None:
    content, rows = recorded()
    empty = matched(content | {"annotations": []}, rows)
    for name in "ab":
        write(tmp_path / name, empty)
    result = compare([read(tmp_path / name) for name in "ab"], resamples=3)
    assert result["runs"][0]["intervals"]["mask AP"] == [None, None]
    assert "mask AP" not in result["runs"][1]["differences"]
    assert np.isnan(average_precision(empty, "mask").all)
    assert "-" in comparison_text(result)
