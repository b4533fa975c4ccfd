"""The LightningModule on a GPU, as far as that can be told without one."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.fake_gpu import FakeGpu
from tests.model_losses import published_loss
from yolact_pl.images.placement import Resize
from yolact_pl.inference.engines import torch_engine
from yolact_pl.inference.engines.torch_engine import TorchEngine
from yolact_pl.losses.assigners.anchor_groups import group_anchors
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.module import YolactModule
from yolact_pl.postprocess import Chosen, Postprocess
from yolact_pl.schedules.step_decay import StepDecay
from yolact_pl.structures import Target, Targets


def make_module(*, channels_last: bool = True, freeze_bn: bool = True) -> YolactModule:
    backbone = ResNet([1, 1, 1, 1], block="basic", deformable=True)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    network = Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=True)
    description: Any = {}
    postprocess: Any = nn.Identity()
    schedule = StepDecay(torch.optim.SGD, lr=1e-3, max_steps=10, milestones=[])
    return YolactModule(
        network,
        published_loss(),
        postprocess,
        schedule,
        description=description,
        freeze_bn=freeze_bn,
        channels_last=channels_last,
    )


def on_gpu(module: YolactModule) -> torch.device:
    """Moves it there, with the anchors of 64 x 96 pixels known from the step before."""
    network = module.network
    sizes = [(-(-64 // stride), -(-96 // stride)) for stride in (8, 16, 32, 64, 128)]
    known = network.anchors(sizes, (64, 96))
    network.to("cuda", non_blocking=True)
    device = next(network.parameters()).device
    anchors = known.to("cuda", non_blocking=True)
    network.anchors._cache[(tuple(sizes), (64, 96), device)] = anchors
    module.loss.assigner.groups.remember(anchors, group_anchors(known))  # pyright: ignore
    return device


def make_target() -> Target:
    return Target(
        boxes=torch.tensor([[4.0, 4, 60, 50], [10, 10, 90, 60]]),
        labels=torch.tensor([0, 2]),
        masks=torch.ones(2, 16, 24, dtype=torch.bool),
        semantic_masks=torch.ones(2, 8, 12, dtype=torch.bool),
        iscrowd=torch.tensor([False, True]),
        image_id=1,
        size=(64, 96),
    )


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("freeze_bn", [False, True])
def test_a_step_in_each_precision_never_waits_for_the_gpu(
    dtype: torch.dtype | None, channels_last: bool, freeze_bn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *args, **options: True)
    module = make_module(channels_last=channels_last, freeze_bn=freeze_bn).train()
    with FakeGpu():
        device = on_gpu(module)
        with torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
            predictions = module.network(torch.zeros(2, 3, 64, 96, dtype=torch.uint8, device=device))
            targets = Targets.join([make_target(), make_target()])
            terms = module.loss(predictions, targets, mask_iou=module.network.mask_iou)
    assert predictions.class_logits.dtype == (dtype or torch.float32)
    assert len(terms) == 5
    assert {(term.dtype, term.device) for term in terms.values()} == {(torch.float32, device)}


def test_a_network_that_predicts_never_waits_for_the_gpu() -> None:
    module = make_module().eval()
    with FakeGpu(), torch.no_grad():
        device = on_gpu(module)
        predictions = module.network(torch.zeros(2, 3, 64, 96, device=device))
    assert predictions.prototypes.device == device
    assert predictions.prototypes.shape == (2, 4, 16, 24)


@pytest.mark.parametrize("half", [False, True])
def test_what_predicts_on_a_gpu_is_all_there(half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the choice, which depends on what is found."""
    monkeypatch.setattr(torch_engine, "resolve_device", torch.device)
    resize = Resize("letterbox", (64, 96))
    images = [np.zeros((48, 80, 3), np.uint8), np.zeros((30, 20, 3), np.uint8)]
    with FakeGpu(may_wait=True):
        engine = TorchEngine(make_module().network, Postprocess(), device="cuda", half=half)
        placements = [resize.place(image.shape[:2]) for image in images]
        predictions = engine.forward([engine.prepare(images, placements)])
        device = predictions.prototypes.device
        chosen = Chosen(
            torch.zeros(2, dtype=torch.int64, device=device),
            torch.zeros(2, 4, device=device),
            torch.zeros(2, dtype=torch.int64, device=device),
            torch.zeros(2, device=device),
        )
        found = engine.finish(predictions, 1, chosen)
    assert predictions.prototypes.dtype == (torch.float16 if half else torch.float32)
    assert device.type == "cuda"
    assert found.masks.shape == (2, 16, 24)
    assert found.mask_scores.dtype == torch.float32
