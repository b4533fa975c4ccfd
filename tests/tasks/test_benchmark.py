import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny_run import TINY, compose_config
from yolact_pl.checkpoints.description import ENTRY
from yolact_pl.config.build import build, build_network, describe
from yolact_pl.models.yolact import Yolact
from yolact_pl.tasks.benchmark import run

STAGES = ["decode and resize", "network", "detections", "masks at full size"]
FEW = ["task=benchmark", "device=cpu", "task.warmup=1", "task.batch_sizes=[1,3]"]

Run = Callable[..., Any]


def numbers(output: Path) -> dict[str, Any]:
    return json.loads((output / "benchmark.json").read_text())


def check_times(report: dict[str, Any], batch_sizes: Sequence[int] = (1, 3)) -> None:
    assert list(report["stages"]) == STAGES
    for times in (*report["stages"].values(), report["end_to_end"]):
        assert 0 < times["median"] <= times["p90"] < 60_000
    assert report["frames_per_second"] == pytest.approx(1000 / report["end_to_end"]["median"])
    assert [batch["batch_size"] for batch in report["batches"]] == list(batch_sizes)
    for batch in report["batches"]:
        assert batch["network_images_per_second"] == pytest.approx(
            1000 * batch["batch_size"] / batch["network_ms"]["median"]
        )
        assert batch["complete_images_per_second"] > 0
        assert 20 < batch["peak_memory_mib"] < 100_000


def test_untrained_config_on_validation_images(
    run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_task(
        tmp_path,
        *FEW,
        "task.images=4",
        "model.postprocess.score_threshold=0",
        "model.postprocess.max_detections=7",
    )
    report = numbers(tmp_path)
    check_times(report)
    assert report["checkpoint"] is None
    assert report["num_classes"] == 5
    assert report["image_size"] == [64, 64]
    assert report["images"].startswith("4 images of ")
    assert report["detections"] == [7, 7, 7, 7]
    assert report["machine"]["device"] == "cpu"
    assert {"cpu", "threads", "torch", "numpy", "opencv", "python"} <= set(report["machine"])
    assert "7 in the median, 7 to 7" in caplog.text
    assert "untrained" in caplog.text
    for name in (*STAGES, "end to end", "images/s"):
        assert name in caplog.text


def test_without_a_data_set_a_synthetic_image_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny = [override for override in TINY if not override.startswith("dataset.")]
    absent = ["dataset=coco2017", f"data_dir={tmp_path}/nowhere"]
    run(compose_config([*tiny, *absent, *FEW, "task.images=2", "task.synthetic_size=[50,70]"], tmp_path))
    report = numbers(tmp_path)
    check_times(report)
    assert report["images"] == "a synthetic image of 50x70"
    assert report["num_classes"] == 80
    assert len(report["detections"]) == 2
    assert "instances_val2017.json does not exist" in caplog.text


@pytest.mark.usefixtures("bfloat16_cpu")
def test_a_checkpoint_is_measured_with_its_own_config(run_task: Run, tmp_path: Path, data_dir: Path) -> None:
    cfg = compose_config([*TINY, f"data_dir={data_dir}", "image_size=96", "name=mine"], tmp_path)
    data = build(cfg.dataset)
    data.check("validate")
    network = build_network(cfg, data.num_classes, pretrained=False)
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    checkpoint = tmp_path / "some.ckpt"
    torch.save({"state_dict": state, ENTRY: describe(cfg, data)}, checkpoint)
    of_checkpoint = ("experiment", "image_size", "dataset", "backbone", "+backbone", "model")
    plain = [override for override in TINY if not override.startswith(of_checkpoint)]
    run(compose_config([*plain, *FEW, f"checkpoint={checkpoint}", "task.images=0", "half=true"], tmp_path))
    report = numbers(tmp_path)
    check_times(report)
    assert report["name"] == "mine"
    assert report["checkpoint"] == str(checkpoint)
    assert report["image_size"] == [96, 96]
    assert (report["engine"], report["precision"]) == ("torch", "bfloat16")
    assert report["num_classes"] == 5
    assert report["images"] == "a synthetic image of 480x640"


def test_compiled(run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a backend that compiles nothing; `tests/models/test_compile.py` has torch's own."""
    compile_network = Yolact.compile
    monkeypatch.setattr(Yolact, "compile", lambda self, **_: compile_network(self, backend="eager"))
    run_task(tmp_path, *FEW, "task.images=1", "task.compile=true", "task.batch_sizes=[1]")
    report = numbers(tmp_path)
    check_times(report, [1])
    assert report["compiled"] is True


@pytest.mark.parametrize(
    "mistake",
    [
        "task.images=-1",
        "task.warmup=-1",
        "task.batch_sizes=[]",
        "task.batch_sizes=[1,0]",
        "task.batch_sizes=4",
        "task.synthetic_size=[640]",
        "device=tpu7",
        "half=maybe",
        "task.compile=1",
    ],
)
def test_wrong_options_are_told_by_name(run_task: Run, tmp_path: Path, mistake: str) -> None:
    key = mistake.partition("=")[0].removeprefix("task.")
    with pytest.raises(ValueError, match=key):
        run_task(tmp_path, *FEW, mistake)
