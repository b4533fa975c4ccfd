"""Continuation of an earlier run: what it must have in common with this one, and what is taken from it."""

from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from torch.nn.modules.batchnorm import _BatchNorm

from yolact_pl.checkpoints.description import (
    ENTRY,
    CheckpointError,
    check_weights,
    describes_itself,
    network_weights,
    read_checkpoint,
)
from yolact_pl.config.build import AUTO
from yolact_pl.config.find_checkpoint import checkpoint_to_resume
from yolact_pl.models.network import YolactNetwork
from yolact_pl.module import YolactModule
from yolact_pl.training.tuning import BATCH_SIZE, LR


class ResumedRun(NamedTuple):
    """The state of an earlier run."""

    path: Path
    content: dict[str, Any]

    @property
    def class_names(self) -> list[str]:
        return self.content[ENTRY]["class_names"]

    def keep_found(self, cfg: DictConfig) -> None:
        """Where `cfg` says `auto`, take the values that the run found at its start."""
        wanted = [key for key in ("image_size", BATCH_SIZE, LR) if OmegaConf.select(cfg, key) == AUTO]
        stored = OmegaConf.create(self.content[ENTRY]["config"])
        warmup = ["schedule.warmup_lr"] if LR in wanted and "warmup_lr" in cfg.schedule else []
        for key in [*wanted, *warmup]:
            OmegaConf.update(cfg, key, OmegaConf.select(stored, key))

    def froze_batch_norm(self, network: YolactNetwork) -> bool:
        """Whether the optimizer left out the weights of the backbone's batch norm.

        Args:
            network: of this run, before its batch norm is frozen.
        """
        norms = [m for m in network.backbone.modules() if isinstance(m, _BatchNorm)]
        of_norms = sum(p.requires_grad for norm in norms for p in norm.parameters())
        trained = sum(p.requires_grad for p in network.parameters())
        return self._num_trained() == trained - of_norms

    def check(self, module: YolactModule, cfg: DictConfig) -> None:
        """Whether this run can continue with the state.

        Raises:
            CheckpointError: another network, optimizer or set of trained weights; says what to change.
        """
        check_weights(module.network, network_weights(self.content), str(self.path))
        stored = self.content[ENTRY]["config"]["schedule"]["optimizer"]["_target_"]
        asked = cfg.schedule.optimizer._target_
        if stored != asked:
            raise CheckpointError(
                f"resume={self.path}: the run was trained with {stored}, optimizer is {asked} here; give the "
                f"optimizer and schedule that it had, or init={self.path} to start a run from its weights"
            )
        groups = [len(group["params"]) for group in module.schedule.parameter_groups(module.network)]
        stored_groups = [len(group["params"]) for group in self._optimizer()["param_groups"]]
        if groups != stored_groups:
            raise CheckpointError(
                f"resume={self.path}: the run trained {self._num_trained()} weights in {len(stored_groups)} "
                f"parameter groups, this one {sum(groups)} in {len(groups)}; give the freeze, "
                "model.freeze_bn and schedule that it had"
            )

    def _optimizer(self) -> dict[str, Any]:
        return self.content["optimizer_states"][0]

    def _num_trained(self) -> int:
        return sum(len(group["params"]) for group in self._optimizer()["param_groups"])


def run_to_resume(cfg: DictConfig) -> ResumedRun | None:
    """The run that `cfg.resume` means, None where there is none.

    Raises:
        CheckpointError: no such file, or not the state of a run.
    """
    path = checkpoint_to_resume(cfg)
    if path is None:
        return None
    content = read_checkpoint(path)
    if "optimizer_states" not in content or not describes_itself(content):
        raise CheckpointError(
            f"resume={path}: holds weights, not the state of a run; init={path} starts a run from its weights"
        )
    return ResumedRun(path, content)
