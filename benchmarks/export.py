"""Exported files beside the torch predictor: speed, start, time and memory of the export.

    python benchmarks/export.py [--networks r50 plus] [--threads 2] [--repeats 7]

yolact_resnet50 and yolact_plus_resnet50 at 550 px with random weights, which find nothing: torch has no
masks to assemble, the files always assemble all their rows. An image is 640 x 480, decoded. int8 is
calibrated on noise, which makes no difference to its speed. Start: a fresh process, from the interpreter's
start to the masks of one image.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from alternating import compare, print_rows
from pictures import photo_like

from yolact_pl.export.formats.registry import find_format
from yolact_pl.export.quantisation.plan import Quantisation
from yolact_pl.export.source import Source, describe
from yolact_pl.images.placement import Resize
from yolact_pl.inference.engines.exported_engine import ExportedEngine
from yolact_pl.inference.engines.torch_engine import TorchEngine
from yolact_pl.inference.predictor import Predictor
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess

SIDE = 550
NAMES = tuple(f"class {index}" for index in range(80))
FORMATS = {"ONNX Runtime": "onnx", "OpenVINO": "openvino"}
PRECISIONS = ("float32", "int8")
START = """
import sys
if {without_torch}:
    sys.modules["torch"] = None
import numpy as np
import yolact_pl
model = yolact_pl.load({path!r}, min_score=0.05)
model(np.zeros((480, 640, 3), np.uint8)).masks
"""


def network_of(name: str) -> Yolact:
    torch.manual_seed(0)
    plus = name == "plus"
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2], octaves=3 if plus else 1, square=not plus)
    backbone = ResNet([3, 4, 6, 3], deformable=plus)
    return Yolact(backbone, anchors, num_classes=len(NAMES), mask_iou=plus).eval()


def measure(name: str, folder: Path, repeats: int) -> None:
    network, postprocess = network_of(name), Postprocess()
    checkpoint = folder / "weights"
    checkpoint.write_bytes(b"random")
    metadata = describe(
        network,
        postprocess,
        layout="detections",
        input="uint8",
        image_size=(SIDE, SIDE),
        dynamic_size=False,
        resize="stretch",
        image_value_range=None,
        class_names=NAMES,
        category_ids=tuple(range(1, 1 + len(NAMES))),
        class_thresholds=None,
        precision="float32",
        checkpoint=checkpoint,
        licence=None,
    )
    source = Source(network, postprocess, metadata)
    draw = np.random.default_rng(0)
    source.quantisation = Quantisation(
        [draw.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8) for _ in range(2)]
    )
    resize = Resize("stretch", (SIDE, SIDE))
    engines = {"torch": TorchEngine(network, postprocess, device="cpu")}
    for runtime, format_name in FORMATS.items():
        written_by = find_format(format_name)
        for precision in PRECISIONS:
            target = folder / f"{format_name}_{precision}"
            target.mkdir()
            source.with_metadata(precision=precision)
            start = time.perf_counter()
            written_by.write(source, "detections", target)
            print(f"{name}: {runtime} {precision} written in {time.perf_counter() - start:.0f} s")
            session = written_by.open(target)
            engines[f"{runtime} {precision}"] = ExportedEngine(session, session.metadata)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{name}: at most {peak:.1f} GB of memory\n")
    image = photo_like(draw)
    predictors = {key: Predictor(engine, class_names=NAMES, resize=resize) for key, engine in engines.items()}
    variants = {key: lambda run=run: run([image])[0].masks for key, run in predictors.items()}
    print_rows(compare(f"{name}: image to masks", variants, repeats=repeats))


def start_up(folder: Path, repeats: int) -> None:
    """Fresh processes, in turn."""
    files = {
        "ONNX Runtime, no torch": folder / "onnx_float32" / "model.onnx",
        "OpenVINO, no torch": folder / "openvino_float32" / "model_openvino",
    }

    def fresh(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])

    variants = {"import torch": lambda: fresh("import torch")}
    for key, path in files.items():
        code = START.format(without_torch=True, path=str(path))
        variants[key] = lambda code=code: fresh(code)
    print_rows(compare("start to the first masks", variants, repeats=repeats, warmup=1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=["r50", "plus"], default=["r50", "plus"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    torch.set_num_threads(args.threads)
    for name in args.networks:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder), args.repeats)
            if name == "r50":
                start_up(Path(folder), args.repeats)


if __name__ == "__main__":
    main()
