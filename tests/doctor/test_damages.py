"""One mistake of each kind: found in its place, stopping a training or not as said, and corrected."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.doctor.damages import DAMAGES, Damage
from tests.doctor.sound_set import DataSet
from tests.doctor.training import complaint
from yolact_pl.doctor.examination import Examination, examine
from yolact_pl.doctor.fixing.fix import Fixer
from yolact_pl.doctor.kinds import Kind, Severity
from yolact_pl.doctor.report.places import place_of

each_damage = pytest.mark.parametrize("damage", DAMAGES, ids=str)


def kinds(examination: Examination) -> Counter[Kind]:
    return Counter(finding.kind for finding in examination.findings)


def test_there_is_a_mistake_of_each_kind() -> None:
    assert {damage.kind for damage in DAMAGES} == set(Kind)


@pytest.mark.parametrize("with_val", [False, True])
@pytest.mark.parametrize("look", [False, True])
def test_nothing_is_found_in_the_sound_set(data: DataSet, with_val: bool, look: bool) -> None:
    data.with_val = with_val
    assert examine(data.sets(), opened={} if look else None).findings == []
    assert complaint(data.sets()) is None


@each_damage
def test_found_where_it_is_and_nothing_else(data: DataSet, damage: Damage) -> None:
    damage.plant(data)
    examination = examine(data.sets(), opened={})
    found = [finding for finding in examination.findings if finding.kind is damage.kind]
    assert len(found) == damage.times
    assert place_of(examination.part(found[0].split).coco_set, found[0]) == damage.place
    assert damage.detail in found[0].detail
    others = set(kinds(examination)) - {damage.kind}
    assert others == damage.also
    assert all(kind.severity is Severity.NOTE for kind in others)


@each_damage
def test_errors_are_what_stops_a_training(data: DataSet, damage: Damage) -> None:
    damage.plant(data)
    sentence = complaint(data.sets())
    assert (sentence is not None) == (damage.kind.severity is Severity.ERROR), sentence


@each_damage
def test_corrected_copy_passes_where_there_is_a_correction(
    data: DataSet, damage: Damage, tmp_path: Path
) -> None:
    damage.plant(data)
    sets = data.sets()
    before = {paths.json: paths.json.read_bytes() for paths in sets}
    output = tmp_path / "corrected"
    output.mkdir()
    opened = {}
    changes, left = Fixer(examine(sets, opened=opened)).write(output, opened=opened)
    assert {paths.json: paths.json.read_bytes() for paths in sets} == before
    if damage.kind.fix:
        assert changes
        (written,) = output.iterdir()
        assert {change.path for change in changes} == {written}
        content = json.loads(written.read_text())
        assert [len(content[key]) > 0 for key in ("images", "annotations", "categories")] == 3 * [True]
        copy = sets[0]._replace(json=written)
        examination = examine([copy], opened={})
        assert kinds(examination) == kinds(left)
        assert set(kinds(examination)) <= {
            Kind.CATEGORY_IDS_GAPPED,
            Kind.EXIF_ROTATED,
            Kind.FILE_NOT_LISTED,
        }
        assert complaint([copy]) is None
    else:
        assert not changes
        assert not list(output.iterdir())
        assert damage.kind in kinds(left)
