"""Order of images and their distribution over processes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler


class SampleKey(NamedTuple):
    """All that a sample depends on, with the seed."""

    epoch: int
    image: int
    """Number of the image in the training set."""
    progress: float = 0.0
    """Share of the run that is done, 0 to 1, the same for a whole total batch."""
    scale: float | None = None
    """Factor of the input's size, the same for a whole total batch; None: the size as it is."""


class TrainSampler(Sampler[SampleKey]):
    """A new permutation of the images each epoch, shared out to the processes batch by batch.

    The total batch number k of an epoch is the stretch k of the permutation whatever the number of processes,
    and each takes a contiguous part of it, as large as its own batch. Too little for a total batch at an
    epoch's end is left out; a set smaller than one total batch is repeated to fill it.

    Args:
        num_images: of the set, at least 1.
        batch_sizes: images of each process in a step.
        seed: of the permutations.
        rank: of this process.
        batches_left: total batches of the run, from where it begins or resumes to its end; None: unknown,
            then the progress of all samples is 0.
        scales: smallest and largest factor of the input's size, of which each total batch has its own, a
            function of seed and position. The first one of an epoch has the largest: memory that does not
            suffice for it is noticed at once. None: no factor.
    """

    def __init__(
        self,
        num_images: int,
        batch_sizes: Sequence[int],
        *,
        seed: int = 0,
        rank: int = 0,
        batches_left: int | None = None,
        scales: tuple[float, float] | None = None,
    ) -> None:
        self.num_images = num_images
        self.batch_size = batch_sizes[rank]
        self.total_batch = sum(batch_sizes)
        self.seed = seed
        self.epoch = 0
        self.samples_done = 0
        """Of this epoch, by all processes together: where iteration starts."""
        self._batches_left = batches_left
        self._scales = scales
        self._run_samples: int | None = None
        self._first = sum(batch_sizes[:rank])
        self._begun = False
        self._restored = False

    def __len__(self) -> int:
        """Samples of a whole epoch on this process."""
        return max(self.num_images // self.total_batch, 1) * self.batch_size

    def __iter__(self) -> Iterator[SampleKey]:
        epoch = self.epoch
        order = np.random.default_rng((self.seed, epoch)).permutation(self.num_images)
        order = np.resize(order, max(self.num_images, self.total_batch))
        for start in range(self.samples_done, len(order) - self.total_batch + 1, self.total_batch):
            first = start + self._first
            progress, scale = self._progress(epoch, start), self._scale(epoch, start)
            for index in order[first : first + self.batch_size].tolist():
                yield SampleKey(epoch, index, progress, scale)

    def set_epoch(self, epoch: int) -> None:
        """Lightning's call at the start of each epoch, heeded by a new sampler only.

        A run resumed at the end of an epoch restores no position, only this tells it where it is; but a run
        that is limited by steps and resumed there counts an epoch too many.
        """
        if not (self._begun or self._restored):
            self.epoch = epoch

    def begin(self) -> None:
        """Start a pass: the rest of a restored epoch, otherwise the next epoch."""
        finished = self.samples_done + self.total_batch > max(self.num_images, self.total_batch)
        if self._begun or finished:
            self.epoch, self.samples_done = self.epoch + 1, 0
        if self._batches_left is not None and not self._begun:
            done = self._samples_before(self.epoch, self.samples_done)
            self._run_samples = done + self._batches_left * self.total_batch
        self._begun = True

    def advance(self) -> None:
        """One total batch was handed out."""
        self.samples_done += self.total_batch

    def _progress(self, epoch: int, samples_done: int) -> float:
        if not self._run_samples:  # unknown, or a trial of no more than a few steps
            return 0.0
        return min(self._samples_before(epoch, samples_done) / self._run_samples, 1.0)

    def _scale(self, epoch: int, samples_done: int) -> float | None:
        if self._scales is None:
            return None
        if samples_done == 0:
            return self._scales[1]
        sequence = np.random.SeedSequence(self.seed, spawn_key=(epoch, samples_done, 0))
        return np.random.default_rng(sequence).uniform(*self._scales)

    def _samples_before(self, epoch: int, samples_done: int) -> int:
        """Samples of the run, by all processes together, before a position."""
        return epoch * max(self.num_images // self.total_batch, 1) * self.total_batch + samples_done

    def state_dict(self) -> dict[str, int]:
        """The position, in numbers that hold for any number of processes."""
        return {"epoch": self.epoch, "samples_done": self.samples_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore a position, also one of another number of processes."""
        self.epoch, self.samples_done = state["epoch"], state["samples_done"]
        self._begun, self._restored = False, True


class ShareSampler(Sampler[int]):
    """Every `world_size`-th image in order, none twice: the shares of the processes differ by one at most.

    With fewer images than processes, the processes left over repeat one image each: Lightning skips the
    validation of a process without images, for which the others would wait.
    """

    def __init__(self, num_images: int, *, rank: int = 0, world_size: int = 1) -> None:
        self._share = range(rank % num_images, num_images, world_size)

    def __len__(self) -> int:
        return len(self._share)

    def __iter__(self) -> Iterator[int]:
        return iter(self._share)


def sample_generator(seed: int, epoch: int, image: int) -> np.random.Generator:
    """All randomness of one sample."""
    # A spawn key: (seed, epoch, 0) as entropy would repeat the numbers of the permutation, (seed, epoch).
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch, image)))
