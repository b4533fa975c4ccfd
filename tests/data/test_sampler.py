import itertools

import numpy as np
import pytest

from yolact_pl.data.sampler import SampleKey, ShareSampler, TrainSampler, sample_generator


def batches(sampler: TrainSampler) -> list[list[SampleKey]]:
    keys = list(sampler)
    return [keys[i : i + sampler.batch_size] for i in range(0, len(keys), sampler.batch_size)]


def ranks(num_images: int, *batch_sizes: int) -> list[TrainSampler]:
    return [TrainSampler(num_images, batch_sizes, seed=3, rank=rank) for rank in range(len(batch_sizes))]


@pytest.mark.parametrize("batch_sizes", [[6], [3, 3], [2, 2, 2], [5, 1], [1, 2, 3]])
def test_ranks_share_out_the_same_total_batches(batch_sizes: list[int]) -> None:
    single = batches(TrainSampler(50, [6], seed=3))
    parts = [batches(sampler) for sampler in ranks(50, *batch_sizes)]
    assert [len(part[0]) for part in parts] == batch_sizes
    joined = [list(itertools.chain(*shares)) for shares in zip(*parts, strict=True)]
    assert joined == single
    assert len(single) == 8  # 50 = 8 x 6 + 2
    assert len({index for batch in single for _, index, *_ in batch}) == 48


def test_epochs_differ_and_repeat() -> None:
    sampler = TrainSampler(20, [4], seed=0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert {epoch for epoch, *_ in sampler} == {1}
    assert [index for _, index, *_ in sampler] != [index for _, index, *_ in first]
    assert [index for _, index, *_ in TrainSampler(20, [4], seed=1)] != [index for _, index, *_ in first]


def test_small_set_is_repeated_to_one_batch() -> None:
    parts = [list(sampler) for sampler in ranks(3, 4, 4)]
    assert [len(part) for part in parts] == [4, 4]
    indices = [index for _, index, *_ in itertools.chain(*parts)]
    assert sorted(indices.count(i) for i in range(3)) == [2, 3, 3]  # 8 samples of 3 images
    assert len(ranks(3, 4, 4)[0]) == 4


@pytest.mark.parametrize("done", [0, 1, 4, 8])
def test_position_holds_for_another_number_of_ranks(done: int) -> None:
    whole = [key for batch in batches(TrainSampler(50, [6], seed=3)) for key in batch]
    sampler = ranks(50, 6)[0]
    for _ in range(done):
        sampler.advance()
    pair = ranks(50, 3, 3)
    for other in pair:
        other.load_state_dict(sampler.state_dict())
    rest = [key for shares in zip(*map(batches, pair), strict=True) for share in shares for key in share]
    assert rest == whole[6 * done :]


def test_passes_are_the_rest_of_the_restored_epoch_then_the_next_ones() -> None:
    sampler = TrainSampler(20, [4])
    sampler.load_state_dict({"epoch": 2, "samples_done": 8})
    sampler.set_epoch(7)
    sampler.begin()
    assert sampler.state_dict() == {"epoch": 2, "samples_done": 8}
    sampler.begin()
    assert sampler.state_dict() == {"epoch": 3, "samples_done": 0}
    sampler.load_state_dict({"epoch": 5, "samples_done": 20})
    sampler.begin()
    assert sampler.state_dict() == {"epoch": 6, "samples_done": 0}


def test_set_epoch_is_for_new_samplers() -> None:
    sampler = TrainSampler(20, [4])
    sampler.set_epoch(4)
    sampler.begin()
    assert sampler.state_dict() == {"epoch": 4, "samples_done": 0}
    sampler.set_epoch(9)
    assert sampler.epoch == 4


def progress_of_a_run(*, stop: int = 20, then: list[int] | None = None) -> list[float]:
    """Of each of 20 total batches of 6 of 50 images, 8 an epoch, on ranks that are exchanged at a stop."""
    found: list[float] = []
    state: dict[str, int] = {"epoch": 0, "samples_done": 0}
    for first, last, batch_sizes in ((0, stop, [6]), (stop, 20, then or [6])):
        samplers = [
            TrainSampler(50, batch_sizes, rank=rank, batches_left=20 - first)
            for rank in range(len(batch_sizes))
        ]
        for sampler in samplers:
            sampler.load_state_dict(state)
        while len(found) < last:
            for sampler in samplers:
                sampler.begin()
            for shares in zip(*map(batches, samplers), strict=True):
                (progress,) = {key.progress for share in shares for key in share}
                found.append(progress)
                for sampler in samplers:
                    sampler.advance()
                if len(found) == last:
                    break
        state = samplers[0].state_dict()
    return found


def test_progress_is_the_share_of_the_batches_that_are_done() -> None:
    assert progress_of_a_run() == pytest.approx([k / 20 for k in range(20)])
    assert {key.progress for key in TrainSampler(50, [6])} == {0}


@pytest.mark.parametrize("stop", [3, 8, 15, 16])
@pytest.mark.parametrize("then", [[6], [3, 3], [1, 5]])
def test_a_resumed_run_has_the_same_progress_on_any_ranks(stop: int, then: list[int]) -> None:
    assert progress_of_a_run(stop=stop, then=then) == progress_of_a_run()


def test_each_total_batch_has_a_scale_of_its_own_on_all_ranks() -> None:
    def scales(batch_sizes: list[int], rank: int, epoch: int, done: int = 0) -> list[float | None]:
        sampler = TrainSampler(600, batch_sizes, seed=3, rank=rank, scales=(0.5, 1.5))
        sampler.load_state_dict({"epoch": epoch, "samples_done": done})
        assert all(len({key.scale for key in batch}) == 1 for batch in batches(sampler))
        return [batch[0].scale for batch in batches(sampler)]

    first = scales([3], 0, epoch=0)
    assert first == scales([1, 2], 0, epoch=0) == scales([1, 2], 1, epoch=0)
    assert first[7:] == scales([3], 0, epoch=0, done=21)  # resumed
    assert first[0] == 1.5
    assert len(set(first)) == 200
    assert not set(first[1:]) & set(scales([3], 0, epoch=1))
    drawn = np.array(first[1:], float)
    assert (drawn.min(), drawn.max()) == pytest.approx((0.5, 1.5), abs=0.02)
    assert drawn.mean() == pytest.approx(1, abs=0.06)
    assert {key.scale for key in TrainSampler(20, [4])} == {None}


@pytest.mark.parametrize("world_size", [1, 2, 4, 7])
def test_shares_cover_every_image_once(world_size: int) -> None:
    shares = [ShareSampler(7, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sorted(itertools.chain(*shares)) == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_process_has_an_image_to_validate_with() -> None:
    assert [list(ShareSampler(2, rank=rank, world_size=5)) for rank in range(5)] == [[0], [1], [0], [1], [0]]


def test_sample_generators_are_independent() -> None:
    keys = list(itertools.product(range(5), range(5)))
    drawn = {sample_generator(seed, *key).integers(2**62) for seed in range(3) for key in keys}
    assert len(drawn) == 75
    assert sample_generator(1, 2, 3).random() == sample_generator(1, 2, 3).random()
