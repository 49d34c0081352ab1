"""Makes the KV store of a decode loop, as large as its prompts and the memory say, and lets it grow."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from codesample.kernels.bifurcated_decode import PackedKind, whole_groups
from codesample.policies.cascade import Cascade
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.kv_store import KVShape, KVStore, packed_bytes, token_bytes
from codesample.sampling.memory import size_text
from codesample.sampling.policy_choice import PolicyChoice
from codesample.sampling.prompts import Prompt
from codesample.sampling.store_size import PLAIN, Holding, StoreSize, grown_size, store_size_for

__all__ = ["grown_for", "holding_of", "store_for"]

_log = logging.getLogger("codesample.sampling")


def store_for(
    checkpoint: Checkpoint, prompts: Sequence[Prompt], policy: PolicyChoice, *, budget: int, max_rows: int
) -> KVStore:
    """Make a store with room for prompts of the shared path, or a share of them; they are still to be added.

    Raises:
        ModelError: see `store_size_for` and `KVStore`.
    """
    device, dtype = checkpoint.model.device, checkpoint.model.dtype
    packed, cascade = policy.packed(max(len(p.ids) for p in prompts)), policy.cascade
    holding = holding_of(checkpoint.kv_shapes, packed, cascade, policy.frozen)
    spread = policy.spread
    size = store_size_for(
        prompts,
        token_bytes=token_bytes(checkpoint.kv_shapes, dtype),
        budget=budget,
        max_rows=max_rows,
        holding=holding._replace(places=spread.places) if spread else holding,
    )
    _log.info(
        "candidates decoded together: %d; their keys and values: %s; starts shared by prompts: %d",
        size.rows,
        size_text(size.bytes),
        len({p.header_ids for p in prompts if p.header}),
    )
    return KVStore(
        checkpoint.kv_shapes,
        shared_tokens=size.shared_tokens,
        rows=size.rows,
        row_tokens=size.row_tokens,
        dtype=dtype,
        device=device,
        spread=spread,
        packed=packed,
        cascade=cascade,
        frozen=policy.frozen,
    )


def grown_for(
    store: KVStore, checkpoint: Checkpoint, prompts: Sequence[Prompt], *, budget: int, max_rows: int
) -> StoreSize | None:
    """Choose to what a store grows that is to serve these prompts; None where memory does not suffice.

    Args:
        budget: Bytes that it may take besides what it has.
        store, checkpoint, prompts, max_rows: See `grown_size`.
    """
    shapes = checkpoint.kv_shapes
    each = token_bytes(shapes, store.layers[0].k_own.dtype)
    holding = holding_of(shapes, store.packed, store.own.settings if store.own else None, store.frozen)
    has = StoreSize.of(store.pool.capacity, store.rows, store.row_tokens, token_bytes=each, holding=holding)
    return grown_size(
        has, prompts, token_bytes=each, budget=budget + has.bytes, max_rows=max_rows, holding=holding
    )


def holding_of(
    shapes: Sequence[KVShape],
    packed: PackedKind | None,
    cascade: Cascade | None,
    frozen: FrozenPrompt | None,
) -> Holding:
    """Return how a store holds tokens, of prompts in 8 bits and of rows and prompts that keep some."""
    return Holding(
        shared_bytes=packed_bytes(shapes, packed) if packed else None,
        places=whole_groups if packed else frozen.held if frozen else PLAIN.places,
        most_own=cascade.slot_tokens if cascade else None,
    )
