"""What has to be fast: where its figure is found, what it must reach, and what bounds it now."""

from typing import NamedTuple


class Required(NamedTuple):
    """A row of the summary, taken from a table of `alternating.print_rows`."""

    name: str
    script: str
    stage: str
    """How its stage begins in the script's table."""
    bounds: str
    """What bounds it now."""
    goal: str
    least_ratio: float | None = None
    most_milliseconds: float | None = None
    variant: str = "this project"
    compared: str | None = "published formulation"
    """The variant it is compared with; None: none, the goal is a time."""
    per_second: bool = False
    """Shown as images a second and not as milliseconds."""


class RequiredFigure(NamedTuple):
    """A row of the summary, taken from a table of `alternating.print_figures`."""

    name: str
    script: str
    figure: str
    """How its figure begins in the script's table."""
    bounds: str
    goal: str


REQUIRED: list[Required | RequiredFigure] = [
    Required(
        name="yolact_resnet50, 550 px, one image",
        script="network",
        stage="r50",
        goal="-",
        variant="this project float32",
        bounds="convolutions",
    ),
    Required(
        name="yolact_base (ResNet-101), 550 px, one image",
        script="network",
        stage="r101",
        goal="-",
        variant="this project float32",
        bounds="convolutions",
    ),
    Required(
        name="matching 50 objects to 19,248 anchors",
        script="loss",
        stage="match 50 objects to 19",
        goal="-",
        bounds="the table of IoUs, 50 x 19,248",
    ),
    Required(
        name="loss of 8 images",
        script="loss",
        stage="loss, ",
        goal="-",
        bounds="the softmax of 154,000 anchors",
    ),
    Required(
        name="loss of 8 images and its gradients",
        script="loss",
        stage="loss with backward, ",
        goal="-",
        bounds="gradients as large as all predictions",
    ),
    Required(
        name="training step",
        script="training_step",
        stage="",
        goal="-",
        bounds="convolutions",
    ),
    Required(
        name="modulated deformable convolution",
        script="deform_conv",
        stage="",
        goal="-",
        bounds="gathering samples from memory",
    ),
    Required(
        name="training samples, 550 px, one process",
        script="data",
        stage="training sample",
        goal="5x",
        least_ratio=5,
        per_second=True,
        bounds="decoding the JPEG (40 %) and HSV in float (25 %)",
    ),
    Required(
        name="evaluation samples, 550 px, one process",
        script="data",
        stage="evaluation sample",
        goal="1.5x",
        least_ratio=1.5,
        per_second=True,
        bounds="decoding the JPEG (60 %)",
    ),
    Required(
        name="fast NMS and masks of 100 detections at 640 x 427",
        script="postprocess",
        stage="fast NMS and masks of 100 detections at 640 x 427, 20 objects",
        goal="4x",
        least_ratio=4,
        bounds="small steps over 100 masks, one after the other",
    ),
    Required(
        name="postprocess with masks of 20 detections, beside the network",
        script="end_to_end",
        stage="",
        goal="at most 15 % of the network",
        least_ratio=1 / 0.15,
        variant="postprocess (both)",
        compared="network",
        bounds="the network",
    ),
    Required(
        name="encode and count 5,000 images with 100 detections, each beside the network",
        script="evaluation",
        stage="evaluate",
        goal="small: at most 10 % of the network",
        least_ratio=10,
        variant="encode and count",
        compared="network",
        bounds="looking for the runs in 27 MB of masks an image",
    ),
    Required(
        name="draw 20 objects at 1080p, one core",
        script="drawing",
        stage="draw 20 objects at 1920 x 1080",
        goal="-",
        bounds="copying the frame, and text",
    ),
    Required(
        name="video, beside the network alone",
        script="video",
        stage="",
        goal="-",
        variant="video",
        compared="network",
        bounds="on a CPU the other threads take cores from the network",
    ),
    Required(
        name="`python run.py --help`",
        script="start_up",
        stage="answer",
        goal="below 1.5 s",
        most_milliseconds=1500,
        variant="run.py --help",
        compared=None,
        bounds="Hydra's own imports, and reading the folder of configs",
    ),
    Required(
        name="`python run.py --cfg job`",
        script="start_up",
        stage="answer",
        goal="below 1.5 s",
        most_milliseconds=1500,
        variant="run.py --cfg job",
        compared=None,
        bounds="Hydra's own imports",
    ),
    RequiredFigure(
        name="118,000 images and 860,000 objects, read and checked",
        script="data_memory",
        figure="a set of",
        goal="below 40 s",
        bounds="parsing the json, and one core",
    ),
    RequiredFigure(
        name="growth of a data worker over 2,000 samples",
        script="data_memory",
        figure="growth of a worker",
        goal="none",
        bounds="annotations are arrays that workers share",
    ),
]
