"""The network through torch.compile: in one graph, and compiled once for equal shapes."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.inference import inference_copy
from yolact_pl.models.resnet import ResNet
from yolact_pl.models.yolact import Yolact


def tiny(*, deformable: bool) -> Yolact:
    torch.manual_seed(0)
    backbone = ResNet([1, 1, 1, 1], block="basic", deformable=deformable)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    return Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=deformable)


def compiled_graphs(network: Yolact) -> int:
    """How many graphs three batches of one shape need; what breaks a graph is an error."""
    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(network, backend=counter, fullgraph=True, dynamic=False)
    for _ in range(3):
        images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
        found = compiled(images)
    assert found.prototypes.shape == (2, 4, 16, 24)
    return counter.frame_count


@pytest.mark.parametrize("deformable", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_is_one_graph(deformable: bool, training: bool) -> None:
    network = tiny(deformable=deformable).train(training)
    with torch.set_grad_enabled(training):
        assert compiled_graphs(network) == 1


@pytest.mark.parametrize("deformable", [False, True])
def test_copy_for_prediction_is_one_graph(deformable: bool) -> None:
    with torch.inference_mode():
        assert compiled_graphs(inference_copy(tiny(deformable=deformable).eval())) == 1
