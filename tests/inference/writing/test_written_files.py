from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.inference.writing.written_files import WrittenFiles

NAMES = st.sets(
    st.sampled_from(["a.jpg", "cutouts/a/01_x.png", "cutouts/a/02_x.png", "masks/b.png", "ü\n.png"])
)


def write(folder: Path, names: set[str], record: WrittenFiles | None = None) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
        if record is not None:
            record.add(folder / name)


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name[0] != "."}


@given(runs=st.lists(st.tuples(NAMES, st.booleans()), min_size=1, max_size=4))
def test_only_files_of_the_newest_run_and_of_others_stay(
    runs: list[tuple[set[str], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs that fail remove nothing, and what they wrote goes with the next good one."""
    folder = tmp_path_factory.mktemp("out")
    write(folder, {"own.jpg", "masks/own.png"})
    for names, fails in runs:
        before = tree(folder)
        try:
            with WrittenFiles(folder, "predictions") as record:
                write(folder, names, record)
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert tree(folder) >= before
            continue
        files = {name for name in tree(folder) if (folder / name).is_file()}
        assert files == names | {"own.jpg", "masks/own.png"}
        assert all(any(path.iterdir()) for path in folder.rglob("*") if path.is_dir())


def test_sources_and_files_elsewhere_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(tmp_path, {"elsewhere.png"})
    with WrittenFiles(folder, "predictions") as record:
        write(folder, {"a.jpg", "b.jpg"}, record)
    with (folder / ".predictions.written").open("a") as file:
        file.write('"../elsewhere.png"\nnonsense\n7\n')
    with WrittenFiles(folder, "clip") as record:
        write(folder, {"clip/masks/000000.png"}, record)
    with WrittenFiles(folder, "predictions", keep=[folder / "a.jpg"]):
        pass
    assert tree(folder) == {"a.jpg", "clip", "clip/masks", "clip/masks/000000.png"}
    assert (tmp_path / "elsewhere.png").exists()
