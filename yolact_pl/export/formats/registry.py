"""All formats by name."""

import importlib

from yolact_pl.export.formats.format import Format
from yolact_pl.export.source import check_installed

FORMATS = {
    "onnx": "yolact_pl.export.formats.onnx_format.OnnxFormat",
    "openvino": "yolact_pl.export.formats.openvino_format.OpenVinoFormat",
    "openvino_model_server": "yolact_pl.export.formats.server_formats.OpenVinoModelServerFormat",
    "triton": "yolact_pl.export.formats.server_formats.TritonFormat",
    "torch_export": "yolact_pl.export.formats.torch_export_format.TorchExportFormat",
    "web": "yolact_pl.export.formats.web_format.WebFormat",
}
"""Where the class of each one is; it is imported when it is asked for."""


def find_format(name: str) -> Format:
    """The format of a name in `FORMATS`.

    Raises:
        ExportError: a package that it needs is not installed.
    """
    module, _, kind = FORMATS[name].rpartition(".")
    found: Format = getattr(importlib.import_module(module), kind)()
    check_installed(f"format={name}", *found.packages)
    return found
