"""The loaders by themselves, and as Lightning drives them."""

import itertools
import platform
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from yolact_pl.data.augmentation.modern import ModernAugmentation
from yolact_pl.data.augmentation.transforms import NoAugmentation, SsdAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.loader import prepare_worker
from yolact_pl.data.sampler import TrainSampler
from yolact_pl.freed_memory import SETTINGS
from yolact_pl.images.image_file import ImageError
from yolact_pl.structures import Batch, EvaluationBatch

Write = Callable[..., tuple[Path, Path]]
Seen = list[tuple[list[int], int]]


def data_module(
    train: tuple[Path, Path], val: tuple[Path, Path] | None = None, **options: Any
) -> CocoDataModule:
    val_json, val_images = val or (None, None)
    defaults: dict[str, Any] = {
        "image_size": 32,
        "batch_size": 2,
        "num_workers": 0,
        "augment": SsdAugmentation(),
    }
    return CocoDataModule(
        train_json=train[0],
        train_images=train[1],
        val_json=val_json,
        val_images=val_images,
        **(defaults | options),
    )


def fingerprint(batch: Batch) -> tuple[list[int], int]:
    """Which images, and a number that changes with every pixel."""
    images, targets = batch
    weights = torch.arange(images.numel(), dtype=torch.int64) % 9973
    return targets.image_ids, int((images.flatten().long() * weights).sum())


@pytest.mark.parametrize("num_workers", [1, 3])
def test_workers_do_not_change_a_run(tiny_coco: Write, num_workers: int) -> None:
    files = tiny_coco()
    alone = data_module(files).train_dataloader()
    many = data_module(files, num_workers=num_workers).train_dataloader()
    for _ in range(3):
        assert [fingerprint(batch) for batch in many] == [fingerprint(batch) for batch in alone]


def test_batch_is_that_of_the_dataset(tiny_coco: Write) -> None:
    loader = data_module(tiny_coco(), num_workers=1).train_dataloader()
    images, targets = next(iter(loader))
    keys = list(TrainSampler(5, [2]))[:2]
    for index, (image, key) in enumerate(zip(images, keys, strict=True)):
        expected_image, expected = loader.dataset[key]
        assert torch.equal(image, expected_image)
        assert targets.image_ids[index] == expected["image_id"]
        for name, value in expected.items():
            if isinstance(value, Tensor):
                assert torch.equal(getattr(targets, name)[targets.image == index], value), name


