import copy
import pickle

import pytest
import torch
from torch import nn

from yolact_pl.models.batch_norm import freeze_batch_norm


@pytest.mark.parametrize("copied", [lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_frozen_batch_norm_neither_moves_nor_trains(copied) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    freeze_batch_norm(network)
    network = copied(network).train()
    before = copy.deepcopy(network.state_dict())
    network(torch.randn(2, 3, 5, 5)).sum().backward()
    assert network.training
    assert network[2].training
    assert not network[1].training
    torch.testing.assert_close(network.state_dict(), before)
    assert [name for name, p in network.named_parameters() if p.grad is None] == ["1.weight", "1.bias"]
    assert (
        network.state_dict().keys()
        == nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).state_dict().keys()
    )
