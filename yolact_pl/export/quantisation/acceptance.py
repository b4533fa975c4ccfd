"""int8 until AP is as high as it has to be: the layers that cost most are kept in float."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from yolact_pl.export.formats.format import Format
from yolact_pl.export.quantisation.layer_costs import layer_costs
from yolact_pl.export.quantisation.trials import AveragePrecision, Trial, find_float_layers
from yolact_pl.export.source import Source
from yolact_pl.inference.engines.session import Session

JUDGED_ON = 2
"""Images for the costs of layers."""


def settle_float_layers(
    source: Source,
    written_by: Format,
    measure: Callable[[Session], AveragePrecision],
    *,
    expected: AveragePrecision,
    max_ap_drop: float,
    layer_bar: Callable[[int], AbstractContextManager[Any]],
    say: Callable[[str], object],
) -> list[Trial]:
    """See `find_float_layers`; the source keeps the layers of the last trial.

    Args:
        source: with its `quantisation`.
        written_by: the format.
        measure: AP of what was written, opened.
        expected: AP in float.
        max_ap_drop: see `find_float_layers`.
        layer_bar: a progress bar for so many layers, with `update`.
        say: see `find_float_layers`.
    """
    plan = source.quantisation
    assert plan is not None

    def measure_with(layers: Sequence[str]) -> AveragePrecision:
        source.keep_in_float(layers)
        layout = source.metadata.layout
        with tempfile.TemporaryDirectory() as folder:
            written_by.write(source, "detections" if layout == "raw" else layout, Path(folder))
            return measure(written_by.open(Path(folder)))

    def costliest() -> list[str]:
        import onnx_ir

        from yolact_pl.export.quantisation.onnx_nodes import layers_in_8_bits

        layers = layers_in_8_bits(onnx_ir.to_proto(source.complete_onnx()).graph)
        with layer_bar(len(layers)) as bar:
            costs = layer_costs(source.portable(), layers, plan.inputs[:JUDGED_ON], bar.update)
        return [cost.layer for cost in costs]

    return find_float_layers(measure_with, costliest, expected=expected, max_ap_drop=max_ap_drop, say=say)
