"""The network through torch.compile, in one graph and once for equal shapes, and through torch.export."""

import copy
import pickle
import shutil

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.network import Maps
from yolact_pl.models.yolact import Yolact

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on a CPU")


def tiny(*, deformable: bool) -> Yolact:
    torch.manual_seed(0)
    backbone = ResNet([1, 1, 1, 1], block="basic", deformable=deformable, width=8)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    return Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=deformable)


def compiled_graphs(network: Yolact, *, itself: bool) -> int:
    """How many graphs three batches of one shape need; what breaks a graph is an error.

    Args:
        network: it is compiled by its own `compile` or from outside.
        itself: see there.
    """
    torch._dynamo.reset()
    counter = CompileCounter()
    if itself:
        network.compile(backend=counter, fullgraph=True, dynamic=False)
    compiled = network if itself else torch.compile(network, backend=counter, fullgraph=True, dynamic=False)
    for _ in range(3):
        images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
        found = compiled(images)
    assert found.prototypes.shape == (2, 4, 16, 24)
    return counter.frame_count


@pytest.mark.parametrize("deformable", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("itself", [False, True])
def test_is_one_graph(deformable: bool, training: bool, itself: bool) -> None:
    network = tiny(deformable=deformable).train(training)
    with torch.set_grad_enabled(training):
        assert compiled_graphs(network, itself=itself) == 1


@pytest.mark.parametrize("deformable", [False, True])
def test_copy_for_prediction_is_one_graph(deformable: bool) -> None:
    with torch.inference_mode():
        copied = inference_copy(tiny(deformable=deformable).eval())
        assert compiled_graphs(copied, itself=False) == 1
        assert compiled_graphs(copied, itself=True) == 1


@pytest.mark.parametrize("deformable", [False, True])
def test_exports(deformable: bool) -> None:
    network = tiny(deformable=deformable).eval()
    images = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        found = torch.export.export(network, (images,)).module()(images)
        for given, wanted in zip(found[:5], network(images)[:5], strict=True):
            torch.testing.assert_close(given, wanted)


def test_compiled_network_predicts_the_same() -> None:
    torch._dynamo.reset()
    network = tiny(deformable=False).eval()
    batches = [torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8) for _ in range(2)]
    with torch.no_grad():
        expected = [network(batch) for batch in batches]
        network.compile(backend="aot_eager")
        found = [network(batch) for batch in batches]
    for given, wanted in zip(found, expected, strict=True):
        assert given.anchors is wanted.anchors  # for which the assigner computes its groups once
        for a, b in zip(given[:4], wanted[:4], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@needs_compiler
@pytest.mark.slow
def test_compiled_network_learns_the_same() -> None:
    """With torch's own compiler: other backends have no opinion of memory layouts."""
    torch._dynamo.reset()
    network = tiny(deformable=False).to(memory_format=torch.channels_last).train()
    freeze_batch_norm(network)
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    start = copy.deepcopy(network.state_dict())
    gradients = []
    for compiled in (False, True):
        network.load_state_dict(start)
        network.zero_grad()
        if compiled:
            network.compile()
        predictions = network(images)
        maps = (*predictions[:4], predictions.semantic_logits)
        torch.stack([(1 + x).square().mean() for x in maps if x is not None]).sum().backward()
        gradients.append({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
    eager, compiled_ones = gradients
    assert eager.keys() == compiled_ones.keys()
    for name, gradient in eager.items():
        difference = (gradient - compiled_ones[name]).norm()
        assert difference <= 0.02 * gradient.norm() + 1e-6, name  # rounding turns ReLUs on or off


class Reused:
    """Stands for torch's CUDA graphs: every call gives the same memory, written anew."""

    def __init__(self) -> None:
        self.maps: Maps | None = None

    def __call__(self, network: Yolact, images: torch.Tensor) -> Maps:
        maps = Yolact._maps(network, images)
        if self.maps is None:
            self.maps = maps
        for own, new in zip(self.maps, maps, strict=True):
            if isinstance(own, torch.Tensor):
                own.copy_(new)
        return self.maps


def test_what_a_cuda_graph_said_outlives_the_next_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny(deformable=False).eval()
    monkeypatch.setattr(torch, "compile", lambda *args, **options: Reused())
    first, second = (torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8) for _ in range(2))
    with torch.no_grad():
        expected = network(first)
        network.compile(mode="reduce-overhead")
        found = network(first)
        network(second)
    for a, b in zip(found[:5], expected[:5], strict=True):
        assert torch.equal(a, b)


def test_copies_are_not_compiled() -> None:
    network = tiny(deformable=False)
    network.compile(backend="eager")
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert copied._compiled is None
        assert network._compiled is not None
        assert [*copied.state_dict()] == [*network.state_dict()]
