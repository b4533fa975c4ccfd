"""task=check_data: what it writes, says and returns; and what a training says at its start."""

import csv
import json
import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_method

from tests.doctor.damages import DAMAGES
from tests.doctor.sound_set import DataSet, write_sound_set
from tests.tiny_run import OWN_DATA, compose_config


def run(output: Path, *overrides: str) -> None:
    cfg = compose_config(list(overrides), output)
    get_method(cfg.task.run)(cfg)


@pytest.fixture
def data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> DataSet:
    caplog.set_level(logging.INFO)
    return write_sound_set(tmp_path / "my set")


def damaged(data: DataSet, *slugs: str) -> DataSet:
    for damage in DAMAGES:
        if str(damage) in slugs:
            damage.plant(data)
    return data


def given(data: DataSet, *, task: str = "check_data") -> list[str]:
    """The options that name the files of a set, which are written."""
    overrides = [f"task={task}", "dataset=coco_custom"]
    for paths in data.sets():
        overrides += [
            f"dataset.{paths.split}_json='{paths.json}'",
            f"dataset.{paths.split}_images='{paths.images}'",
        ]
    return overrides


def findings(output: Path) -> list[tuple[str, str]]:
    with (output / "findings.csv").open(newline="") as file:
        return [(row["kind"], row["annotation_id"]) for row in csv.DictReader(file)]


def commands(text: str) -> list[list[str]]:
    """The command lines that were told."""
    return [shlex.split(line)[2:] for line in text.splitlines() if "python run.py" in line]