@pytest.mark.parametrize("num_workers", [0, 2])
def test_position_counts_what_was_handed_out(tiny_coco: Write, num_workers: int) -> None:
    files = tiny_coco(count=9)
    whole = [fingerprint(batch) for batch in data_module(files).train_dataloader()]
    loader = data_module(files, num_workers=num_workers).train_dataloader()
    iterator = iter(loader)
    next(iterator)
    next(iterator)
    state = loader.state_dict()
    assert state == {"epoch": 0, "samples_done": 4}  # workers are further ahead
    resumed = data_module(files, num_workers=num_workers).train_dataloader()
    resumed.load_state_dict(state)
    assert [fingerprint(batch) for batch in resumed] == whole[2:]
    assert resumed.state_dict() == {"epoch": 0, "samples_done": 8}
    next(iter(resumed))
    assert resumed.state_dict() == {"epoch": 1, "samples_done": 2}
    assert len(resumed) == len(whole) == 4


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_have_sizes_of_their_own(tiny_coco: Write, num_workers: int) -> None:
    data = data_module(tiny_coco(count=9), image_size=[64, 96], multi_scale=[0.5, 2], num_workers=num_workers)
    loader = data.train_dataloader()
    found = []
    for images, targets in itertools.chain(loader, loader, loader):
        height, width = images.shape[2:]
        found.append((height, width))
        assert targets.masks.shape[1:] == (height // 4, width // 4)
        assert targets.semantic_masks.shape[1:] == (height // 8, width // 8)
        assert (targets.boxes <= torch.tensor([width, height] * 2)).all()
    assert found[0] == found[4] == found[8] == (128, 192)
    assert len(set(found)) > 3
    assert all(32 <= h <= 128 and h % 32 == 0 and abs(w / h - 1.5) <= 0.5 for h, w in found)
    with pytest.raises(ValueError, match=r"multi_scale=\[2, 1\]: expected two factors"):
        data_module(tiny_coco("other"), multi_scale=[2, 1])


class PageFaults(Dataset[int]):
    """How many pages the system was asked for by ten times 138 MiB of arrays, two at a time."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        last = None
        for mib in (19, 5, 19, 10, 25, 2, 30, 28) * 10:
            last = np.ones(mib << 20, np.uint8), last and last[0]
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_workers_keep_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    loader = DataLoader(PageFaults(), batch_size=1, num_workers=1, worker_init_fn=prepare_worker)
    _, faults = map(int, loader)
    assert faults < 1000  # of 353,280


@pytest.mark.parametrize("num_workers", [0, 1])
def test_unreadable_image_is_told_in_one_sentence(tiny_coco: Write, num_workers: int) -> None:
    path, folder = tiny_coco()
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:200])
    loader = data_module((path, folder), num_workers=num_workers).train_dataloader()
    with pytest.raises(ImageError) as caught:
        list(itertools.chain(loader, loader))  # an epoch leaves out one of the five images, another one each
    assert str(caught.value).startswith(f"{folder / '3.png'} is truncated")
    assert "\n" not in str(caught.value)


class Recorder(pl.LightningModule):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen: Seen = []
        self.validated: list[int] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.seen.append(fingerprint(batch))
        return self.layer(torch.ones(1, 1)).sum()

    def validation_step(self, batch: EvaluationBatch, batch_idx: int) -> None:
        self.validated += [info["image_id"] for info in batch[1]]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveAt(pl.Callback):
    """Saves at the end of a step, of a validation, or of an epoch; and stops there."""

    def __init__(self, path: Path, when: str, step: int) -> None:
        self.path, self.when, self.step = path, when, step

    def _save(self, trainer: pl.Trainer, when: str) -> None:
        if when == self.when and trainer.global_step == self.step and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)
            raise KeyError("stop")

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self._save(trainer, "step")

    def on_validation_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self._save(trainer, "validation")

    def on_train_epoch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self._save(trainer, "epoch")


def fit(
    data: CocoDataModule, tmp_path: Path, *callbacks: pl.Callback, resume: Path | None = None, **options: Any
) -> Seen:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=tmp_path,
        callbacks=list(callbacks),
        num_sanity_val_steps=0,
        **options,
    )
    module = Recorder()
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resume)
    except KeyError:
        assert callbacks
    return module.seen


LENGTHS = {"steps": {"max_steps": 10, "max_epochs": -1}, "epochs": {"max_epochs": 3}}


@pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers and loggers
@pytest.mark.parametrize("length", sorted(LENGTHS))
@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("step", 2),
        ("step", 4),
        ("step", 6),
        ("epoch", 4),
        ("epoch", 8),
        ("validation", 4),
        ("validation", 8),
        ("validation", 6),
    ],
)
@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_resumed_fit_goes_on_exactly(
    tiny_coco: Write, tmp_path: Path, when: str, step: int, length: str, num_workers: int
) -> None:
    """4 batches an epoch; saved in the middle and at the end of epochs by every hook that saves."""
    train, val = tiny_coco(count=9), tiny_coco("val", count=3)
    options = LENGTHS[length] | ({"val_check_interval": 2} if (when, step) == ("validation", 6) else {})

    def data() -> CocoDataModule:
        augment = ModernAugmentation(mosaic=0.5, copy_paste=0.5, close=0.4)
        return data_module(train, val, num_workers=num_workers, augment=augment)

    whole = fit(data(), tmp_path, **options)
    assert len(whole) == {"steps": 10, "epochs": 12}[length]
    assert len({number for _, number in whole}) == len(whole)  # no sample comes twice
    saved = tmp_path / "saved.ckpt"
    first = fit(data(), tmp_path, SaveAt(saved, when, step), **options)
    torch.load(saved, weights_only=True)
    rest = fit(data(), tmp_path, resume=saved, **options)
    assert first == whole[:step]
    assert rest == whole[step:]


class NotesProgress(NoAugmentation):
    """Remembers which parts of the run it was asked for."""

    asked: ClassVar[list[float]] = []

    def at(self, progress: float) -> NoAugmentation:
        self.asked.append(progress)
        return self


@pytest.mark.filterwarnings("ignore")
def test_samples_know_how_much_of_the_steps_is_done(tiny_coco: Write, tmp_path: Path) -> None:
    """4 batches of 2 an epoch, two batches a step, 5 steps; saved after the second."""
    options: dict[str, Any] = {"max_steps": 5, "max_epochs": -1, "accumulate_grad_batches": 2}
    train, saved, augment = tiny_coco(count=9), tmp_path / "saved.ckpt", NotesProgress()
    augment.asked.clear()
    fit(data_module(train, augment=augment), tmp_path, SaveAt(saved, "step", 2), **options)
    fit(data_module(train, augment=augment), tmp_path, resume=saved, **options)
    assert augment.asked == pytest.approx(np.repeat(np.arange(10), 2) / 10)


@pytest.mark.filterwarnings("ignore")
def test_lightnings_overfit_batches_works(tiny_coco: Write, tmp_path: Path) -> None:
    seen = fit(data_module(tiny_coco(count=9)), tmp_path, overfit_batches=2, max_epochs=2)
    assert [ids for ids, _ in seen] == [[10, 20], [30, 40]] * 2


@pytest.mark.filterwarnings("ignore")
def test_fit_without_validation_set(tiny_coco: Write, tmp_path: Path) -> None:
    assert len(fit(data_module(tiny_coco(count=4)), tmp_path, max_epochs=1)) == 2
