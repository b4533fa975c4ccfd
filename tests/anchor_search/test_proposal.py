from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.anchor_search import proposal
from yolact_pl.anchor_search.coverage import MEDIUM, SMALL, Objects
from yolact_pl.anchor_search.proposal import by_kmeans, propose
from yolact_pl.anchor_search.setting import AnchorSetting

SIZE = (160, 160)
CONFIGURED = AnchorSetting((24, 48, 96, 192, 384), (1, 0.5, 2), reference_size=550)


def make_objects(
    count: int, seed: int, *, smallest: float = 4, largest: float = 120, form: float = 1
) -> Objects:
    """At random places on inputs of `SIZE`; areas as of images three times as large."""
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.uniform(np.log(smallest), np.log(largest), (count, 1)))
    ratios = form * np.exp(rng.normal(0, 0.3, (count, 1)))
    sizes = np.minimum(np.concatenate((sides * np.sqrt(ratios), sides / np.sqrt(ratios)), axis=1), 150)
    first = rng.uniform(0, 1, (count, 2)) * (160 - sizes)
    boxes = torch.from_numpy(np.concatenate((first, first + sizes), axis=1)).float()
    area = torch.from_numpy(9 * sizes.prod(axis=1))
    return Objects(boxes, torch.tensor([SIZE]).expand(count, 2), area)


def search(objects: Objects, configured: AnchorSetting, generations: int, seed: int = 0) -> AnchorSetting:
    return propose(objects, configured, image_size=SIZE, generations=generations, seed=seed)


def check_not_worse(objects: Objects, old: AnchorSetting, new: AnchorSetting) -> None:
    before, after = objects.coverage(old.build(SIZE)), objects.coverage(new.build(SIZE))
    assert after.iou.double().mean() >= before.iou.double().mean()
    assert (after.iou >= 0.5).sum() >= (before.iou >= 0.5).sum()
    small, large = objects.area < SMALL, objects.area >= MEDIUM
    for chosen in (small, ~small & ~large, large):
        if chosen.any():
            reached = [(coverage.iou[chosen] >= 0.5).double().mean() for coverage in (before, after)]
            assert reached[1] >= reached[0] - 0.02


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 60),
    generations=st.sampled_from([0, 1, 8]),
    square=st.booleans(),
    fixed=st.booleans(),
    octaves=st.integers(1, 3),
    form=st.sampled_from([0.2, 1.0, 4.0]),
)
def test_proposed_anchors_never_cover_worse(
    seed: int, count: int, generations: int, square: bool, fixed: bool, octaves: int, form: float
) -> None:
    objects = make_objects(count, seed, form=form)
    configured = replace(CONFIGURED, square=square, octaves=octaves, reference_size=None if fixed else 550)
    proposed = search(objects, configured, generations, seed)
    check_not_worse(objects, configured, proposed)
    # A network with them has as many anchors.
    assert proposed.build(SIZE).num_per_cell == configured.build(SIZE).num_per_cell
    assert len(proposed.scales) == 5
    assert list(proposed.scales) == sorted(proposed.scales)
    assert (proposed.reference_size is None) == fixed


@pytest.mark.parametrize("sample", [5, 40])
def test_search_on_a_part_of_the_objects_is_checked_on_all(
    sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal, "SAMPLE", sample)
    for seed in range(4):
        objects = make_objects(400, seed, form=0.5)
        check_not_worse(objects, CONFIGURED, search(objects, CONFIGURED, 5, seed))


