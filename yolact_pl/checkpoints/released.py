"""Released `.pth` files: recognising their network and loading their weights."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from yolact_pl.checkpoints.description import CheckpointError, build_network
from yolact_pl.checkpoints.published import local_file
from yolact_pl.checkpoints.released_anchors import REFERENCE_SIZE, AnchorChoice, describe_anchors
from yolact_pl.models.backbones import darknet, resnet
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import RenameTable, load_exactly, read_tensors, rename_keys
from yolact_pl.models.yolact import Yolact

NETWORK_KEYS: RenameTable = (
    ("fpn.lat_layers.0.{}", "fpn.laterals.2.{}"),  # the published pyramid counts from the coarsest level
    ("fpn.lat_layers.1.{}", "fpn.laterals.1.{}"),
    ("fpn.lat_layers.2.{}", "fpn.laterals.0.{}"),
    ("fpn.pred_layers.0.{}", "fpn.predictions.2.{}"),
    ("fpn.pred_layers.1.{}", "fpn.predictions.1.{}"),
    ("fpn.pred_layers.2.{}", "fpn.predictions.0.{}"),
    ("fpn.downsample_layers.0.{}", "fpn.downsamples.0.{}"),
    ("fpn.downsample_layers.1.{}", "fpn.downsamples.1.{}"),
    ("proto_net.0.{}", "protonet.coarse.0.{}"),
    ("proto_net.2.{}", "protonet.coarse.1.{}"),
    ("proto_net.4.{}", "protonet.coarse.2.{}"),
    ("proto_net.8.{}", "protonet.fine.{}"),
    ("proto_net.10.{}", "protonet.prototypes.{}"),
    ("prediction_layers.0.upfeature.0.{}", "head.shared.{}"),
    ("prediction_layers.0.conf_layer.{}", "head.class_logits.{}"),
    ("prediction_layers.0.bbox_layer.{}", "head.box_deltas.{}"),
    ("prediction_layers.0.mask_layer.{}", "head.coefficients.{}"),
    ("semantic_seg_conv.{}", "semantic.{}"),
    ("maskiou_net.maskiou_net.0.{}", "mask_iou.convs.0.{}"),
    ("maskiou_net.maskiou_net.2.{}", "mask_iou.convs.1.{}"),
    ("maskiou_net.maskiou_net.4.{}", "mask_iou.convs.2.{}"),
    ("maskiou_net.maskiou_net.6.{}", "mask_iou.convs.3.{}"),
    ("maskiou_net.maskiou_net.8.{}", "mask_iou.convs.4.{}"),
    ("maskiou_net.maskiou_net.10.{}", "mask_iou.ious.{}"),
)
"""The published names of all but the backbone's weights, and ours."""

DROPPED_KEYS = (
    "backbone.layer1.{}",  # old files have the stages twice, under `layers` and under torchvision's names
    "backbone.layer2.{}",
    "backbone.layer3.{}",
    "backbone.layer4.{}",
    "fpn.downsample_layers.2.{}",  # old files have strided convolutions that nothing reads
    "fpn.downsample_layers.3.{}",
    "fpn.downsample_layers.4.{}",
)
"""Published names without a use."""


def load_released(
    path: str | Path, *, image_size: int | None = None, anchors: AnchorChoice | None = None
) -> Yolact:
    """The network of a released `.pth` file, with its weights, in evaluation mode.

    Args:
        path: the file, or a name of `checkpoints.download.PUBLISHED_FILES`.
        image_size: side of the images it was trained on, see `released_image_size`.
        anchors: see `describe_released`.

    Raises:
        CheckpointError: the file cannot be fetched or read, is not of a YOLACT network, lacks weights or has
            too many.
    """
    path = local_file(path)
    state = read_tensors(path)
    size = released_image_size(path) if image_size is None else image_size
    tree = describe_released(state, source=path, image_size=size, anchors=anchors)
    network = build_network(tree, origin=str(path))
    assert isinstance(network, Yolact)
    load_released_weights(network, state, source=path)
    return network.eval()


