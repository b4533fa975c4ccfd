"""Data and checkpoints that can't be used: one sentence, before training starts, and nothing is lost."""

import copy
import json
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hydra.utils import get_method
from pycocotools import mask as coco_mask
from pytorch_lightning import Trainer

from tests.csv_log import csv_rows
from tests.processes import run_py
from tests.tiny_run import OWN_DATA, compose_config
from yolact_pl.data.sampler import TrainSampler

Json = dict[str, Any]
Run = Callable[..., Any]

SIDE = 64
NUM_IMAGES = 8


class CocoFolder:
    """A sound set of pictures with one rectangle each; tests damage it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        rng = np.random.default_rng(0)
        for split in ("train", "val"):
            (root / split).mkdir(parents=True)
            for i in range(NUM_IMAGES):
                pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
                cv2.imwrite(str(root / split / f"{i}.png"), pixels)
            self.write(split, sound_content())

    def json(self, split: str) -> Path:
        return self.root / f"{split}.json"

    def read(self, split: str) -> Json:
        return json.loads(self.json(split).read_text())

    def write(self, split: str, content: Any) -> None:
        self.json(split).write_text(json.dumps(content))

    def overrides(self) -> list[str]:
        return [
            f"dataset.{split}_{key}={value}"
            for split in ("train", "val")
            for key, value in (("json", self.json(split)), ("images", self.root / split))
        ]


def sound_content() -> Json:
    size = {"height": SIDE, "width": SIDE}
    return {
        "images": [{"id": i + 1, "file_name": f"{i}.png", **size} for i in range(NUM_IMAGES)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [rectangle(100 + i, i + 1, 1 + i % 2) for i in range(NUM_IMAGES)],
    }


def rectangle(number: int, image_id: int, category_id: int) -> Json:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [10, 12, 30, 20],
        "area": 600,
        "iscrowd": 0,
        "segmentation": [[10, 12, 40, 12, 40, 32, 10, 32]],
    }


@pytest.fixture
def coco(tmp_path: Path) -> CocoFolder:
    return CocoFolder(tmp_path / "coco")


def run_on_set(coco: CocoFolder, *overrides: str, output: Path) -> Any:
    """Call a task with a set."""
    cfg = compose_config([*OWN_DATA, *coco.overrides(), *overrides], output)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return get_method(cfg.task.run)(cfg)


@pytest.fixture
def run_on(tmp_path: Path) -> Run:
    """The same in the folder `run` of the test."""
    return partial(run_on_set, output=tmp_path / "run")


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has to come first."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("training or evaluation was started")

    monkeypatch.setattr(Trainer, "fit", fail)
    monkeypatch.setattr(Trainer, "validate", fail)


def change(**entries: Any) -> Callable[[Json], None]:
    """Give the third annotation other entries."""

    def damage(content: Json) -> None:
        content["annotations"][2].update(entries)

    return damage


def without(key: str) -> Callable[[Json], None]:
    def damage(content: Json) -> None:
        del content[key]

    return damage


def same_id_twice(content: Json) -> None:
    content["images"][1]["id"] = 1


WRONG_CONTENT = {
    "no images": (without("images"), ['"images"', "is missing"]),
    "no categories": (without("categories"), ['"categories"', "is missing"]),
    "no image of that id": (change(image_id=999), ["annotation 102", "image_id 999", '"images"']),
    "no category of that id": (change(category_id=77), ["annotation 102", "category_id 77", '"categories"']),
    "box of three numbers": (change(bbox=[1, 2, 3]), ["annotation 102", '"bbox"', "4 numbers"]),
    "segmentation of words": (change(segmentation="round"), ["annotation 102", '"segmentation"']),
    "image id used twice": (same_id_twice, ["image id 1"]),
}


def complaint(run: Callable[[], Any]) -> str:
    """The one sentence of the ValueError."""
    with pytest.raises(ValueError, match=r".") as caught:
        run()
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("case", WRONG_CONTENT)
def test_wrong_annotation_is_told_with_its_id(
    case: str, split: str, coco: CocoFolder, run_on: Run, tmp_path: Path
) -> None:
    damage, expected = WRONG_CONTENT[case]
    content = coco.read(split)
    damage(content)
    coco.write(split, content)
    text = complaint(lambda: run_on(coco))
    for part in (str(coco.json(split)), *expected):
        assert part in text
    assert not list((tmp_path / "run").rglob("*.ckpt"))


WRONG_FILES = {
    "empty": (b"", "is empty"),
    "only blanks": (b" \n", "is empty"),
    "half": (json.dumps(sound_content())[:100].encode(), "is not valid JSON"),
    "not text": (b"\xff\xfe\x00\x01", "is not valid JSON"),
    "a list": (b"[]", "is not a COCO file"),
    "another object": (b'{"name": "labels"}', "is not a COCO file"),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("case", WRONG_FILES)
def test_file_that_is_not_coco_is_told(case: str, coco: CocoFolder, run_on: Run) -> None:
    data, expected = WRONG_FILES[case]
    coco.json("train").write_bytes(data)
    text = complaint(lambda: run_on(coco))
    assert str(coco.json("train")) in text
    assert expected in text


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_json_is_told(split: str, coco: CocoFolder, run_on: Run) -> None:
    coco.json(split).unlink()
    assert f"{coco.json(split)} does not exist" in complaint(lambda: run_on(coco))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_image_is_told(split: str, coco: CocoFolder, run_on: Run) -> None:
    (coco.root / split / "5.png").unlink()
    text = complaint(lambda: run_on(coco))
    assert f"1 of the 8 images of {coco.json(split)}" in text
    assert "5.png" in text


@pytest.mark.usefixtures("no_training")
def test_missing_folder_is_told(coco: CocoFolder, run_on: Run) -> None:
    text = complaint(lambda: run_on(coco, "dataset.train_images=no/such/folder"))
    assert "no/such/folder is not a folder" in text


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("key", ["train_json", "train_images", "val_images"])
def test_path_that_was_not_given_is_told(key: str, coco: CocoFolder, run_on: Run) -> None:
    assert key in complaint(lambda: run_on(coco, f"dataset.{key}=null"))


@pytest.mark.usefixtures("no_training")
def test_different_categories_are_told(coco: CocoFolder, run_on: Run) -> None:
    content = coco.read("val")
    content["categories"][1]["name"] = "wolf"
    coco.write("val", content)
    text = complaint(lambda: run_on(coco))
    for part in ("train.json", "val.json", "different categories"):
        assert part in text


def rle(height: int, width: int) -> Json:
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[2:20, 3:9] = 1
    code: Any = coco_mask.encode(mask)
    return {"size": [height, width], "counts": code["counts"].decode()}


DEGENERATE = [
    {"bbox": [200, 200, 10, 10]},
    {"bbox": [-50, 5, 20, 20]},
    {"bbox": [10, 12, 0, 20]},
    {"segmentation": [[10, 12, 40, 12]]},
    {"segmentation": rle(SIDE, SIDE // 2)},
]


def add_degenerate(content: Json) -> None:
    for k, entries in enumerate(DEGENERATE):
        content["annotations"].append({**rectangle(500 + k, 1, 1), **copy.deepcopy(entries)})


def test_degenerate_annotations_are_dropped_with_one_line(
    coco: CocoFolder, run_on: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    content = coco.read("train")
    add_degenerate(content)
    coco.write("train", content)
    run_on(coco)
    lines = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
    assert lines == [
        f"{coco.json('train')}: 5 of 13 annotations dropped: 2 boxes outside of the image, "
        "1 box of zero size, 1 polygon with fewer than 3 points, 1 RLE of another size than its image"
    ]
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.usefixtures("no_training")
def test_nothing_but_degenerate_annotations_is_told(coco: CocoFolder, run_on: Run) -> None:
    content = coco.read("train")
    content["annotations"] = []
    add_degenerate(content)
    coco.write("train", content)
    text = complaint(lambda: run_on(coco))
    assert f"{coco.json('train')} has no usable annotation" in text
    assert "5 of 5 annotations dropped" in text


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the sound set."""
    folder = tmp_path_factory.mktemp("finished")
    run_on_set(CocoFolder(folder / "coco"), output=folder / "run")
    return folder / "run"


