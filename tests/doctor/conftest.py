from pathlib import Path

import pytest

from tests.doctor.sound_set import DataSet, write_sound_set


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    """A set in which nothing is wrong."""
    return write_sound_set(tmp_path / "set")
