"""task=convert_data: one command from another format to training."""

import json
import logging
import shlex
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_method
from omegaconf.errors import MissingMandatoryValue
from PIL import Image

from tests.tiny_run import OWN_DATA, compose_config

SIDE = 64


def run(output: Path, *overrides: str) -> None:
    cfg = compose_config(list(overrides), output)
    get_method(cfg.task.run)(cfg)


def source(path: Path) -> str:
    quoted = str(path).replace("'", "\\'")
    return f"source='{quoted}'"


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Eight and four pictures with a square each."""
    root = tmp_path / "it's a (yolo) set, 1"
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(root / "images" / split / f"{number}.png")
            square = f"{number % 2} .25 .25 .75 .25 .75 .75 .25 .75"
            (root / "labels" / split / f"{number}.txt").write_text(square)
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat, dog]\n")
    return root


def test_the_command_that_is_told_trains(
    yolo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    output = tmp_path / "converted"
    run(output, "task=convert_data", "from=yolo", source(yolo))
    assert sorted(path.name for path in output.iterdir()) == ["instances_train.json", "instances_val.json"]
    train = json.loads((output / "instances_train.json").read_text())
    assert train["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert train["annotations"][1] == {
        "id": 2,
        "image_id": 2,
        "category_id": 2,
        "bbox": [16.0, 16.0, 32.0, 32.0],
        "area": 1024,
        "iscrowd": 0,
        "segmentation": [[16.0, 16.0, 48.0, 16.0, 48.0, 48.0, 16.0, 48.0]],
    }
    val = json.loads((output / "instances_val.json").read_text())
    assert [image["id"] for image in val["images"]] == [9, 10, 11, 12]
    assert f"{output / 'instances_train.json'}: 8 images, 8 objects, 2 classes" in caplog.text
    (told,) = [line for line in caplog.text.splitlines() if "run.py experiment=own_data" in line]
    files = [override for override in shlex.split(told) if override.startswith("dataset.")]
    run(tmp_path / "run", *OWN_DATA, *files, "schedule.max_steps=2", "trainer.val_check_interval=2")
    assert list((tmp_path / "run" / "checkpoints").glob("*.ckpt"))


def test_entries_that_cannot_be_used_are_counted_and_listed(
    yolo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = yolo / "labels" / "train"
    (labels / "0.txt").write_text("0 .1 .1 .1 .1 .1 .1\n0 .5 .5 .1 .1\n" + (labels / "0.txt").read_text())
    (labels / "1.txt").write_text("1 .5 .5 .1 .1")
    (yolo / "images" / "train" / "2.png").write_bytes(b"broken")
    (yolo / "images" / "train" / "._3.png").write_bytes(b"of an archive")
    command = ("task=convert_data", "from=yolo", source(yolo))
    run(tmp_path / "out", *command)
    assert "4 entries are left out, all are listed in" in caplog.text
    assert "2 x box instead of a polygon, the first: " in caplog.text
    listed = (tmp_path / "out" / "left_out.txt").read_text().splitlines()
    assert len(listed) == 4
    assert "0.txt, line 1 covers no pixel of its image." in listed[0]
    content = json.loads((tmp_path / "out" / "instances_train.json").read_text())
    assert (len(content["images"]), len(content["annotations"])) == (7, 6)
    with pytest.raises(ValueError, match="line 1 covers no pixel"):
        run(tmp_path / "strict", *command, "strict=true")
    for path in (labels / "0.txt", labels / "1.txt", labels / "2.txt", yolo / "images" / "train" / "2.png"):
        path.unlink()
    (tmp_path / "out" / "instances_test.json").touch()
    run(tmp_path / "out", *command)
    assert not (tmp_path / "out" / "left_out.txt").exists()
    assert "instances_test.json is not part of this conversion" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["from=coco"], "from=coco: expected one of yolo, voc, labelme, masks, sbd, via"),
        (["source=null"], "source=None: expected a folder or file with yolo annotations"),
        (["source=nowhere"], "source=nowhere: expected a folder or file with yolo annotations"),
        (["task.images=nowhere"], r"task\.images=nowhere: expected the folder of the images"),
        (["task.classes=cat"], r"task\.classes=cat: expected a list of names"),
        (["task.classes=[cat,cat]"], "expected each name once"),
        (["strict=yes"], "strict=yes: expected true or false"),
        (["task.classes=[cat]", "strict=true"], r"1\.txt, line 1: the class is 1, but there are 1 names"),
        (["from=voc"], "has no folder SegmentationObject"),
        (["from=sbd"], "has no folder inst"),
        (["from=labelme"], "has no json files"),
        (["from=via"], "has 0 json files"),
        (["from=masks"], "masks is not a folder"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    yolo: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    first = ["task=convert_data", "from=yolo", source(yolo)]
    given = [o for o in first if o.split("=")[0] not in [x.split("=")[0] for x in overrides]]
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", *given, *overrides)
    assert not (tmp_path / "out").exists()


def test_the_format_must_be_given(yolo: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingMandatoryValue, match="from"):
        run(tmp_path / "out", "task=convert_data", source(yolo))
    run(tmp_path / "out", "task=convert_data", "from=yolo", source(yolo), "task.classes=[a,b]")
    content = json.loads((tmp_path / "out" / "instances_train.json").read_text())
    assert [category["name"] for category in content["categories"]] == ["a", "b"]


def test_class_attribute_of_via_and_no_validation_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "a.png")
    shape = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
    regions = [{"shape_attributes": shape, "region_attributes": {"kind": "cat", "age": "old"}}]
    (tmp_path / "via.json").write_text(json.dumps({"a": {"filename": "a.png", "regions": regions}}))
    run(tmp_path / "out", "task=convert_data", "from=via", f"source={tmp_path}", "task.class_attribute=kind")
    content = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert content["categories"] == [{"id": 1, "name": "cat"}]
    assert content["annotations"][0]["bbox"] == [1, 2, 3, 4]
    (told,) = [line for line in caplog.text.splitlines() if "run.py experiment=own_data" in line]
    dataset = compose_config(shlex.split(told)[2:], tmp_path).dataset
    assert (dataset.val_json, dataset.val_fraction) == (None, "auto")
    assert (dataset.train_json, dataset.train_images) == (f"{tmp_path}/out/instances.json", str(tmp_path))
