import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.accelerators import Accelerator, CPUAccelerator, CUDAAccelerator, MPSAccelerator
from torch.utils.data import DataLoader

from tests.fake_gpu import FakeGpu
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.datamodule import CocoDataModule, default_workers

Write = Callable[..., tuple[Path, Path]]
Files = tuple[Path | None, Path | None]


def data_module(train: Files, val: Files, **options: Any) -> CocoDataModule:
    defaults: dict[str, Any] = {
        "image_size": 64,
        "batch_size": 2,
        "num_workers": 0,
        "augment": NoAugmentation(),
    }
    return CocoDataModule(
        train_json=train[0], train_images=train[1], val_json=val[0], val_images=val[1], **(defaults | options)
    )


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_what_it_says_of_the_data(tiny_coco: Write) -> None:
    data = data_module(tiny_coco(), tiny_coco("val", 3))
    data.check("fit")
    assert data.classes == ("cat", "dog")
    assert data.category_ids == (3, 7)
    assert data.num_classes == 2
    assert (data.train_size, data.val_size) == (5, 3)
    assert data.val_annotations.path.name == "val.json"
    assert data.num_val_objects == (~data.val_annotations.iscrowd).sum() > 0
    assert data.has_validation
    assert data.val_target(10)["labels"].tolist() == [0, 1]


def test_batches_and_types(tiny_coco: Write) -> None:
    data = data_module(tiny_coco(), tiny_coco("val", 3), image_size=[40, 72])
    images, targets = next(iter(data.train_dataloader()))
    assert (images.shape, images.dtype) == ((2, 3, 40, 72), torch.uint8)
    assert targets.masks.shape[1:] == (10, 18)
    val = data.val_dataloader()
    assert isinstance(val, DataLoader)
    batches = list(val)
    assert [len(images) for images, _ in batches] == [2, 1]
    assert batches[0][0].dtype == torch.float32
    assert batches[0][1] == [{"image_id": 10, "size": (40, 60)}, {"image_id": 20, "size": (50, 30)}]


def test_targets_stay_on_the_cpu_where_they_are_matched(tiny_coco: Write) -> None:
    files = tiny_coco()
    batch = next(iter(data_module(files, files).train_dataloader()))
    with FakeGpu():
        images, targets = data_module(files, files).transfer_batch_to_device(batch, torch.device("cuda"), 0)
    assert images.device.type == "cuda"
    assert images.shape == batch[0].shape
    assert targets is batch[1]


def test_ranks_share_validation_and_training(tiny_coco: Write) -> None:
    files = tiny_coco()
    seen: list[list[int]] = []
    trained = []
    for rank in range(2):
        data = data_module(files, files, batch_size=1)
        data.trainer = SimpleNamespace(
            global_rank=rank, world_size=2, num_devices=2, accelerator=None, max_steps=-1
        )  # type: ignore[assignment]
        loaders = [data.train_dataloader(), data.val_dataloader()]
        assert isinstance(loaders[1], DataLoader)
        trained += list(loaders[0].sampler)
        seen.append([int(data._val_set()[i][1]["image_id"]) for i in loaders[1].sampler])
    assert seen == [[10, 30, 50], [20, 40]]
    assert len(set(trained)) == 4  # 2 batches of 1 image on each rank


def test_training_without_validation(tiny_coco: Write) -> None:
    data = data_module(tiny_coco(), (None, None))
    data.check("fit")
    assert not data.has_validation
    assert (data.val_size, data.val_dataloader()) == (0, [])
    with pytest.raises(DataError, match=r"no validation set is given; dataset\.val_fraction=0\.1"):
        data.check("validate")


def test_crowds_alone_are_nothing_to_learn(tiny_coco: Write) -> None:
    path, folder = tiny_coco()

    def mark(content: dict) -> None:
        for annotation in content["annotations"]:
            annotation["iscrowd"] = 1

    change(path, mark)
    with pytest.raises(
        DataError, match=r"nothing to train on: all 13 annotations are marked as crowd regions"
    ):
        data_module((path, folder), (None, None)).check("fit")


