"""Two processes on the CPU are one process with the same total batch."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.csv_log import logged
from tests.processes import Finished, run_py

pytestmark = pytest.mark.slow
Run = Callable[..., Any]

SHORT = [
    "schedule=coco_800k",  # SGD, as published
    "schedule.max_steps=20",
    "schedule.batch_size=4",
    "schedule.warmup_steps=5",
    "schedule.lr=1e-3",
    "schedule.milestones=[15]",
    "trainer.val_check_interval=20",
    "model.freeze_bn=true",
    "augment=ssd",
    "trainer.precision=64-true",  # in 32 bits rounding turns a ReLU on or off now and then
]


ONE, UNEVEN = 1, 2


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path
) -> tuple[dict[int, Path], dict[int, Finished]]:
    """The folders and ends of a run of one process and of one of two with unequal shares."""
    shares = {ONE: "4", UNEVEN: "[3,1]"}
    folders = {run: tmp_path_factory.mktemp("run") for run in shares}
    options = [*SHORT, f"data_dir={data_dir}"]
    finished = {
        run: run_py(folder, *options, f"trainer.devices={run}", f"dataset.batch_size={shares[run]}")
        for run, folder in folders.items()
    }
    for end in finished.values():
        assert end.code == 0, end.output
    return folders, finished


def test_weights_and_losses_are_those_of_one_process(runs: tuple[dict[int, Path], Any]) -> None:
    one, two = (
        torch.load(runs[0][run] / "checkpoints" / "last.ckpt", weights_only=True) for run in (ONE, UNEVEN)
    )
    assert one["global_step"] == two["global_step"] == 20
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, rtol=0, atol=1e-9, msg=name)
    for name in ("loss/total", "loss/box", "loss/class", "loss/mask", "loss/semantic", "gradient_norm"):
        expected = logged(runs[0][ONE], name)
        assert len(expected) == 20
        assert logged(runs[0][UNEVEN], name) == pytest.approx(expected, rel=1e-5), name


def test_adamw_differs_by_no_more_than_rounding(data_dir: Path, run_task: Run, tmp_path: Path) -> None:
    """It divides a gradient by its own size: one of rounding alone moves a weight by a whole step."""
    adamw = [o for o in SHORT if not o.startswith("schedule=")] + ["schedule.max_steps=8"]
    double = [*adamw, "trainer.limit_val_batches=0"]
    run_task(tmp_path / "one", *double, "dataset.batch_size=4")
    two = [*double, "trainer.devices=2", "dataset.batch_size=[3,1]"]
    end = run_py(tmp_path / "two", *two, f"data_dir={data_dir}")
    assert end.code == 0, end.output
    one, two = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-11, msg=name)
    assert {value.dtype for value in one.values() if value.is_floating_point()} == {torch.float64}


@pytest.mark.parametrize(("devices", "sizes"), [(1, "[3, 1]"), (3, "[1, 2]")])
def test_wrong_number_of_batch_sizes_is_told(devices: int, sizes: str, run_task: Run, tmp_path: Path) -> None:
    told = re.escape(f"batch_size={sizes} holds 2 sizes, but {devices} processes train")
    with pytest.raises(ValueError, match=told):
        run_task(tmp_path, f"trainer.devices={devices}", f"dataset.batch_size={sizes}")


def test_only_the_first_process_prints_and_writes(
    runs: tuple[dict[int, Path], dict[int, Finished]],
) -> None:
    folders, finished = runs
    names = {
        count: {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        for count, folder in folders.items()
    }
    assert names[2] - names[1] == {"train_ddp_process_1.log"}
    assert names[1] <= names[2]
    for line in ("box  |", "mask |", "best checkpoint", "length ", "output "):
        assert finished[1].output.count(line) == finished[2].output.count(line) == 1, line


def test_validation_over_an_odd_number_of_images_is_the_same(
    runs: tuple[dict[int, Path], Any], data_dir: Path, tmp_path: Path, run_task: Run
) -> None:
    """7 images: 4 in two batches for the first process, 3 in two for the second."""
    checkpoint = runs[0][1] / "checkpoints" / "last.ckpt"
    options = ["task=eval", f"checkpoint={checkpoint}", "dataset.num_val=7", f"data_dir={data_dir / 'seven'}"]
    run_task(tmp_path / "one", *options)
    end = run_py(tmp_path / "two", *options, "trainer.devices=2")
    assert end.code == 0, end.output
    assert end.output.count("box  |") == 1
    assert json.loads((tmp_path / "one" / "metrics.json").read_text())["images"] == 7
    for name in ("metrics.json", "per_class.csv"):
        assert (tmp_path / "two" / name).read_text() == (tmp_path / "one" / name).read_text(), name
    for name in ("bbox_detections.json", "mask_detections.json"):
        one, two = (json.loads((tmp_path / run / name).read_text()) for run in ("one", "two"))
        # Other images share a batch: sums of floats are ordered differently.
        assert [row.pop("score") for row in two] == pytest.approx([row.pop("score") for row in one], abs=1e-5)
        assert two == one, name


def test_fewer_validation_images_than_processes(tmp_path: Path) -> None:
    """In training and in task=eval; the image that both processes look at counts once."""
    options = ["dataset.num_val=1", f"data_dir={tmp_path}", "trainer.devices=2", "schedule.max_steps=2"]
    end = run_py(tmp_path / "fit", *options, "trainer.val_check_interval=2")
    assert end.code == 0, end.output
    checkpoint = tmp_path / "fit" / "checkpoints" / "last.ckpt"
    end = run_py(tmp_path / "eval", "task=eval", f"checkpoint={checkpoint}", *options)
    assert end.code == 0, end.output
    truth = json.loads((tmp_path / "shapes" / "annotations" / "instances_val.json").read_text())
    for name in ("fit", "eval"):
        assert json.loads((tmp_path / name / "metrics.json").read_text())["images"] == 1
        table = (tmp_path / name / "confusion_matrix.csv").read_text().splitlines()[1:-1]
        counts = [int(cell) for line in table for cell in line.split(",")[1:]]
        assert sum(counts) == len(truth["annotations"])


NAN_ON_THE_SECOND = """
calls = []

