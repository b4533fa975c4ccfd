"""The graph as a torch module against the predictor's own way."""

import copy

import pytest
import torch

from ops.dcnv2 import ModulatedDeformConv2d
from tests.export.networks import NETWORKS, SIZE, images
from yolact_pl.export.deformable import SampledDeformConv2d
from yolact_pl.export.portable import PortableModel
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.postprocess import Postprocess


@pytest.mark.parametrize("name", NETWORKS)
def test_chooses_and_assembles_as_the_postprocess(name: str) -> None:
    """Of the same predictions; `test_other_layouts` compares those."""
    network, options = NETWORKS[name]
    postprocess = Postprocess(**{"score_threshold": 0.2, "max_detections": 40, **options})
    before = copy.deepcopy(network.state_dict())
    model = PortableModel(network, postprocess, image_size=SIZE)
    pixels = images()
    with torch.inference_mode():
        predictions = model.network(pixels.permute(0, 3, 1, 2))
        found = model(pixels)
        for image in range(2):
            chosen = postprocess.choose(predictions, image)
            expected = postprocess.finish(predictions, image, chosen, network.mask_iou)
            count = len(chosen.scores)
            assert count > 5
            assert found["labels"][image, :count].equal(expected.labels)
            for key in ("boxes", "scores", "mask_scores"):
                torch.testing.assert_close(found[key][image, :count], getattr(expected, key))
            torch.testing.assert_close(found["masks"][image, :count].sigmoid(), expected.masks)
            for part in found.values():
                assert not part[image, count:].any()
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["yolact", "yolact_modern"])
def test_other_layouts(name: str) -> None:
    network, options = NETWORKS[name]
    model = PortableModel(network, Postprocess(**options), image_size=SIZE)
    pixels = images()
    layouts = {}
    with torch.inference_mode():
        predictions = network(pixels.permute(0, 3, 1, 2))
        for layout in OUTPUTS:
            model.layout = layout
            layouts[layout] = model(pixels)
    for key, part in layouts["raw"].items():
        torch.testing.assert_close(part, getattr(predictions, key), rtol=1e-4, atol=1e-4)
    full, small = layouts["detections"], layouts["coefficients"]
    masks = torch.einsum("ndk,nkhw->ndhw", small["coefficients"], small["prototypes"])
    torch.testing.assert_close(masks, full["masks"], rtol=1e-4, atol=1e-4)
    for key in ("boxes", "scores", "mask_scores", "labels"):
        assert small[key].equal(full[key])


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0)])
def test_deformable_convolution(kernel: int, stride: int, padding: int) -> None:
    """Offsets reach far outside of the map; `tests/ops` compares the reference with a loop."""
    conv = ModulatedDeformConv2d(4, 6, kernel, stride=stride, padding=padding)
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        conv.conv_offset_mask.weight.normal_(std=2, generator=draw)
        conv.bias.normal_(generator=draw)
        x = torch.randn(2, 4, 9, 13, generator=draw)
        torch.testing.assert_close(SampledDeformConv2d(conv)(x), conv(x), rtol=1e-4, atol=1e-4)
