"""An exported network finds what torch finds, on files of any kind, and takes no more memory with time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yolact_pl
from tests.tasks.odd_images import odd_files
from tests.tasks.test_predict_odd_images import begin_to_watch_memory, memory

Run = Callable[..., Any]
OPTIONS: Any = {"min_score": 0.2, "nms": "fast", "iou_threshold": 0.5}
FORMATS = {"onnx": [], "openvino": ["format=openvino"]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("same") / "run"


@pytest.fixture
def exported(checkpoint: Path, run_task: Run) -> Callable[[str], yolact_pl.Model]:
    """The model in a format; boxes are not cut to whole pixels, which would turn 1e-5 pixels into one."""

    def export(name: str) -> yolact_pl.Model:
        if not checkpoint.exists():
            run_task(checkpoint)
        folder = checkpoint.parent / name
        if not folder.exists():
            trained = f"checkpoint={checkpoint / 'checkpoints' / 'last.ckpt'}"
            plain = ["input=float32", "check=false", "model.postprocess.whole_pixel_boxes=false"]
            run_task(folder, "task=export", trained, *plain, *FORMATS[name])
        return yolact_pl.load(folder, **OPTIONS)

    return export


@pytest.mark.parametrize("name", FORMATS)
def test_equals_torch_on_odd_images(
    name: str, exported: Callable[[str], yolact_pl.Model], checkpoint: Path
) -> None:
    model = exported(name)
    by_torch = yolact_pl.load(checkpoint / "checkpoints" / "last.ckpt", device="cpu", **OPTIONS)
    engine: Any = by_torch.predictor.engine
    engine.postprocess.whole_pixel_boxes = False
    pixels, different, found = 0, 0, 0
    for file in odd_files(40):
        try:
            expected = by_torch(file.data)
        except yolact_pl.ImageError:
            with pytest.raises(yolact_pl.ImageError):
                model(file.data)
            continue
        got = model(file.data)
        np.testing.assert_array_equal(got.labels, expected.labels, err_msg=file.name)
        np.testing.assert_allclose(got.boxes, expected.boxes, atol=1e-2, err_msg=file.name)
        np.testing.assert_allclose(got.scores, expected.scores, atol=1e-4, err_msg=file.name)
        np.testing.assert_allclose(got.mask_scores, expected.mask_scores, atol=1e-4, err_msg=file.name)
        for row in range(min(len(got), 5)):
            different += int((got.mask(row) != expected.mask(row)).sum())
            pixels += got.size[0] * got.size[1]
        found += len(got)
    assert found > 50
    assert different <= 1e-4 * pixels


def test_memory_stays_flat(exported: Callable[[str], yolact_pl.Model]) -> None:
    model = exported("onnx")
    sizes = np.random.default_rng(0).integers(20, 120, (20, 2)).tolist()
    frames = [np.zeros((height, width, 3), dtype=np.uint8) for height, width in sizes]
    for frame in frames * 2:
        model(frame)
    before = begin_to_watch_memory()
    for frame in frames * 8:
        model(frame)
    if before is not None:
        assert memory("VmHWM") - before < 20
