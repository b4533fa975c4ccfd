"""Image and video sources, and names for the outputs of each image."""

import glob
import mimetypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from yolact_pl.images.formats import image_suffixes, is_image, opens

_URL = re.compile("(rtsps?|rtmps?|https?|udp|tcp|srt)://", re.IGNORECASE)


def is_video(source: object) -> bool:
    """Whether a source is a video file, a camera (a number, also as text) or the URL of a stream.

    Files are videos if FFmpeg says so; an animated GIF or WebP is an image, its first frame. A file or folder
    whose name is a number needs a folder in front of it: `./0`.
    """
    if isinstance(source, int):
        return not isinstance(source, bool)
    if not isinstance(source, str | Path):
        return False
    text, path = str(source), Path(source).expanduser()
    if text.isdecimal() or _URL.match(text):
        return True
    return not (path.is_dir() or _is_glob(text) or opens(path)) and _is_video_file(path)


def left_out(source: str | Path | Sequence[str | Path], *, recursive: bool = False) -> str | None:
    """One sentence about what `image_files` skips in the folders of a source; None if it takes everything."""
    sources = [source] if isinstance(source, str | Path) else list(source)
    folders = [path for one in sources if (path := Path(one).expanduser()).is_dir()]
    found = [path for folder in folders for path in (folder.rglob("*") if recursive else folder.iterdir())]
    inner = 0 if recursive else sum(path.is_dir() for path in found)
    files = sorted(path for path in found if path.is_file() and not (is_image(path) and not _is_hidden(path)))
    hidden = [path for path in files if _is_hidden(path)]
    by_suffix: dict[str, list[Path]] = {}
    for path in files:
        if not _is_hidden(path):
            by_suffix.setdefault(path.suffix.lower(), []).append(path)
    videos = {suffix: paths for suffix, paths in by_suffix.items() if _is_video_file(paths[0])}
    others = {suffix: paths for suffix, paths in by_suffix.items() if suffix not in videos}
    parts = []
    if videos:
        first = min(paths[0] for paths in videos.values())
        parts.append(f"videos: {_total(videos)} (a video is given by itself: source={first})")
    if others:
        parts.append(f"files that are no image: {_total(others)}")
    if hidden:
        parts.append(f"hidden files: {len(hidden)}")
    if inner and parts:
        parts.append(f"folders: {inner} (searched with recursive=true)")
    return f"left out of {' '.join(map(str, folders))}: {', '.join(parts)}" if parts else None


def _total(files: dict[str, list[Path]]) -> str:
    count = sum(map(len, files.values()))
    return f"{count} {' '.join(suffix or 'without suffix' for suffix in sorted(files))}"


def _is_video_file(path: Path) -> bool:
    """By its suffix if that is well known, else by what FFmpeg finds in it."""
    if path.suffix.lower() in image_suffixes():
        return False
    kind = (mimetypes.guess_type(f"a{path.suffix}")[0] or "").partition("/")[0]
    if kind in ("video", "image") or not path.is_file():
        return kind == "video"
    from yolact_pl.inference.video.reader import has_pictures

    return has_pictures(path)


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
    if path.is_file():
        if is_image(path) or opens(path):
            return [path]
        if is_video(path):
            raise ValueError(f"source {path} is a video: give it as the only source, not in a list")
        raise ValueError(f"source {path} is not an image file that can be read: convert it to PNG or JPEG")
    if path.is_dir():
        matches = list(path.rglob("*") if recursive else path.iterdir())
        hint = "" if recursive else " (folders inside of it are searched with recursive=true)"
    elif _is_glob(str(path)):
        matches, hint = _glob(path), ""
    else:
        raise ValueError(f"source {path} does not exist: expected an image file, a folder or a glob")
    visible = [match for match in matches if match.is_file() and not _is_hidden(match)]
    files = sorted(match for match in visible if is_image(match))
    if not files:
        videos = sorted(match for match in visible if _is_video_file(match))
        if videos:
            hint = f"; a video is given by itself: {videos[0]}"
        raise ValueError(f"source {path} has no image file that can be read{hint}")
    return files


def _is_hidden(path: Path) -> bool:
    """Such as the `._name.jpg` of macOS archives, which hold no image."""
    return path.name.startswith(".")


def _glob(pattern: Path) -> list[Path]:
    """The matches; brackets of a folder that exists are part of its name, and so are others without match."""
    known = next(folder for folder in pattern.parents if folder.exists())
    rest = str(pattern.relative_to(known))
    for form in (rest, rest.replace("[", "[[]")):
        if found := glob.glob(form, root_dir=known, recursive=True):  # noqa: PTH207
            return [known / match for match in found]
    return []


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