def test_nothing_that_passes_on_all_leaves_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample are tall objects, but the set is covered without a rest."""
    tall = make_objects(50, 0, form=0.1)
    own = CONFIGURED.build(SIZE)([(20, 20)], SIZE)
    objects = Objects(own, torch.tensor([SIZE]).expand(len(own), 2), torch.zeros(len(own)))
    monkeypatch.setattr(Objects, "sample", lambda *_: tall)
    assert search(tall, CONFIGURED, 5) != CONFIGURED
    assert search(objects, CONFIGURED, 5) == CONFIGURED


def test_tall_small_objects_get_anchors() -> None:
    objects = make_objects(300, 0, smallest=6, largest=20, form=0.3)
    proposed = search(objects, CONFIGURED, 40)
    before, after = (objects.coverage(setting.build(SIZE)) for setting in (CONFIGURED, proposed))
    assert before.recall < 0.5
    assert after.recall > before.recall + 0.3
    assert min(proposed.ratios) < 0.5


def test_search_improves_on_kmeans() -> None:
    objects = make_objects(300, 1, form=0.5)
    found = [objects.coverage(search(objects, CONFIGURED, n).build(SIZE)) for n in (0, 40)]
    assert found[1].mean_iou + found[1].recall > found[0].mean_iou + found[0].recall + 0.005


def test_same_seed_same_anchors() -> None:
    objects = make_objects(100, 2)
    assert search(objects, CONFIGURED, 10, seed=3) == search(objects, CONFIGURED, 10, seed=3)
    assert len({search(objects, CONFIGURED, 10, seed=seed) for seed in range(4)}) > 1


def test_levels_without_objects_keep_their_scale() -> None:
    objects = make_objects(200, 3, smallest=6, largest=25)
    scales = (12, 30, 60, 110, 150)
    proposed = search(objects, AnchorSetting(scales, (1, 0.5, 2)), 30)
    assert proposed.scales[0] != 12 or proposed.scales[1] != 30
    assert proposed.scales[3:] == (110, 150)


def test_kmeans_start() -> None:
    """Squares of five sizes: the scales are theirs, in whole pixels, the octaves around them."""
    sides = np.repeat([6.0, 12.0, 24.0, 48.0, 96.0], 20)
    first = np.random.default_rng(0).uniform(0, 160 - sides[:, None], (100, 2))
    boxes = torch.from_numpy(np.concatenate((first, first + sides[:, None]), axis=1)).float()
    objects = Objects(boxes, torch.tensor([SIZE]).expand(100, 2), torch.zeros(100))
    found = by_kmeans(objects, AnchorSetting((1, 2, 3, 4, 5), (1,)), SIZE)
    assert found.scales == (6, 12, 24, 48, 96)
    assert found.ratios == (1,)
    found = by_kmeans(objects, AnchorSetting((1, 2, 3, 4, 5), (1,), octaves=3), SIZE)
    for own, side in zip(found.build(SIZE).scales, (6, 12, 24, 48, 96), strict=True):
        assert own[1] == pytest.approx(side, rel=0.1)  # the middle one of three


def test_ratios_stay_in_the_order_of_the_configured_ones() -> None:
    objects = make_objects(200, 4)
    found = by_kmeans(objects, AnchorSetting((1, 2, 3, 4, 5), (1, 0.5, 2)), SIZE)
    assert found.ratios[1] < found.ratios[0] < found.ratios[2]


def test_few_large_objects_are_not_given_up_for_many_small_ones() -> None:
    many, few = make_objects(600, 5, smallest=3, largest=9), make_objects(12, 6, smallest=60, largest=70)
    objects = Objects(*(torch.cat((getattr(many, k), getattr(few, k))) for k in ("boxes", "inputs", "area")))
    configured = AnchorSetting((12, 20, 65, 70, 90), (1, 0.7, 1.5))
    proposed = search(objects, configured, 30)
    before, after = (objects.coverage(setting.build(SIZE)) for setting in (configured, proposed))
    assert after.recall > before.recall
    large = objects.by_size()["large"]
    assert large.sum() == 12
    assert after.of(large).recall >= before.of(large).recall > 0.9


def test_sizes_that_the_sample_lacks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    many, few = make_objects(200, 5, smallest=3, largest=9), make_objects(3, 6, smallest=60, largest=70)
    objects = Objects(*(torch.cat((getattr(many, k), getattr(few, k))) for k in ("boxes", "inputs", "area")))
    configured = AnchorSetting((12, 20, 65, 70, 90), (1, 0.7, 1.5))
    monkeypatch.setattr(Objects, "sample", lambda *_: many)
    proposed = search(objects, configured, 20)
    check_not_worse(objects, configured, proposed)
