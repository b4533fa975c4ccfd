"""Download and installation of a published data set."""

import http.client
import logging
import shutil
from pathlib import Path

from filelock import FileLock

from yolact_pl.download.published import Archive, PublishedSet, Take
from yolact_pl.download.record import DownloadError, record_of, sha256_of, size_of
from yolact_pl.download.resumable import fetch
from yolact_pl.download.unpack import unpack

logger = logging.getLogger(__name__)


def download_set(published: PublishedSet, data_dir: Path, *, keep_archives: bool = False) -> None:
    """Fetch and unpack what is missing; an interrupted call is resumed by the next one.

    Args:
        published: what to fetch.
        data_dir: folder of all data; archives are kept in `downloads` below it meanwhile.
        keep_archives: leave them there.

    Raises:
        DownloadError: one cannot be fetched or unpacked, there is no room, or a folder that is there already
            holds something else.
    """
    for archive in published.archives:
        if not _missing(archive, data_dir):
            logger.info("%s: already there", ", ".join(str(data_dir / take.target) for take in archive.takes))
            continue
        path = data_dir / "downloads" / archive.url.rsplit("/", 1)[-1]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):  # of several processes one fetches
                _provide(archive, path, data_dir, keep_archives)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(
                f"cannot fetch {archive.url} ({error}); run this again to go on, or put the file by hand at "
                f"{path}"
            ) from error


def _provide(archive: Archive, path: Path, data_dir: Path, keep: bool) -> None:
    takes = _missing(archive, data_dir)
    if not takes:  # another process was quicker
        return
    _check_room(archive, path)
    if path.is_file():
        _check_by_hand(archive, path)
    else:
        fetch(archive.url, path, digest=archive.sha256, size=archive.size)
    unpack(path, {take.member: data_dir / take.target for take in takes})
    if not keep:
        path.unlink()
        record_of(path).unlink(missing_ok=True)


def _missing(archive: Archive, data_dir: Path) -> list[Take]:
    """What is missing; what was put there by hand must be complete."""
    missing = []
    for take in archive.takes:
        path = data_dir / take.target
        if not path.exists():
            missing.append(take)
        elif take.files is not None:
            found = sum(1 for _ in path.iterdir()) if path.is_dir() else 0
            if found < take.files:
                raise DownloadError(
                    f"{path} holds {found:,} of the {take.files:,} files that are published; move it away, "
                    "then run this again"
                )
    return missing


def _check_room(archive: Archive, path: Path) -> None:
    """Images take as much space as their archive, and both exist for a moment."""
    there = max(size_of(path), size_of(path.with_name(f"{path.name}.part")))
    needed = 2 * archive.size - there
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise DownloadError(
            f"{path.name} and what is in it need {needed / 1e9:.1f} GB more, but {path.parent} has "
            f"{free / 1e9:.1f} GB left; make room, or give another folder: data_dir=FOLDER"
        )


def _check_by_hand(archive: Archive, path: Path) -> None:
    """Check an archive put there by hand, or fetched by a call that ended before unpacking."""
    logger.info("checking %s", path)
    if size_of(path) != archive.size or not sha256_of(path).startswith(archive.sha256):
        raise DownloadError(
            f"{path} is not the file that is published at {archive.url} (size or sha256 differ); delete it "
            "to fetch it"
        )
