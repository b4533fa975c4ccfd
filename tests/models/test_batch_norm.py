import copy
import pickle

import pytest
import torch
from torch import nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.models.batch_norm import conv_norm, freeze_batch_norm


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


def make_norm(channels: int) -> nn.BatchNorm2d:
    """One that does something."""
    norm = nn.BatchNorm2d(channels).double()
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return norm


@pytest.mark.parametrize("state", ["frozen", "evaluation", "training"])
@pytest.mark.parametrize("deformable", [False, True])
def test_conv_norm_is_one_after_the_other(state: str, deformable: bool) -> None:
    torch.manual_seed(0)
    conv = ModulatedDeformConv2d(3, 4, 3, padding=1) if deformable else nn.Conv2d(3, 4, 3, 2, 1, bias=False)
    conv = conv.double()
    norm = make_norm(4).train(state == "training").requires_grad_(state != "frozen")
    reference = copy.deepcopy(norm)
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    gradients = []
    for y, used in ((conv_norm(conv, norm, x), norm), (reference(conv(x)), reference)):
        leaves = [x, *(p for module in (conv, used) for p in module.parameters() if p.requires_grad)]
        gradients.append([y, *torch.autograd.grad((y * torch.arange(y.numel()).view_as(y)).sum(), leaves)])
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(norm.state_dict(), reference.state_dict())


def test_frozen_norm_makes_no_pass_over_the_map() -> None:
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), make_norm(4).float().eval()
    with torch.profiler.profile() as profile:
        conv_norm(conv, norm, torch.randn(1, 3, 9, 9))
    assert not any("batch_norm" in event.key for event in profile.key_averages())