def released_image_size(path: str | Path) -> int:
    """The side of the images that released weights were trained on: 550, or n of `_im<n>` in the name.

    The weights themselves do not tell: `yolact_base`, `yolact_im400` and `yolact_im700` have the same shapes.
    """
    match = re.search(r"_im(\d+)(_|\.|$)", Path(path).name)
    return int(match[1]) if match else REFERENCE_SIZE


def load_released_weights(network: YolactNetwork, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Fill a network with weights under their published names; its backbone counts as pretrained then.

    Raises:
        CheckpointError: weights that are missing, have no place or another shape; names the first few.
    """
    table = rename_table(state)
    renamed = rename_keys(state, table, dropped=DROPPED_KEYS, source=source)
    load_exactly(network, renamed, source=source, table=table)
    network.backbone.pretrained = True


def rename_table(state: Mapping[str, Tensor]) -> RenameTable:
    """All published names and ours, for the backbone that a file has."""
    backbone = darknet.PUBLISHED_KEYS if _is_darknet(state) else resnet.PUBLISHED_KEYS
    return [(f"backbone.{old}", f"backbone.{new}") for old, new in backbone] + list(NETWORK_KEYS)


def describe_released(
    state: Mapping[str, Tensor],
    *,
    source: str | Path,
    image_size: int | Sequence[int] = REFERENCE_SIZE,
    anchors: AnchorChoice | None = None,
) -> dict[str, Any]:
    """The constructor calls of the network that weights are of, recognised from their names and shapes.

    Args:
        state: weights under their published names.
        source: the file, for errors.
        image_size: side of the images they were trained on, or [height, width]; anchors grow with it.
        anchors: what is known of the anchors; None: see `recognised_anchors`.

    Raises:
        CheckpointError: a weight that tells the architecture is missing or has an impossible shape, or the
            anchors are of another number.
    """

    def size(key: str) -> int:
        if key not in state or state[key].dim() == 0:
            raise CheckpointError(
                f"{source}: no weight {key}; it is not a released YOLACT network, or cut short"
            )
        return state[key].shape[0]

    anchors_per_cell = size("prediction_layers.0.bbox_layer.bias") // 4
    described = describe_anchors(anchors_per_cell, source=source, image_size=image_size, anchors=anchors)
    num_classes = size("prediction_layers.0.conf_layer.bias") // anchors_per_cell - 1
    if num_classes < 1:
        raise CheckpointError(f"{source}: prediction_layers.0.conf_layer.bias is too short for any class")
    return {
        "_target_": "yolact_pl.models.yolact.Yolact",
        "backbone": _describe_darknet() if _is_darknet(state) else _describe_resnet(state, source=source),
        "anchors": described,
        "num_classes": num_classes,
        "channels": size("fpn.lat_layers.0.weight"),
        "num_prototypes": size("proto_net.10.weight"),
        "semantic": "semantic_seg_conv.weight" in state,
        "mask_iou": "maskiou_net.maskiou_net.0.weight" in state,
    }


def _is_darknet(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith("backbone._preconv.") for key in state)


def _describe_darknet() -> dict[str, Any]:
    return {"_target_": "yolact_pl.models.backbones.darknet.DarkNet53"}


def _describe_resnet(state: Mapping[str, Tensor], *, source: str | Path) -> dict[str, Any]:
    blocks: list[set[int]] = [set(), set(), set(), set()]
    deformable: list[set[int]] = [set(), set(), set(), set()]
    for key in state:
        match = re.match(r"backbone\.layers\.([0-3])\.(\d+)\.(.+)", key)
        if match:
            stage, block = int(match[1]), int(match[2])
            blocks[stage].add(block)
            if match[3].startswith("conv2.conv_offset_mask."):
                deformable[stage].add(block)
    if not all(blocks):
        raise CheckpointError(
            f"{source}: has no backbone that is known (ResNet or DarkNet-53), or is cut short"
        )
    # The first and the second deformable block of the longest stage are one interval apart.
    most = sorted(max(deformable, key=len))
    return {
        "_target_": "yolact_pl.models.backbones.resnet.ResNet",
        "depths": [len(stage) for stage in blocks],
        "block": "bottleneck" if "backbone.layers.0.0.conv3.weight" in state else "basic",
        "deformable": bool(most),
        "deformable_interval": most[1] - most[0] if len(most) > 1 else 1,
    }
