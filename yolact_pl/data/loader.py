"""Batches out of data workers."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from yolact_pl.data.resize import fill_up
from yolact_pl.data.sampler import TrainSampler
from yolact_pl.freed_memory import keep_freed_memory
from yolact_pl.images.resize import PADDING
from yolact_pl.structures import Batch, EvaluationBatch, ImageInfo, Target, Targets

SECONDS_AFTER_SIGTERM = 300
"""How long a worker continues, so that the main process can end its step and save."""


def training_batch(samples: Sequence[tuple[Tensor, Target]], fill: tuple[int, int, int] = PADDING) -> Batch:
    """Collate samples of `TrainDataset`.

    Each tensor that leaves a worker costs a file descriptor, so the objects of all images are joined here.

    Args:
        samples: images [3, H, W], of different sizes only if these are multiples of 32.
        fill: RGB of the padding at the right and bottom, up to the largest height and width.
    """
    images, targets = zip(*samples, strict=True)
    canvas = _largest(images)
    return torch.stack([fill_up(image, canvas, fill=fill) for image in images]), Targets.join(targets)


def unzip(samples: Sequence[tuple[np.ndarray, ImageInfo]]) -> tuple[list[np.ndarray], list[ImageInfo]]:
    """Collate samples of `DecodedDataset`: the images stay as they are, each of its own size."""
    images, infos = zip(*samples, strict=True)
    return list(images), list(infos)


def evaluation_batch(samples: Sequence[tuple[Tensor, ImageInfo]]) -> EvaluationBatch:
    """Collate samples of `EvaluationDataset`, padded to the largest height and width."""
    images, infos = zip(*samples, strict=True)
    canvas = _largest(images)
    for info in infos:
        if "placement" in info:
            info["placement"] = info["placement"]._replace(canvas=canvas)
    return torch.stack([fill_up(image, canvas) for image in images]), list(infos)


def _largest(images: Sequence[Tensor]) -> tuple[int, int]:
    """The largest height and the largest width."""
    return max(image.shape[1] for image in images), max(image.shape[2] for image in images)


def prepare_worker(worker_id: int) -> None:
    """Runs in each worker as it starts."""
    cv2.setNumThreads(0)  # there is a worker for each core already
    keep_freed_memory()
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


class TrainLoader(DataLoader[Any]):
    """A DataLoader over a `TrainSampler` that knows its position in the epoch and continues from there.

    Lightning keeps its state in checkpoints. Batches that workers have loaded ahead do not count. Skipping
    costs nothing, since it happens among indices.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
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
