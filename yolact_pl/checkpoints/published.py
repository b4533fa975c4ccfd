"""Published weights by name, downloaded once."""

from pathlib import Path

from yolact_pl.models.cached_file import DownloadError, fetch_file
from yolact_pl.models.weight_files import CheckpointError

_HOST = "https://huggingface.co/dbolya"
PUBLISHED_FILES = {
    "yolact_resnet50": "yolact-resnet50/resolve/main/yolact_resnet50_54_800000.pth",
    "yolact_darknet53": "yolact-darknet53/resolve/main/yolact_darknet53_54_800000.pth",
    "yolact_base": "yolact-base/resolve/main/yolact_base_54_800000.pth",
    "yolact_im700": "yolact-im700/resolve/main/yolact_im700_54_800000.pth",
    "yolact_plus_resnet50": "yolact-plus-resnet50/resolve/main/yolact_plus_resnet50_54_800000.pth",
    "yolact_plus_base": "yolact-plus-base/resolve/main/yolact_plus_base_54_800000.pth",
    "imagenet_resnet101": "yolact-initial-weights/resolve/main/resnet101_reducedfc.pth",
    "imagenet_resnet50": "yolact-initial-weights/resolve/main/resnet50-19c8e357.pth",
    "imagenet_darknet53": "yolact-initial-weights/resolve/main/darknet53.pth",
}
"""Name to address: trained networks, and the backbones that their training started from."""


def published_url(name: str) -> str:
    """The public address of a name of `PUBLISHED_FILES`."""
    return f"{_HOST}/{PUBLISHED_FILES[name]}"


def is_published(source: str | Path) -> bool:
    """Whether a source is a published name, and not a file that is there under this name."""
    return str(source) in PUBLISHED_FILES and not Path(source).is_file()


def fetch(name: str, *, otherwise: str = "give the path of a local file instead of the name") -> Path:
    """The file of published weights, fetched to the cache folder the first time.

    Args:
        name: see `PUBLISHED_FILES`.
        otherwise: what else the user can do where it cannot be fetched, for the error.

    Raises:
        CheckpointError: no such name, or the file is not there and cannot be fetched, or was changed since.
    """
    if name not in PUBLISHED_FILES:
        raise CheckpointError(f"no weights are published as {name}; there are {', '.join(PUBLISHED_FILES)}")
    try:
        return fetch_file(published_url(name), otherwise=otherwise)
    except DownloadError as error:
        raise CheckpointError(str(error)) from error


def local_file(source: str | Path) -> Path:
    """A file of weights: the given one, or that of a published name.

    Raises:
        CheckpointError: there is no such file, and it is no published name, or that cannot be fetched.
    """
    if is_published(source):
        return fetch(str(source))
    if not Path(source).is_file():
        raise CheckpointError(
            f"{str(source)!r}: no such file, and no published name ({', '.join(PUBLISHED_FILES)})"
        )
    return Path(source)