def poison(loss, predictions, targets):
    calls.append(1)
    if rank == 1 and len(calls) == 3:
        predictions.prototypes.data.fill_(float("nan"))

before(YolactLoss, "forward", poison)
before(YolactModule, "on_train_batch_start", lambda module, batch, index: torch.save(
    module.state_dict(), os.path.join(module.trainer.default_root_dir, f"{rank}_{index}.pt")))
"""


def test_nan_of_one_process_makes_all_skip_the_step(data_dir: Path, tmp_path: Path) -> None:
    end = run_py(
        tmp_path,
        f"data_dir={data_dir}",
        "dataset.batch_size=1",
        "trainer.devices=2",
        "schedule.max_steps=5",
        "trainer.val_check_interval=5",
        "model.freeze_bn=true",
        plan=NAN_ON_THE_SECOND,
    )
    assert end.code == 0, end.output
    assert end.output.count("gradients are not finite") == 1
    weights = {
        (rank, step): torch.load(tmp_path / f"{rank}_{step}.pt", weights_only=True)
        for rank in (0, 1)
        for step in range(5)
    }

    def same(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return all(torch.equal(value, weights[b][name]) for name, value in weights[a].items())

    for step in range(5):
        assert same((0, step), (1, step)), step
    assert [same((0, step), (0, step + 1)) for step in range(4)] == [False, False, True, False]
    assert max(logged(tmp_path, "skipped_steps").values()) == 1


COUNTING_BARRIERS = """
import torch.distributed as dist

barrier, count = dist.barrier, [0, 0]

def counted(*arguments, **options):
    count[0] += 1
    return barrier(*arguments, **options)

dist.barrier = counted

def mark(module, batch, index):
    if index == 1:  # before, how many images all of them train on is asked once
        count[1] = count[0]

def tell(module, *arguments):
    with open(os.path.join(module.trainer.default_root_dir, f"barriers_{rank}"), "w") as file:
        file.write(str(count[0] - count[1]) if count[1] else "not counted")

before(YolactModule, "on_train_batch_start", mark)
before(YolactModule, "on_validation_start", tell)
"""


def test_no_process_waits_for_the_others_in_a_step(data_dir: Path, tmp_path: Path) -> None:
    """Beyond what the gradients need, that is: a barrier would make each wait for its GPU, too."""
    end = run_py(
        tmp_path,
        f"data_dir={data_dir}",
        "dataset.batch_size=1",
        "trainer.devices=2",
        "schedule.max_steps=5",
        "trainer.val_check_interval=5",
        plan=COUNTING_BARRIERS,
    )
    assert end.code == 0, end.output
    assert [(tmp_path / f"barriers_{rank}").read_text() for rank in (0, 1)] == ["0", "0"]
