"""Batches out of data workers."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from yolact_pl.data.resize import fill_up
from yolact_pl.data.sampler import TrainSampler
from yolact_pl.images.resize import PADDING
from yolact_pl.structures import Batch, ImageInfo, Placement

SECONDS_AFTER_SIGTERM = 300
"""How long a worker goes on, so that the main process can end its step and save."""


@dataclass(frozen=True)
class PackedBatch:
    """A batch on its way out of a worker: the tensors of all its objects in one piece each.

    Each tensor that leaves a worker costs a file descriptor: a list of targets would soon use up what a
    process may have.
    """

    images: Tensor
    """[B, 3, H, W]."""
    image_ids: list[int]
    sizes: list[tuple[int, int]]
    placements: list[Placement] | None
    """Of evaluation images that are not stretched."""
    counts: list[int]
    """Objects of each image."""
    objects: dict[str, Tensor]
    """The tensors of the targets by name, the rows of all images one after the other."""

    def pin_memory(self) -> "PackedBatch":
        """DataLoader's call, when the device asks for page-locked memory."""
        objects = {name: tensor.pin_memory() for name, tensor in self.objects.items()}
        return replace(self, images=self.images.pin_memory(), objects=objects)

    def unpack(self) -> Batch:
        """Images and one target each; targets of evaluation batches hold no tensors."""
        parts = {name: tensor.split(self.counts) for name, tensor in self.objects.items()}
        targets = [
            {name: part[i] for name, part in parts.items()} | {"image_id": image_id, "size": size}
            for i, (image_id, size) in enumerate(zip(self.image_ids, self.sizes, strict=True))
        ]
        if self.placements is not None:
            for target, placement in zip(targets, self.placements, strict=True):
                target["placement"] = placement
        return self.images, cast(Any, targets)


def pack(samples: Sequence[tuple[Tensor, ImageInfo]], fill: tuple[int, int, int] = PADDING) -> PackedBatch:
    """Collate samples of `ImageDataset`, filled up at the right and the bottom to the largest of them.

    Args:
        samples: images [3, H, W], of different sizes only if these are multiples of 32.
        fill: RGB of what is filled up.
    """
    images, infos = zip(*samples, strict=True)
    names = [name for name, value in infos[0].items() if isinstance(value, Tensor)]
    canvas = _largest(images)
    placements = [info["placement"]._replace(canvas=canvas) for info in infos if "placement" in info]
    return PackedBatch(
        images=torch.stack([fill_up(image, canvas, fill=fill) for image in images]),
        image_ids=[info["image_id"] for info in infos],
        sizes=[info["size"] for info in infos],
        placements=placements or None,
        counts=[len(info["labels"]) for info in infos] if names else [],
        objects={name: _concatenate([info[name] for info in infos]) for name in names},
    )


def unzip(samples: Sequence[tuple[np.ndarray, ImageInfo]]) -> tuple[list[np.ndarray], list[ImageInfo]]:
    """Collate samples of `DecodedDataset`: the images stay as they are, each of its own size."""
    images, infos = zip(*samples, strict=True)
    return list(images), list(infos)


def _largest(tensors: Sequence[Tensor]) -> tuple[int, int]:
    """The largest height and the largest width of tensors [..., H, W]."""
    return max(tensor.shape[-2] for tensor in tensors), max(tensor.shape[-1] for tensor in tensors)


def _concatenate(tensors: Sequence[Tensor]) -> Tensor:
    """The rows of all tensors; maps [N, h, w] of different sizes end with zeros."""
    if tensors[0].dim() != 3 or len({tensor.shape[1:] for tensor in tensors}) == 1:
        return torch.cat(list(tensors))
    height, width = _largest(tensors)
    return torch.cat([F.pad(t, (0, width - t.shape[2], 0, height - t.shape[1])) for t in tensors])


def prepare_worker(worker_id: int) -> None:
    """Runs in each worker as it starts."""
    cv2.setNumThreads(0)  # there is a worker for each core already
    # Ctrl+C and SIGTERM to all processes are the main process's to handle, which may want to save.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":  # others cannot tell who sent a signal, and keep to the default
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # for the thread to take
        threading.Thread(target=_await_sigterm, name="sigterm", daemon=True).start()


def _await_sigterm() -> None:
    """Ends this worker at once when its main process says so, later when anybody else does.

    Whoever stops a run, such as a scheduler, may signal the whole process group: the step under way still
    needs its batch. If the main process dies, torch's own watchdog ends the worker.
    """
    if signal.sigwaitinfo({signal.SIGTERM}).si_pid == os.getppid():
        os._exit(0)
    signal.sigtimedwait({signal.SIGTERM}, SECONDS_AFTER_SIGTERM)
    os._exit(128 + signal.SIGTERM)


class ImageLoader(DataLoader[Any]):
    """A DataLoader over an `ImageDataset`, made with `collate_fn=pack`, that gives batches of `structures`.

    Raises:
        ImageError: when an image could not be read, also by a worker.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        for batch in super().__iter__():
            yield batch.unpack()


class TrainLoader(ImageLoader):
    """An `ImageLoader` over a `TrainSampler` that can say where in the epoch it is, and go on from there.

    Lightning keeps its state in checkpoints. What workers have loaded ahead does not count, and skipping
    costs nothing, since it happens among indices.
    """

    def __iter__(self) -> Iterator[Batch]:
        # Workers start with the first batch asked for: Lightning asks for the iterator before it says which
        # epoch it is. A batch is counted before it is used, since checkpoints of its step have to count it.
        if isinstance(self.sampler, TrainSampler):
            self.sampler.begin()
        for batch in super().__iter__():
            if isinstance(self.sampler, TrainSampler):
                self.sampler.advance()
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The sampler's position; nothing if Lightning has put another sampler here (`overfit_batches`)."""
        return self.sampler.state_dict() if isinstance(self.sampler, TrainSampler) else {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if isinstance(self.sampler, TrainSampler):
            self.sampler.load_state_dict(state)
