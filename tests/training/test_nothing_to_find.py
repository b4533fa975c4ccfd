"""Validation images without an object of the classes that are trained, and no validation images at all."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.tiny_run import OWN_DATA, compose_config
from yolact_pl.tasks.train import run


def write_set(path: Path, category_id: int) -> list[str]:
    """Four images with an object each; the overrides that name them."""
    images, annotations = [], []
    for i in range(4):
        cv2.imwrite(str(path.parent / f"{i}.png"), np.full((40, 60, 3), 100, np.uint8))
        images.append({"id": i, "file_name": f"{i}.png", "height": 40, "width": 60})
        ring = [4, 8, 40, 8, 40, 32, 4, 32]
        annotations.append(
            {"id": i, "image_id": i, "category_id": category_id, "bbox": [4, 8, 36, 24], "area": 864,
             "iscrowd": 0, "segmentation": [ring]}
        )  # fmt: skip
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    return [f"dataset.{path.stem}_json={path}", f"dataset.{path.stem}_images={path.parent}"]


OWN = [*OWN_DATA, "dataset.classes=[cat]"]


def test_run_without_validation_images_leaves_its_last_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own = [*OWN, *write_set(tmp_path / "train.json", 1), "schedule.max_steps=3"]
    assert run(compose_config(own, tmp_path / "run")) is None
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert torch.load(path, weights_only=True)["global_step"] == 3
    assert f"last checkpoint: {path}" in caplog.text


@pytest.mark.parametrize("annotated", [True, False])
def test_validation_without_objects_loses_nothing(
    annotated: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The validation file has objects of other classes only, or just lists images."""
    caplog.set_level(logging.INFO)
    own = OWN + write_set(tmp_path / "train.json", 1) + write_set(tmp_path / "val.json", 2)
    if not annotated:
        content = json.loads((tmp_path / "val.json").read_text())
        del content["annotations"]
        (tmp_path / "val.json").write_text(json.dumps(content))
    assert run(compose_config(own, tmp_path / "run")) is None
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "AP" not in (tmp_path / "run" / "csv" / "version_0" / "metrics.csv").read_text()
    assert ("no object is on the 4 images, so that AP says nothing" in caplog.text) == annotated
    with pytest.raises(ValueError, match="needs a validation set with objects"):
        run(compose_config([*own, "callbacks=early_stopping"], tmp_path / "stopping"))


def test_ap_of_validated_images_without_objects_is_0(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Callbacks need a number where a part of the images is validated that shows no object of the set."""
    caplog.set_level(logging.INFO)
    own = OWN + write_set(tmp_path / "train.json", 1) + write_set(tmp_path / "val.json", 1)
    content = json.loads((tmp_path / "val.json").read_text())
    content["annotations"] = content["annotations"][-1:]
    (tmp_path / "val.json").write_text(json.dumps(content))
    assert run(compose_config([*own, "trainer.limit_val_batches=1"], tmp_path / "run")) == 0
    assert "no object is on the 2 images" in caplog.text
    names = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert len(names) == 2
    assert "last.ckpt" in names
