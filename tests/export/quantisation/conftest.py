"""A small YOLACT++ as graphs in float, traced once."""

from typing import Any

import numpy as np
import onnx_ir
import pytest
import torch
from numpy.typing import NDArray

from tests.export.networks import NETWORKS, SIZE
from yolact_pl.export.onnx_graph import trace_onnx
from yolact_pl.export.portable import PortableModel
from yolact_pl.postprocess import Postprocess


@pytest.fixture(scope="package")
def model() -> PortableModel:
    network, options = NETWORKS["yolact_plus"]
    return PortableModel(network, Postprocess(**options), image_size=SIZE).eval()


@pytest.fixture(scope="package")
def complete(model: PortableModel) -> onnx_ir.Model:
    shapes = ({0: torch.export.Dim("N", min=1)},)
    return trace_onnx(model, torch.zeros(2, *SIZE, 3, dtype=torch.uint8), shapes)


@pytest.fixture(scope="package")
def inputs() -> list[NDArray[Any]]:
    """Batches of one."""
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (1, *SIZE, 3), dtype=np.uint8) for _ in range(9)]