def test_evaluation_needs_no_training_set(tiny_coco: Write) -> None:
    data = data_module((Path("missing.json"), Path("missing")), tiny_coco("val", 3))
    data.check("validate")
    assert data.classes == ("cat", "dog")
    assert data_module((None, None), tiny_coco("val2", 3)).num_classes == 2
    with pytest.raises(DataError, match=r"missing\.json does not exist"):
        data.check("fit")


def test_validation_file_that_only_lists_images(tiny_coco: Write) -> None:
    path, folder = tiny_coco("val", 3)
    change(path, lambda content: content.pop("annotations"))
    data = data_module((None, None), (path, folder))
    data.check("validate")
    assert data.val_size == 3
    with pytest.raises(DataError, match=r"val\.json has no usable annotation to train on"):
        data_module((path, folder), (None, None)).check("fit")


def test_missing_images_are_told_before_training(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    (folder / "1.png").unlink()
    (folder / "4.png").unlink()
    with pytest.raises(DataError, match=r"2 of the 5 images .*1\.png, 4\.png"):
        data_module((path, folder), (None, None)).check("fit")


def test_different_categories_are_told(tiny_coco: Write) -> None:
    val = tiny_coco("val", 3)
    change(val[0], lambda content: content["categories"][0].update(name="wolf"))
    with pytest.raises(
        DataError, match=r"train\.json and .*val\.json have different categories \(category 7"
    ):
        data_module(tiny_coco(), val).check("fit")


@pytest.mark.parametrize(
    "setting",
    [
        {"image_size": 0},
        {"image_size": [1, 2, 3]},
        {"batch_size": 0},
        {"batch_size": [4, 0]},
        {"batch_size": []},
        {"num_workers": "many"},
    ],
)
def test_wrong_settings_are_told(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        data_module((None, None), (None, None), **setting)


@pytest.mark.parametrize(
    ("cores", "processes", "on_cpu", "expected"),
    [
        (2, 1, True, 1),
        (1, 1, True, 0),
        (64, 1, True, 1),
        (2, 2, True, 0),
        (64, 8, False, 8),
        (16, 4, False, 4),
        (1, 2, False, 1),
    ],
)
def test_workers_follow_the_machine(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int, on_cpu: bool, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(cores), raising=False)
    assert default_workers(processes, on_cpu=on_cpu) == expected


@pytest.mark.parametrize(
    ("accelerator", "pinned"),
    [(CPUAccelerator(), False), (CUDAAccelerator(), True), (MPSAccelerator(), False)],
    ids=["cpu", "cuda", "mps"],
)
def test_loaders_read_ahead_into_memory_that_the_device_can_fetch(
    accelerator: Accelerator, pinned: bool, tiny_coco: Write
) -> None:
    data = data_module(tiny_coco(), tiny_coco("val", 3), num_workers=2)
    data.trainer = SimpleNamespace(
        global_rank=0, world_size=1, num_devices=1, accelerator=accelerator, max_steps=-1
    )  # type: ignore[assignment]
    train, val = data.train_dataloader(), data.val_dataloader()
    assert isinstance(val, DataLoader)
    assert (train.pin_memory, val.pin_memory) == (pinned, pinned)
    assert (train.num_workers, train.prefetch_factor) == (2, 4)
    assert train.persistent_workers


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux for the memory of a process"
)
def test_memory_of_workers_does_not_grow(tiny_coco: Write) -> None:
    path, folder = tiny_coco()

    def repeat(content: dict[str, Any]) -> None:
        content["annotations"] = [
            row | {"id": n * 1000 + row["id"], "image_id": n * 1000 + row["image_id"]}
            for n in range(1000)
            for row in content["annotations"]
        ]
        content["images"] = [
            image | {"id": n * 1000 + image["id"]} for n in range(1000) for image in content["images"]
        ]

    change(path, repeat)
    loader = data_module((path, folder), (None, None), num_workers=1, image_size=32).train_dataloader()
    iterator = iter(loader)
    memory = []
    for batch in range(600):
        next(iterator)
        if batch % 100 == 99:
            worker = loader._iterator._workers[0].pid  # type: ignore[union-attr]
            lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
            memory.append(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
    assert (
        np.mean(memory[-3:]) < memory[1] + 4 * 1024
    )  # kB; the file's rows as Python objects are 100 times that