@pytest.fixture
def trained(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it, to be written to."""
    return shutil.copytree(finished_run, tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_failing_runs_leave_what_is_in_their_folder(coco: CocoFolder, run_on: Run, trained: Path) -> None:
    before = contents(trained)
    assert {"checkpoints/last.ckpt", "metrics.json", "mask_detections.json"} <= set(before)
    coco.json("val").write_text("")
    checkpoint = f"checkpoint={trained / 'checkpoints' / 'last.ckpt'}"
    for overrides in ([], ["resume=auto"], ["task=eval", checkpoint]):
        assert "is empty" in complaint(lambda overrides=overrides: run_on(coco, *overrides))
    assert contents(trained) == before


def test_evaluation_that_fails_midway_leaves_the_results(
    coco: CocoFolder, run_on: Run, trained: Path
) -> None:
    before = contents(trained)
    damaged = coco.root / "val" / f"{NUM_IMAGES - 1}.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    checkpoint = f"checkpoint={trained / 'checkpoints' / 'last.ckpt'}"
    text = complaint(lambda: run_on(coco, "task=eval", checkpoint))
    assert f"{damaged} is truncated" in text
    after = contents(trained)
    assert {name: after.get(name) for name in before} == before


def test_resumed_run_keeps_the_rows_of_its_csv(coco: CocoFolder, run_on: Run, trained: Path) -> None:
    """The printed resume command continues in the folder of the stopped run."""
    before = csv_rows(trained)
    assert before
    run_on(coco, "resume=auto", "schedule.max_steps=6")
    after = csv_rows(trained)
    assert after[: len(before)] == before
    assert any(row.get("loss/total") for row in after[len(before) :])


def test_checkpoint_of_another_class_count_is_told(
    coco: CocoFolder, run_task: Run, trained: Path, tmp_path: Path, no_training: None
) -> None:
    """A network for two classes, and the five kinds of shapes."""
    checkpoint = trained / "checkpoints" / "last.ckpt"
    text = complaint(
        lambda: run_task(tmp_path / "eval", "task=eval", f"checkpoint={checkpoint}", "dataset=shapes")
    )
    for part in (str(checkpoint), "2 classes", "the data set has 5"):
        assert part in text
    text = complaint(lambda: run_task(tmp_path / "train", f"resume={checkpoint}"))
    assert str(checkpoint) in text


def test_truncated_image_ends_a_training_that_keeps_its_checkpoints(coco: CocoFolder, tmp_path: Path) -> None:
    """Found by a data worker in the last of an epoch's four batches; the whole program is run."""
    keys = list(TrainSampler(NUM_IMAGES, [2], seed=0))
    damaged = coco.root / "train" / f"{keys[-1][1]}.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    output = tmp_path / "run"
    options = ["dataset.num_workers=1", "callbacks.periodic.every_n_train_steps=1"]
    end = run_py(output, *coco.overrides(), *options, tiny=OWN_DATA)
    assert end.code == 1
    errors = [line for line in end.output.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert f"{damaged} is truncated" in errors[0]
    assert "Traceback" not in end.output
    saved = list((output / "checkpoints").glob("*.ckpt"))
    assert saved
    steps = [torch.load(path, weights_only=True)["global_step"] for path in saved]
    assert max(steps) == 3
