"""Lightning data module of a COCO data set."""

import os
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.accelerators.cpu import CPUAccelerator
from pytorch_lightning.accelerators.mps import MPSAccelerator
from torch.utils.data import DataLoader

from yolact_pl.data.annotations.annotations import Annotations, DataError
from yolact_pl.data.augmentation.canvas import Augmentation
from yolact_pl.data.dataset import DecodedDataset, EvaluationDataset, TrainDataset
from yolact_pl.data.loader import TrainLoader, evaluation_batch, prepare_worker, training_batch, unzip
from yolact_pl.data.sampler import ShareSampler, TrainSampler
from yolact_pl.data.sources import AUTO, Sources
from yolact_pl.data.suited_size import LARGEST, SuitedSize, suited_size
from yolact_pl.data.value_range import measure_value_range
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import STRETCH, Resize
from yolact_pl.structures import Target

MAX_WORKERS = 8


class CocoDataModule(LightningDataModule):
    """Training and validation images of a data set in COCO format.

    Files are read once, when first needed; `check` reads and checks all that a stage needs, so that mistakes
    are reported before anything else starts.

    Args:
        train_json: annotation file; None for evaluation only.
        train_images: folder of its images.
        val_json: annotation file, also one that only lists images; None for training without validation.
        val_images: folder of its images.
        image_size: of the network's input in pixels, one number for a square or (height, width), see
            `Resize`; `auto`: as the training objects need it, see `suited_size`.
        batch_size: images per device and step, or a list with one number per process, for devices of unequal
            memory.
        augment: of the training images.
        resize: how images are placed on the input, see `Resize`.
        root: instead of the four paths, a folder in which they are found, see `layout.find_files`;
            validation paths given beside it take precedence.
        val_fraction: fraction of the training images set aside for validation, chosen by the seed; `auto`: a
            tenth, where there is no validation set.
        classes: only these, by name; None: all of the file.
        num_workers: data workers per device; `auto` depends on the machine.
        seed: of the order of the images, of the augmentation and of the choice of `val_fraction`.
        keep_empty_images: train on images without annotations too.
        soft_masks: learn masks whose border pixels are partly covered, see `TrainDataset`.
        mask_stride: pixels of the input per mask pixel, see `TrainDataset`.
        multi_scale: smallest and largest factor of `image_size` in training: each batch has its own size,
            with sides that are multiples of 32. None: all have `image_size`.
        max_images: only the first so many images of each file, for trials.
        reduced_decoding: decode large training images at a part of their size, see `TrainDataset`.
        value_range: values that become 0 and 255 in images with more than 8 bits; None: measured on the
            training images. Checkpoints keep it.
    """

    def __init__(
        self,
        *,
        train_json: str | Path | None = None,
        train_images: str | Path | None = None,
        val_json: str | Path | None = None,
        val_images: str | Path | None = None,
        image_size: int | Sequence[int] | str,
        batch_size: int | Sequence[int],
        augment: Augmentation,
        resize: str = STRETCH,
        root: str | Path | None = None,
        val_fraction: float | str | None = None,
        classes: Sequence[str] | str | None = None,
        num_workers: int | str = "auto",
        seed: int = 0,
        keep_empty_images: bool = True,
        soft_masks: bool = False,
        mask_stride: int = 4,
        multi_scale: Sequence[float] | None = None,
        max_images: int | None = None,
        reduced_decoding: bool = False,
        value_range: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self._image_size = None if image_size == AUTO else _pair(image_size)
        self.resize = Resize(resize, self._image_size or (LARGEST, LARGEST)).mode
        _check_batch_size(batch_size)
        if num_workers != "auto" and (not isinstance(num_workers, int) or num_workers < 0):
            raise ValueError(
                f"num_workers={num_workers}: expected auto or a number of processes, 0 for none."
            )
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.augment = augment
        self.seed = seed
        self.keep_empty_images = keep_empty_images
        self.soft_masks = soft_masks
        self.multi_scale = None if multi_scale is None else _factors(multi_scale)
        self.mask_stride = mask_stride
        self.reduced_decoding = reduced_decoding
        if max_images is not None and max_images < 1:
            raise ValueError(f"max_images={max_images}: expected at least 1 image, or null for all.")
        self.max_images = max_images
        self.sources = Sources(
            train_json=train_json,
            train_images=train_images,
            val_json=val_json,
            val_images=val_images,
            root=root,
            val_fraction=val_fraction,
            classes=classes,
            seed=seed,
        )
        self.decode_only = False
        """Validation batches hold images as decoded, uint8, for a predictor that resizes them itself."""
        self._train: TrainDataset | None = None
        self._value_range = None if value_range is None else ValueRange(*value_range)

    def check(self, stage: str) -> None:
        """Read and check the data of `fit` or `validate`.

        Raises:
            DataError: in one sentence, which file is wrong and how.
        """
        if stage == "fit":
            self._train_set()
        if self.has_validation:
            self.sources.images("val")
        elif stage != "fit":
            raise DataError(
                "no validation set is given; dataset.val_fraction=0.1 takes a tenth of the training images, "
                "or set val_json and val_images."
            )
        self.sources.check_same_categories()

    def setup(self, stage: str) -> None:
        """Called by Lightning before each stage."""
        self.check(stage)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self._image_size or (self.suited_size.side, self.suited_size.side)

    @cached_property
    def suited_size(self) -> SuitedSize:
        """What `image_size: auto` is."""
        return suited_size(self.sources.annotations("train"))

    @property
    def has_validation(self) -> bool:
        """Whether a validation set is given."""
        return self.sources.has_validation

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by label."""
        return tuple(self.sources.any_annotations().class_names)

    @property
    def category_ids(self) -> tuple[int, ...]:
        """The annotation file's category id of each label."""
        return tuple(self.sources.any_annotations().category_ids)

    @property
    def num_classes(self) -> int:
        """Without background."""
        return len(self.classes)

    @property
    def train_size(self) -> int:
        """Training images per epoch, on all devices together."""
        return len(self._train_set())

    @property
    def val_size(self) -> int:
        """Validation images, 0 without a validation set."""
        return len(self._val_set()) if self.has_validation else 0

    @property
    def val_annotations(self) -> Annotations:
        """The annotations that validation measures against."""
        return self.sources.annotations("val")

    @property
    def num_val_objects(self) -> int:
        """Objects of the validation images, crowd regions not counted."""
        if not self.has_validation:
            return 0
        dataset = self._val_set()
        known = dataset.annotations
        return int((~known.iscrowd & np.isin(known.image_indices, dataset.indices)).sum())

    @cached_property
    def value_range(self) -> ValueRange | None:
        """Of images with more than 8 bits; None if there are none."""
        if self._value_range is not None:
            return self._value_range
        split = "train" if "train" in self.sources.files else "val"
        known = self.sources.annotations(split)
        names = [known.file_name(int(index)) for index in self.sources.images(split)]
        return measure_value_range(self.sources.folder(split), names)

    def val_target(self, image_id: int) -> Target:
        """The objects of a validation image in its own pixels, masks at full size."""
        return self._val_set().target(image_id)

    def train_dataloader(self) -> TrainLoader:
        """Batches of augmented images, uint8."""
        dataset = self._train_set()
        rank, world_size = self._rank()
        batch_sizes = sizes_per_process(self.batch_size, world_size)
        sampler = TrainSampler(
            len(dataset),
            batch_sizes,
            seed=self.seed,
            rank=rank,
            batches_left=self._batches_left(),
            scales=self.multi_scale,
        )
        options = self._loader_options()
        keep = options["num_workers"] > 0
        options["collate_fn"] = partial(training_batch, fill=self.augment.fill)
        return TrainLoader(dataset, sampler=sampler, drop_last=True, persistent_workers=keep, **options)

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Batches of resized images, float32, or with `decode_only` as they are; none without validation."""
        if not self.has_validation:
            return []
        rank, world_size = self._rank()
        options = self._loader_options()
        options["sampler"] = ShareSampler(self.val_size, rank=rank, world_size=world_size)
        if self.decode_only:
            decoded = DecodedDataset(**self._val_arguments())
            return DataLoader(decoded, **options | {"collate_fn": unzip, "pin_memory": False})
        return DataLoader(self._val_set(), **options)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Images only: the loss expects targets on the CPU and transfers what the GPU needs."""
        images, targets = batch
        return super().transfer_batch_to_device(images, device, dataloader_idx), targets

    def _train_set(self) -> TrainDataset:
        if self._train is None:
            known = self.sources.annotations("train")
            if known.iscrowd.all():  # as well without any
                raise DataError(_nothing_to_learn(known))
            self._train = TrainDataset(
                known,
                self.sources.folder("train"),
                image_size=self.image_size,
                resize=self.resize,
                indices=self.sources.images("train"),
                augment=self.augment,
                seed=self.seed,
                keep_empty_images=self.keep_empty_images,
                soft_masks=self.soft_masks,
                mask_stride=self.mask_stride,
                max_images=self.max_images,
                reduced_decoding=self.reduced_decoding,
                value_range=self.value_range,
            )
        return self._train

    def _val_set(self) -> EvaluationDataset:
        return EvaluationDataset(**self._val_arguments())

    def _val_arguments(self) -> dict[str, Any]:
        return {
            "annotations": self.sources.annotations("val"),
            "folder": self.sources.folder("val"),
            "image_size": self.image_size,
            "resize": self.resize,
            "indices": self.sources.images("val")[: self.max_images],
            "value_range": self.value_range,
        }

    def _batches_left(self) -> int | None:
        """Until the last step of the run; None if it is not limited by steps."""
        trainer = self.trainer
        if trainer is None or trainer.max_steps < 0:
            return None
        return (trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader_options(self) -> dict[str, Any]:
        accelerator = self.trainer.accelerator if self.trainer else CPUAccelerator()
        on_cpu = isinstance(accelerator, CPUAccelerator)
        processes = max(self.trainer.num_devices, 1) if self.trainer else 1
        rank, world_size = self._rank()
        workers = self.num_workers
        if isinstance(workers, str):
            workers = default_workers(processes, on_cpu=on_cpu)
        return {
            "batch_size": sizes_per_process(self.batch_size, world_size)[rank],
            "num_workers": workers,
            "collate_fn": evaluation_batch,
            "pin_memory": not on_cpu and not isinstance(accelerator, MPSAccelerator),  # which cannot
            "worker_init_fn": prepare_worker,
            "prefetch_factor": 4 if workers else None,
        }


def _nothing_to_learn(known: Annotations) -> str:
    if known.num_annotations:
        return (
            f"{known.path} has nothing to train on: all {known.num_annotations} annotations are marked as "
            "crowd regions (iscrowd 1), which are not learned; write iscrowd 0 for what is a single object."
        )
    why = f" ({known.summary})" if known.summary else ""
    return (
        f"{known.path} has no usable annotation to train on{why}; task=check_data shows each mistake, or "
        "choose another file."
    )


def sizes_per_process(batch_size: int | Sequence[int], processes: int) -> list[int]:
    """The batch size of each process.

    Raises:
        ValueError: a list of another length.
    """
    sizes = [batch_size] * processes if isinstance(batch_size, int) else list(batch_size)
    if len(sizes) != processes:
        raise ValueError(
            f"batch_size={sizes} holds {len(sizes)} sizes, but {processes} processes train "
            "(devices x nodes); give one number for all or one for each."
        )
    return sizes


def default_workers(processes: int, *, on_cpu: bool) -> int:
    """Data workers per training process on this machine.

    On the CPU the network is much slower than loading: one worker is enough.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    share = cores // processes
    if on_cpu:
        return min(1, max(share - 1, 0))
    return min(MAX_WORKERS, max(share, 1))


def _check_batch_size(batch_size: int | Sequence[int]) -> None:
    sizes = [batch_size] if isinstance(batch_size, int) else list(batch_size)
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            f"batch_size={batch_size}: expected at least 1 image, "
            "or a list with such a number for each process."
        )


def _factors(multi_scale: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest."""
    if len(multi_scale) != 2 or not 0 < multi_scale[0] <= multi_scale[1]:
        raise ValueError(f"multi_scale={multi_scale}: expected two factors, such as [0.75,1.25], or null.")
    return multi_scale[0], multi_scale[1]


def _pair(image_size: int | Sequence[int] | str) -> tuple[int, int]:
    """(height, width)."""
    numbers: tuple[Any, ...]
    numbers = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(numbers) != 2 or not all(isinstance(side, int) and side > 0 for side in numbers):
        raise ValueError(f"image_size={image_size}: expected one number of pixels, [height, width] or auto.")
    return numbers[0], numbers[1]
