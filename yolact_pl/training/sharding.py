"""trainer=fsdp: gradients and optimizer state shared out among the devices."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import FSDPStrategy
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)
from torch.nn import Module
from torch.optim import Optimizer

from yolact_pl.checkpoints.description import read_checkpoint


class ShardedStrategy(FSDPStrategy):
    """Lightning's FSDP with the whole network as one unit, which also clips by norm and runs on a CPU.

    One unit: the re-scoring network of YOLACT++ runs outside of the network's own `forward`, and all weights
    together are small beside the maps of a batch. Checkpoints are those of any other run.
    """

    def __init__(self) -> None:
        super().__init__(use_orig_params=True)  # frozen weights beside trained ones

    def setup(self, trainer: Trainer) -> None:
        if trainer.precision != "32-true":
            raise ValueError(
                f"trainer.precision={trainer.precision} does not go with trainer=fsdp, which would round the "
                "statistics of batch norm, too; use trainer=ddp, or trainer.precision=32"
            )
        super().setup(trainer)
        # Lightning's refuses: it does not know the module that has all parts.
        self.precision_plugin.clip_grad_by_norm = self._clip

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Of any strategy; Lightning's own way miscounts the optimizer's weights where some are frozen."""
        content = read_checkpoint(checkpoint_path)
        model = self._sharded()
        everywhere = FullStateDictConfig(rank0_only=False), FullOptimStateDictConfig(rank0_only=False)
        with FullyShardedDataParallel.state_dict_type(model, StateDictType.FULL_STATE_DICT, *everywhere):
            model.load_state_dict(content["state_dict"])
            for optimizer, state in zip(self.optimizers, content["optimizer_states"], strict=True):
                named = _with_names(state, self._names(optimizer))
                own = FullyShardedDataParallel.optim_state_dict_to_load(model, optimizer, named)
                optimizer.load_state_dict(own)
        return content

    def _setup_model(self, model: Module) -> Module:
        # Not channels last: torch would save and load the optimizer's state in a wrong order.
        model = model.to(memory_format=torch.contiguous_format)
        # Lightning passes the number of the device, which a CPU does not have.
        return FullyShardedDataParallel(
            model, sharding_strategy=self.sharding_strategy, device_id=self.root_device, **self.kwargs
        )

    def _clip(self, optimizer: Optimizer, clip_val: int | float) -> None:
        self._sharded().clip_grad_norm_(clip_val)

    def _sharded(self) -> FullyShardedDataParallel:
        assert isinstance(self.model, FullyShardedDataParallel)
        return self.model

    def _names(self, optimizer: Optimizer) -> list[str]:
        assert self.lightning_module is not None
        names = {id(parameter): name for name, parameter in self.lightning_module.named_parameters()}
        return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def _with_names(state: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """An optimizer's state by the names of its weights instead of numbers, which stand in the same order."""
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    name_of = dict(zip(numbers, names, strict=True))
    return {
        "state": {name_of[number]: value for number, value in state["state"].items()},
        "param_groups": [
            {**group, "params": [name_of[number] for number in group["params"]]}
            for group in state["param_groups"]
        ],
    }
