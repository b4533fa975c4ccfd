"""Where pictures come from, and how what is made of them is named."""

import glob
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm", ".pgm")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
"""An animated GIF or WebP counts as an image: its first frame."""
_STREAM = re.compile("(rtsps?|rtmps?|https?|udp|tcp|srt)://", re.IGNORECASE)


def is_video(source: object) -> bool:
    """Whether a source is a video file, a camera (a number, also as text) or the URL of a stream.

    A file or folder whose name is a number is meant with a folder in front of it: `./0`.
    """
    if isinstance(source, int):
        return not isinstance(source, bool)
    if not isinstance(source, str | Path):
        return False
    text = str(source)
    if text.isdecimal() or _STREAM.match(text):
        return True
    return Path(text).suffix.lower() in VIDEO_SUFFIXES and not Path(text).is_dir() and not _is_glob(text)


def videos_left_out(source: str | Path | Sequence[str | Path], *, recursive: bool = False) -> list[Path]:
    """The video files in the folders of a source, which `image_files` passes over."""
    sources = [source] if isinstance(source, str | Path) else list(source)
    folders = [path for one in sources if (path := Path(one).expanduser()).is_dir()]
    return sorted(
        path
        for folder in folders
        for path in (folder.rglob("*") if recursive else folder.iterdir())
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    )


def image_files(source: str | Path | Sequence[str | Path], *, recursive: bool = False) -> list[Path]:
    """The image files of a source, each once.

    Args:
        source: a file, a folder (its images, sorted), a glob such as `photos/*.jpg` (`**` for any depth; its
            images, sorted), or a list of these, kept in its order.
        recursive: whether the folders inside a folder are searched too.

    Raises:
        ValueError: a source does not exist or has no image.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources:
        raise ValueError("the source is an empty list: give an image, a folder or a glob")
    found: dict[Path, Path] = {}
    for one in sources:
        for path in _files_of(Path(one).expanduser(), recursive):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def output_stems(files: Sequence[Path], *, reserved: Sequence[str] = ()) -> list[str]:
    """A name without suffix for what is written for each file: its own stem where that is enough.

    Files whose stems are equal get their suffix and as many folder names as it takes, and a number where even
    that is not enough. Names differ in more than upper and lower case, which some file systems do not tell
    apart; the same list always gives the same names.

    Args:
        files: existing or not.
        reserved: names that something else has already.
    """
    forms = [list(_longer_names(path)) for path in files]
    level = [0] * len(files)
    while True:
        stems = [names[depth] for names, depth in zip(forms, level, strict=True)]
        counts = Counter(stem.casefold() for stem in (*stems, *reserved))
        grow = [
            i for i, stem in enumerate(stems) if counts[stem.casefold()] > 1 and level[i] + 1 < len(forms[i])
        ]
        if not grow:
            return _numbered(stems, reserved)
        for i in grow:
            level[i] += 1


def _files_of(path: Path, recursive: bool) -> list[Path]:
    suffixes = " ".join(IMAGE_SUFFIXES)
    if path.is_file():
        if is_video(path):
            raise ValueError(f"source {path} is a video: give it as the only source, not in a list")
        if not _is_image(path):
            raise ValueError(f"source {path} is not an image file by its suffix: expected one of {suffixes}")
        return [path]
    if path.is_dir():
        matches = list(path.rglob("*") if recursive else path.iterdir())
        hint = "" if recursive else " (folders inside of it are searched with recursive=true)"
    elif _is_glob(str(path)):
        matches = [Path(match) for match in glob.iglob(str(path), recursive=True)]  # noqa: PTH207
        hint = ""
    else:
        raise ValueError(f"source {path} does not exist: expected an image file, a folder or a glob")
    files = _images(matches)
    if not files:
        videos = sorted(match for match in matches if match.suffix.lower() in VIDEO_SUFFIXES)
        if videos:
            hint = f"; a video is given by itself: {videos[0]}"
        raise ValueError(f"source {path} has no image file: looked for {suffixes}{hint}")
    return files


def _images(paths: Sequence[Path]) -> list[Path]:
    """Sorted and without hidden files, such as the `._name.jpg` of macOS archives, which hold no picture."""
    return sorted(
        path for path in paths if _is_image(path) and not path.name.startswith(".") and path.is_file()
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _is_glob(text: str) -> bool:
    return glob.has_magic(text) and not Path(text).exists()


def _longer_names(path: Path) -> Iterator[str]:
    stem = path.stem.lstrip(".") or "image"  # not hidden, and never a way out of the folder
    name = f"{stem}_{path.suffix[1:]}" if path.suffix else stem
    yield stem
    yield name
    for folder in reversed(path.resolve().parent.parts[1:]):
        name = f"{folder}_{name}"
        yield name


def _numbered(stems: list[str], reserved: Sequence[str]) -> list[str]:
    seen = {stem.casefold() for stem in reserved}
    used = seen | {stem.casefold() for stem in stems}
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in seen or (number > 1 and name.casefold() in used):
            number += 1
            name = f"{stem}_{number}"
        seen.add(name.casefold())
        names.append(name)
    return names
