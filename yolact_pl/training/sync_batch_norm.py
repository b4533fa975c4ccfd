"""Batch norm over the images of all devices."""

from pytorch_lightning.plugins import LayerSync, TorchSyncBatchNorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SyncTrainedBatchNorm(LayerSync):
    """Statistics of all devices' images together, for the batch norm that is trained.

    What is frozen stays as it is: there is nothing to average, and a converted layer would learn again.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Replace the layers in place."""
        for parent in list(model.modules()):
            for name, norm in list(parent.named_children()):
                if isinstance(norm, _BatchNorm) and all(p.requires_grad for p in norm.parameters()):
                    setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(norm))
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """As after the run: plain batch norm again."""
        return TorchSyncBatchNorm().revert(model)
