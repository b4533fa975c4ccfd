"""LightningModule around network, loss, postprocess and schedule."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from yolact_pl.checkpoints.description import ENTRY, Description
from yolact_pl.evaluation.loss_average import LossAverage
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.network import YolactNetwork
from yolact_pl.postprocess import Postprocess
from yolact_pl.results.detections import Detections
from yolact_pl.schedules.schedule import Schedule
from yolact_pl.structures import Batch, EvaluationBatch


class YolactModule(LightningModule):
    """Trains and validates a network.

    Args:
        network: the network.
        loss: `loss(predictions, targets, mask_iou)` to a dict of terms whose sum is minimised.
        postprocess: predictions to detections.
        schedule: already scaled to the real total batch.
        description: goes into every checkpoint.
        freeze_bn: the backbone's batch norm keeps its statistics and its affine weights.
        channels_last: memory layout of the network, for faster convolutions on CPU and GPU.
        seed: of everything random in a step (the mask loss draws a subset).
    """

    def __init__(
        self,
        network: YolactNetwork,
        loss: nn.Module,
        postprocess: Postprocess,
        schedule: Schedule,
        *,
        description: Description,
        freeze_bn: bool,
        channels_last: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last) if channels_last else network
        self.loss = loss
        self.postprocess = postprocess
        self.schedule = schedule
        self.description = description
        self.seed = seed
        self.batch_norm_frozen = freeze_bn
        self.loss_average = LossAverage()
        self._logged_step: int | None = None
        if freeze_bn:
            freeze_batch_norm(network.backbone)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # The random state of a step is a function of seed, step and rank: a resumed run needs no saved random
        # state, whatever the number of its devices.
        torch.manual_seed((self.seed * 1_000_003 + self.trainer.global_step) * 1_009 + self.global_rank)
        if self._logged_step not in (None, self.trainer.global_step):
            self.loss_average.reset()
            self._logged_step = None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, targets = batch
        terms = self.loss(self.network(images), targets, mask_iou=self.network.mask_iou)
        total = torch.stack(list(terms.values())).sum()
        # Each rank has the part of its own images; their mean is the loss of the total batch.
        first, step = not self.loss_average.names, self.trainer.global_step
        self.loss_average.update({**terms, "total": total})
        interval = getattr(self.trainer, "log_every_n_steps", 1)  # Lightning does not declare it
        due = (step + 1) % interval == 0
        if due or first:  # the first for the progress bar
            averages = self.loss_average.compute()
            self.log_dict({f"loss/{name}": x for name, x in averages.items()}, batch_size=len(images))
        if due:
            self._logged_step = step
        return total

    def validation_step(self, batch: EvaluationBatch, batch_idx: int) -> dict[str, list[Detections]]:
        images, infos = batch
        sizes = [info["size"] for info in infos]
        detections = self.postprocess(
            self.network(images),
            sizes,
            mask_iou=self.network.mask_iou,
            placements=[info.get("placement") for info in infos],
        )
        return {"detections": detections}

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, scheduler = self.schedule.configure(self.network)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[ENTRY] = dict(self.description)

    def on_validation_start(self) -> None:
        # DDP's own copying at each forward would hang where shares are unequal (see training/trainer.py).
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)
