"""Which file of an export a path means."""

from pathlib import Path

from yolact_pl.inference.exported.metadata import ExportError

ONNX, OPENVINO = "model.onnx", "model_openvino"
OPENVINO_FILE = "model.xml"
FAILED = ".failed"
PROGRAM = ".pt2"
_IN_FOLDER = (ONNX, f"{OPENVINO}/{OPENVINO_FILE}", OPENVINO_FILE)


def exported_file(path: str | Path) -> Path | None:
    """The `.onnx` or `.xml` file that a path means: itself, or inside of a folder; None for other files.

    Args:
        path: of a file, of `model_openvino`, or of the folder that an export wrote.

    Raises:
        ExportError: there is no such file, or it is of an export that can't be used here.
    """
    path = Path(path)
    if path.suffix == FAILED or path.name == f"{OPENVINO}{FAILED}":
        raise ExportError(
            f"{path} did not compute what torch computes: see check.txt beside it, and export again"
        )
    if path.suffix == PROGRAM:
        raise ExportError(f"{path} is a program for torch.export.load; export with format=onnx or openvino")
    if path.is_dir():
        for name in _IN_FOLDER:
            if (path / name).is_file():
                return path / name
        raise ExportError(f"{path} is a folder without {ONNX}, {OPENVINO} or {OPENVINO_FILE}; give a file")
    if path.suffix not in (".onnx", ".xml"):
        return None
    if not path.is_file():
        raise ExportError(f"{path}: no such file")
    return path
