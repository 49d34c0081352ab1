import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ModelError
from codesample.policies.cascade import Cascade
from codesample.sampling.kv_store import KVShape, KVStore, RangeAllocator, token_bytes


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=60))
def test_ranges_never_overlap_and_come_back_whole(actions):
    pool, held = RangeAllocator(40), []
    for take, length in actions:
        if take:
            start = pool.take(length)
            if start is not None:
                assert start >= 0
                assert start + length <= 40
                assert all(start + length <= a or a + n <= start for a, n in held)
                held.append((start, length))
        elif held:
            pool.give_back(*held.pop(length % len(held)))
        assert pool.free == 40 - sum(n for _, n in held)
    for taken in held:
        pool.give_back(*taken)
    assert pool.take(40) == 0


def test_a_gap_that_is_too_short_is_passed_over():
    pool = RangeAllocator(10)
    first, second = pool.take(4), pool.take(4)
    pool.give_back(first, 4)
    assert pool.take(5) is None
    assert pool.take(3) == 0
    assert second == 4


def test_the_lowest_free_slots_are_taken():
    store = KVStore(
        [KVShape(1, 4)],
        shared_tokens=2,
        rows=5,
        row_tokens=3,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    assert store.take_slots(4) == [0, 1, 2, 3]
    store.give_back_slots([2, 0])
    assert store.take_slots(2) == [0, 2]
    assert store.free_slots == 1


def test_slots_that_grow_keep_what_they_hold():
    store = KVStore(
        [KVShape(1, 4), KVShape(2, 2)],
        shared_tokens=2,
        rows=3,
        row_tokens=3,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    before = [(layer.k_own.normal_().clone(), layer.v_own.normal_().clone()) for layer in store.layers]
    store.grow(row_tokens=7)
    assert store.row_tokens == 7
    for (k, v), layer in zip(before, store.layers, strict=True):
        assert layer.k_own.shape == layer.v_own.shape == (3, k.shape[1], 7, k.shape[3])
        assert torch.equal(layer.k_own[:, :, :3], k)
        assert torch.equal(layer.v_own[:, :, :3], v)


def test_a_store_beyond_memory_is_refused_with_its_size():
    with pytest.raises(ModelError, match=r"GiB.*lower max_rows"):
        KVStore(
            [KVShape(64, 1 << 20)],
            shared_tokens=1 << 30,
            rows=1,
            row_tokens=1,
            dtype=torch.float32,
            device=torch.device("cpu"),
        )


def test_bytes_per_token_count_keys_and_values_of_all_layers():
    assert token_bytes([KVShape(2, 16), KVShape(1, 8)], torch.bfloat16) == 2 * (32 + 8) * 2


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_a_pool_in_8_bits_grows_by_whole_groups_and_keeps_what_it_holds(kind):
    store = KVStore(
        [KVShape(1, 4), KVShape(2, 2)],
        shared_tokens=70,
        rows=2,
        row_tokens=3,
        dtype=torch.float32,
        device=torch.device("cpu"),
        packed=kind,
    )
    assert store.pool.capacity == 128
    # ranges begin with groups of their own, and come back whole
    assert [store.pool.take(n) for n in (5, 64, 1)] == [0, 64, None]
    store.pool.give_back(0, 5)
    assert store.pool.free == 64
    for layer in store.layers:
        k = torch.randn(len(layer.k_own[0]), 9, layer.k_own.shape[3])
        layer.packed.write(64, k, -k)
    before = [layer.shared(64, 9) for layer in store.layers]
    store.grow(shared_tokens=129, rows=3)
    assert store.pool.capacity == 192
    assert store.pool.free == 128
    for layer, held in zip(store.layers, before, strict=True):
        assert layer.shared_tokens == 192
        assert len(layer.k_own) == 3
        assert all(map(torch.equal, layer.shared(64, 9), held))


def test_slots_of_a_cascade_stay_as_they_are():
    cascade = Cascade(capacity=8, levels=2, first=1)
    shape = {"shared_tokens": 2, "rows": 2, "dtype": torch.float32, "device": torch.device("cpu")}
    assert KVStore([KVShape(1, 4)], row_tokens=5, **shape, cascade=cascade).row_tokens == 5
    store = KVStore([KVShape(1, 4)], row_tokens=500, **shape, cascade=cascade)
    assert store.row_tokens == 10
    assert store.own is not None
