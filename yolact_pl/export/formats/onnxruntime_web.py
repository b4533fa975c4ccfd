"""onnxruntime-web from the npm registry, fetched once."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from yolact_pl.inference.exported.metadata import ExportError
from yolact_pl.models.cached_file import cache_folder

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SECONDS = 600


def runtime_files() -> list[Path]:
    """The files that a page needs, from the cache folder, fetched first if they are not there.

    Raises:
        ExportError: npm is missing, or cannot fetch the package.
    """
    folder = cache_folder() / f"{PACKAGE}-{VERSION}"
    files = [folder / name for name in FILES]
    if all(file.is_file() for file in files):
        return files
    by_hand = f"or put {', '.join(FILES)} of the package's dist/ by hand into {folder}"
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError(f"format=web fetches {PACKAGE} with npm, which is missing: install it, {by_hand}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{PACKAGE}.") as name:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            said = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except (OSError, subprocess.TimeoutExpired) as error:
            said = [str(error)]
        fetched = [*Path(name).glob("*.tgz")]
        if said or not fetched:
            raise ExportError(
                f"npm cannot fetch {PACKAGE} {VERSION} ({' '.join(said)}): try again, {by_hand}"
            )
        folder.mkdir(exist_ok=True)
        with tarfile.open(fetched[0]) as archive:
            for file in files:
                content = archive.extractfile(f"package/dist/{file.name}")
                assert content is not None
                part = Path(name) / file.name
                part.write_bytes(content.read())
                part.replace(file)
    return files
