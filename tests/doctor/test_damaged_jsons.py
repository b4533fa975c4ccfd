"""300 randomly damaged annotation files: each is reported, and its errors are what stops a training."""

import copy
import random
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.annotations.test_damaged_sets import damage
from tests.doctor.sound_set import DataSet, write_sound_set
from tests.doctor.training import complaint
from yolact_pl.doctor.examination import examine
from yolact_pl.doctor.fixing.fix import Fixer
from yolact_pl.doctor.kinds import Severity
from yolact_pl.doctor.report.page import page
from yolact_pl.doctor.report.places import write_csv
from yolact_pl.doctor.report.text_report import text_report


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_sound_set(tmp_path_factory.mktemp("sound"))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_reported(sound: DataSet, tmp_path: Path, split: str, seed: int) -> None:
    data = copy.copy(sound)
    data.with_val = split == "val"
    data.texts = {split: damage(getattr(sound, split), random.Random(seed))}
    sets = data.sets()
    before = [paths.json.read_bytes() for paths in sets]
    opened = {}
    examination = examine(sets, opened=opened)
    assert (examination.count(Severity.ERROR) > 0) == (complaint(sets) is not None)
    changes, left = Fixer(examination).write(tmp_path, opened=opened)
    assert [paths.json.read_bytes() for paths in sets] == before
    if not left.count(Severity.ERROR):
        copies = [paths._replace(json=left.part(paths.split).coco_set.path) for paths in sets]
        assert complaint(copies) is None
    write_csv(tmp_path / "findings.csv", examination)
    assert text_report(examination, set()).encode()
    html = page(examination, set(), changes, left, examples=1, pictures=True)
    HTMLParser().feed(html)
    assert html.encode().endswith(b"</html>\n")
    one_line_each(examination.findings)


def one_line_each(findings: list) -> None:
    for finding in findings:
        assert "\n" not in finding.detail
        assert len(finding.detail) < 1000
