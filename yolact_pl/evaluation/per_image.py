"""Metrics whose state is one row per image."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any

import torch.distributed
from torch import nn
from torchmetrics import Metric

from yolact_pl.data.annotations.annotations import Annotations


class PerImageMetric(Metric):
    """A metric that counts each image once, whatever the shares of the processes.

    Under DDP, `compute` gathers the rows of all processes on the first one, which alone computes and sends
    the result to the others. The shares may be unequal; of an image that occurs twice, as samplers repeat
    some to make shares equal, the first row counts. All processes have to call `compute`, and with
    `sync_on_compute=False` also `sync` before it.

    Args:
        annotations: of the data set.
        options: of `torchmetrics.Metric`.
    """

    full_state_update = False
    is_differentiable = False
    rows: list[Any]
    """Plain Python, with an `image_id` each."""

    def __init__(self, annotations: Annotations, **options: Any) -> None:
        super().__init__(**options)
        self.annotations = annotations
        self._index_of_id = {image_id: i for i, image_id in enumerate(annotations.image_ids.tolist())}
        self.add_state("rows", default=[], dist_reduce_fx=None)

    def index_of(self, image_id: int) -> int:
        """The place of an image in the annotations.

        Raises:
            ValueError: it is not there.
        """
        if image_id not in self._index_of_id:
            raise ValueError(f"image id {image_id} is not in {self.annotations.path}: it is of another set")
        return self._index_of_id[image_id]

    @abstractmethod
    def summarize(self, rows: Sequence[Any]) -> Any:
        """The result for rows of different images."""

    def compute(self) -> Any:
        """The result for all images that `update` was called with, the same on all processes."""
        if not self._is_synced:
            return self.summarize(unique_images(self.rows))
        first = _first_rank(self.process_group)
        result = [self.summarize(self.rows) if torch.distributed.get_rank() == first else None]
        torch.distributed.broadcast_object_list(result, src=first, group=self.process_group)
        return result[0]

    def __hash__(self) -> int:
        return id(self)  # torchmetrics would hash the rows, which hold lists

    def _apply(self, fn: Callable[..., Any], exclude_state: Sequence[str] = ()) -> nn.Module:
        return super()._apply(fn, exclude_state=[*exclude_state, "rows"])  # no tensors: nothing to move

    def _copy_state_dict(self) -> dict[str, Any]:
        return {"rows": list(self.rows)}  # rows are never changed: torchmetrics would copy them deeply

    def _sync_dist(self, dist_sync_fn: Any = None, process_group: Any = None) -> None:
        """All rows on the first process, where `ShareSampler` dealt them out in the order of the data set."""
        group = process_group or self.process_group
        first = _first_rank(group)
        is_first = torch.distributed.get_rank() == first
        shares: list[Any] = [[] for _ in range(torch.distributed.get_world_size(group))]
        torch.distributed.gather_object(self.rows, shares if is_first else None, dst=first, group=group)
        self.rows = unique_images(row for row in chain(*zip_longest(*shares)) if row is not None)


def unique_images(rows: Iterable[Any]) -> list[Any]:
    """The first row of each `image_id`."""
    first: dict[int, Any] = {}
    for row in rows:
        first.setdefault(row.image_id, row)
    return list(first.values())


def _first_rank(group: Any) -> int:
    return 0 if group is None else torch.distributed.get_global_rank(group, 0)
