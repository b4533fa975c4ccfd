"""Where pictures come from, and how what is made of them is named."""

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm", ".pgm")


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


def output_stems(files: Sequence[Path]) -> list[str]:
    """A name without suffix for what is written for each file: its own stem where that is enough.

    Files whose stems are equal get their suffix and as many folder names as it takes, and a number where even
    that is not enough. Names differ in more than upper and lower case, which some file systems do not tell
    apart; the same list always gives the same names.
    """
    forms = [list(_longer_names(path)) for path in files]
    level = [0] * len(files)
    while True:
        stems = [names[depth] for names, depth in zip(forms, level, strict=True)]
        counts = Counter(stem.casefold() for stem in stems)
        grow = [
            i for i, stem in enumerate(stems) if counts[stem.casefold()] > 1 and level[i] + 1 < len(forms[i])
        ]
        if not grow:
            return _numbered(stems)
        for i in grow:
            level[i] += 1


def _files_of(path: Path, recursive: bool) -> list[Path]:
    suffixes = " ".join(IMAGE_SUFFIXES)
    if path.is_file():
        if not _is_image(path):
            raise ValueError(f"source {path} is not an image file by its suffix: expected one of {suffixes}")
        return [path]
    if path.is_dir():
        files = _images(path.rglob("*") if recursive else path.iterdir())
        hint = "" if recursive else " (folders inside of it are searched with recursive=true)"
    elif glob.has_magic(str(path)):
        files = _images(Path(match) for match in glob.iglob(str(path), recursive=True))  # noqa: PTH207
        hint = ""
    else:
        raise ValueError(f"source {path} does not exist: expected an image file, a folder or a glob")
    if not files:
        raise ValueError(f"source {path} has no image file: looked for {suffixes}{hint}")
    return files


def _images(paths: Iterator[Path]) -> list[Path]:
    """Sorted and without hidden files, such as the `._name.jpg` of macOS archives, which hold no picture."""
    return sorted(
        path for path in paths if _is_image(path) and not path.name.startswith(".") and path.is_file()
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _longer_names(path: Path) -> Iterator[str]:
    name = f"{path.stem}_{path.suffix[1:]}" if path.suffix else path.stem
    yield path.stem
    yield name
    for folder in reversed(path.resolve().parent.parts[1:]):
        name = f"{folder}_{name}"
        yield name


def _numbered(stems: list[str]) -> list[str]:
    used = {stem.casefold() for stem in stems}
    seen: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in seen or (number > 1 and name.casefold() in used):
            number += 1
            name = f"{stem}_{number}"
        seen.add(name.casefold())
        names.append(name)
    return names
