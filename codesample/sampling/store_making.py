"""Makes the KV store of a decode loop, as large as its prompts and the memory say."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.kv_store import KVStore, token_bytes
from codesample.sampling.memory import size_text
from codesample.sampling.prompts import Prompt
from codesample.sampling.store_size import store_size_for

__all__ = ["store_for"]

_log = logging.getLogger("codesample.sampling")


def store_for(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    *,
    budget: int,
    max_rows: int,
    spread: Spread | None = None,
) -> KVStore:
    """Make a store with room for prompts of the shared path, or a share of them; they are still to be added.

    Raises:
        ModelError: see `store_size_for` and `KVStore`.
    """
    device, dtype = checkpoint.model.device, checkpoint.model.dtype
    size = store_size_for(
        prompts,
        token_bytes=token_bytes(checkpoint.kv_shapes, dtype),
        budget=budget,
        max_rows=max_rows,
        **({"places": spread.places} if spread else {}),
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
    )