def test_a_sound_set(data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data.with_val = True
    output = tmp_path / "out"
    run(output, *given(data))
    assert sorted(path.name for path in output.iterdir()) == ["check_data.html", "findings.csv"]
    assert findings(output) == []
    assert "nothing was found" in caplog.text
    assert str(output / "check_data.html") in caplog.text


def test_errors_are_listed_and_end_it(
    data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged(data, "iscrowd-invalid", "box-xyxy", "size-wrong")
    output = tmp_path / "out"
    with pytest.raises(ValueError, match=r"2 errors, 1 warning \(size-wrong, iscrowd-invalid\)") as caught:
        run(output, *given(data))
    assert str(caught.value).endswith(
        f"see {output / 'check_data.html'} and correct them, or let fix=true do it as far as it can."
    )
    assert findings(output) == [("size-wrong", ""), ("iscrowd-invalid", "31"), ("box-xyxy", "32")]
    assert "iscrowd is not 0 or 1" in caplog.text
    assert "box-xyxy" in (output / "check_data.html").read_text()


def test_corrected_copy_trains(data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data.with_val = True
    damaged(data, "iscrowd-invalid", "box-xyxy", "file-missing")
    overrides = given(data)
    before = (data.root / "train.json").read_bytes()
    output = tmp_path / "out"
    run(output, *overrides, "fix=true")
    assert (data.root / "train.json").read_bytes() == before
    assert sorted(path.name for path in output.iterdir()) == [
        "changes.csv",
        "check_data.html",
        "findings.csv",
        "train_corrected.json",
    ]
    with (output / "changes.csv").open(newline="") as file:
        changes = {row["entry"]: row["change"] for row in csv.DictReader(file)}
    assert changes["annotation 31"] == "iscrowd 'no' -> 0"
    assert changes["image 4"] == "removed: the image file is not in the folder"
    assert "annotation 31: iscrowd 'no' -> 0" in caplog.text
    assert "annotation 31" in (output / "check_data.html").read_text()
    (command,) = commands(caplog.text)
    experiment, *files = command
    assert experiment == "experiment=own_data"
    run(tmp_path / "run", *OWN_DATA, *files, "schedule.max_steps=2", "trainer.val_check_interval=2")
    assert list((tmp_path / "run" / "checkpoints").glob("*.ckpt"))


def test_what_is_left_after_a_correction(data: DataSet, tmp_path: Path) -> None:
    damaged(data, "iscrowd-invalid", "size-wrong")
    with pytest.raises(ValueError, match=r"still has 1 error \(size-wrong\).* correct these by hand"):
        run(tmp_path / "out", *given(data), "fix=true")


def test_nothing_is_promised_that_is_not_done(
    data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3, 4):
        data.file(f"{number}.png").unlink()
    with pytest.raises(ValueError, match=r"\(file-missing\).* correct these by hand"):
        run(tmp_path / "check", *given(data))
    with pytest.raises(ValueError, match="still has 4 errors"):
        run(tmp_path / "few", *given(data), "fix=true")
    assert "nothing is removed, since it would be 4 of 6 images, more than half" in caplog.text
    assert "nothing was changed" in caplog.text
    run(tmp_path / "most", *given(data), "fix=true", "fix_most=true")
    assert len(json.loads((tmp_path / "most" / "train_corrected.json").read_text())["images"]) == 2


def test_nothing_to_correct(data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path / "out", *given(data), "fix=true")
    assert "nothing was changed" in caplog.text
    assert commands(caplog.text) == []


@pytest.mark.parametrize(
    ("slug", "fail_on", "fails"),
    [
        ("iscrowd-invalid", "error", True),
        ("iscrowd-invalid", "never", False),
        ("box-xyxy", "error", False),
        ("box-xyxy", "warning", True),
        ("image-empty", "warning", False),
    ],
)
def test_what_it_fails_on(data: DataSet, tmp_path: Path, slug: str, fail_on: str, fails: bool) -> None:
    overrides = [*given(damaged(data, slug)), f"task.fail_on={fail_on}"]
    if fails:
        with pytest.raises(ValueError, match=slug):
            run(tmp_path / "out", *overrides)
    else:
        run(tmp_path / "out", *overrides)
    assert slug in [kind for kind, _ in findings(tmp_path / "out")]


def test_images_are_not_opened_on_demand(data: DataSet, tmp_path: Path) -> None:
    damaged(data, "file-unreadable")
    run(tmp_path / "out", *given(data), "task.images=false")
    assert findings(tmp_path / "out") == []
    assert "<img" not in (tmp_path / "out" / "check_data.html").read_text()


def test_root_of_a_usual_layout(data: DataSet, tmp_path: Path) -> None:
    damaged(data, "box-xyxy").sets()
    run(tmp_path / "out", "task=check_data", "dataset=coco_custom", f"dataset.root='{data.root}'")
    assert ("box-xyxy", "32") in findings(tmp_path / "out")


def test_only_a_validation_set(data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data.with_val = True
    del data.val["annotations"][0]["area"]
    paths = data.sets()[1]
    own = [f"dataset.val_json='{paths.json}'", f"dataset.val_images='{paths.images}'"]
    run(tmp_path / "out", "task=check_data", "dataset=coco_custom", *own)
    assert findings(tmp_path / "out") == [("area-missing", "71")]


def test_validating_on_the_training_images_is_no_mistake(data: DataSet, tmp_path: Path) -> None:
    paths = data.sets()[0]
    own = [f"dataset.{s}_json='{paths.json}'" for s in ("train", "val")]
    own += [f"dataset.{s}_images='{paths.images}'" for s in ("train", "val")]
    run(tmp_path / "out", "task=check_data", "dataset=coco_custom", *own)
    assert findings(tmp_path / "out") == []


def test_shapes_are_drawn_and_sound(run_task: Callable[..., Any], tmp_path: Path) -> None:
    run_task(tmp_path / "out", "task=check_data", "task.fail_on=warning")
    assert {kind for kind, _ in findings(tmp_path / "out")} <= {"class-not-validated", "image-empty"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("fix=maybe", "fix=maybe: expected true or false"),
        ("fix_most=maybe", "fix_most=maybe: expected true or false"),
        ("task.images=2", "task.images=2: expected true or false"),
        ("task.examples=-1", "task.examples=-1: expected 0 or more pictures"),
        ("task.examples=true", "task.examples=True: expected 0 or more pictures"),
        ("task.fail_on=note", "task.fail_on=note: expected error, warning, never"),
    ],
)
def test_wrong_options_are_told(data: DataSet, tmp_path: Path, option: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", *given(data), option)


def test_no_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"task=check_data needs dataset\.train_json or dataset\.val_json, or"
    ):
        run(tmp_path / "out", "task=check_data", "dataset=coco_custom")


@pytest.mark.parametrize("with_val", [False, True])
def test_a_training_warns_and_says_the_command(
    data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture, with_val: bool
) -> None:
    data.with_val = with_val
    damaged(data, "box-xyxy", "annotation-double")
    few = ["schedule.max_steps=1", "trainer.val_check_interval=1"]
    run(tmp_path / "run", *OWN_DATA, *given(data, task="train"), *few)
    assert "warning: 1 box does not fit its mask (e.g. annotation 32)" in caplog.text
    assert ("dataset.val_fraction=0.1 validates with a tenth" in caplog.text) == (not with_val)
    (command,) = commands(caplog.text)
    caplog.clear()
    run(tmp_path / "out", *command)
    assert ("box-xyxy", "32") in findings(tmp_path / "out")
    assert ("val" in json.dumps(command)) == with_val


def test_a_training_on_sound_data_says_nothing(
    data: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data.with_val = True
    few = ["schedule.max_steps=1", "trainer.val_check_interval=1"]
    run(tmp_path / "run", *OWN_DATA, *given(data, task="train"), *few)
    assert "warning:" not in caplog.text
    assert "check_data" not in caplog.text
