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
    *(
        Required(
            name=f"network, {name}, {dtype}, 550 px, one image",
            script="network",
            stage=f"{backbone}, ",
            goal=f"{ratio:g}x" if ratio else "-",
            least_ratio=ratio,
            variant=f"this project {dtype}",
            bounds=bounds,
        )
        for name, backbone, in_float32, in_bfloat16, bounds in (
            ("ResNet-50", "r50", 1.5, 3, "convolutions (98 %), which reach 80 to 100 % of the fastest"),
            ("ResNet-101", "r101", 1.5, 3, "convolutions (98 %), which reach 80 to 100 % of the fastest"),
            ("DarkNet-53", "darknet53", None, None, "convolutions"),
            ("YOLACT++ ResNet-50", "r50++", 2, None, "convolutions, then gathering the samples"),
        )
        for dtype, ratio in (("float32", in_float32), ("bfloat16", in_bfloat16))
    ),
    Required(
        name="matching 50 objects to 19,248 anchors",
        script="loss",
        stage="match 50 objects to 19",
        goal="8x",
        least_ratio=8,
        bounds="some seventy small steps, most of 10 to 50 microseconds",
    ),
    Required(
        name="matching 50 objects to 57,744 anchors",
        script="loss",
        stage="match 50 objects to 57",
        goal="8x",
        least_ratio=8,
        bounds="the same steps; the IoUs are 5 in a hundred of 50 x 57,744",
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
        goal="3x",
        least_ratio=3,
        bounds="gradients as large as all predictions",
    ),
    *(
        Required(
            name=f"training step, ResNet-50, 550 px, 2 images, {precision}",
            script="training_step",
            stage=f"step, {precision}",
            goal=f"{ratio}x",
            least_ratio=ratio,
            variant=f"this project {precision}",
            bounds="convolutions and their gradients",
        )
        for precision, ratio in (("float32", 1.25), ("bf16-mixed", 2))
    ),
    *(
        RequiredFigure(
            name=f"memory of such a step, {precision}{suffix}",
            script="training_step",
            figure=f"{variant} {precision}, memory",
            goal=goal,
            bounds="activations saved for backward",
        )
        for precision in ("float32", "bf16-mixed")
        for variant, suffix, goal in (
            ("this project", "", "less than with full-size float masks"),
            ("full-size masks", ", with full-size float masks", "-"),
        )
    ),
    *(
        Required(
            name=f"deformable convolution, 128 channels, 69 x 69{suffix}, beside torchvision's",
            script="deform_conv",
            stage=stage,
            goal="-",
            variant="gathered",
            compared="torchvision",
            bounds="gathering the samples from memory",
        )
        for stage, suffix in (
            ("128 x 69 x 69", ""),
            ("128 x 69 x 69, with gradients", ", with gradients"),
        )
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
        name="the whole data check of as many, images not opened",
        script="doctor",
        figure="whole check",
        goal="below 60 s and 4 GiB",
        bounds="parsing the json, and the crowds' run lengths",
    ),
    RequiredFigure(
        name="growth of a data worker over 2,000 samples",
        script="data_memory",
        figure="growth of a worker",
        goal="none",
        bounds="annotations are arrays that workers share",
    ),
]
