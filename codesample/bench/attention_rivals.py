"""What the benchmark compares with: attention that reads the context once per row, and what shares it.

Each rival owns its layout of the same keys and values, made before anything is timed, and returns
[R, H, D] for one query token per row.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from codesample.bench.torch_rivals import flex, torch_cascade
from codesample.kernels.bifurcated_decode import DecodeBatch, LayerStore

__all__ = [
    "CASCADE",
    "EXPANDED",
    "FLEX",
    "SHARING",
    "TORCH_CASCADE",
    "Make",
    "Rival",
    "rival_bytes",
    "rivals_on",
]

Rival = Callable[[], torch.Tensor]
Make = Callable[[torch.Tensor, LayerStore, DecodeBatch, int], Rival | None]
EXPANDED, CASCADE = "expanded SDPA", "FlashInfer cascade"
TORCH_CASCADE, FLEX = "torch cascade", "flex_attention"
SHARING = (CASCADE, TORCH_CASCADE, FLEX)
"""Rivals that read a context once."""

_PAGE = 16
_CASCADE_WORKSPACE = 256 << 20


def rival_bytes(name: str, store: LayerStore, batch: DecodeBatch, own: int, heads: int) -> int:
    """Bytes of keys and values in a rival's layout: mostly every row has its own copy of all it sees."""
    context = sum(s.length for s in batch.segments) if name in SHARING else sum(batch.own_starts)
    held = heads if name == EXPANDED else store.k_shared.shape[0]
    width, size = store.k_shared.shape[2], store.k_shared.element_size()
    return 2 * (context + batch.rows * own) * held * width * size


def rivals_on(device: torch.device) -> dict[str, Make]:
    """Name every rival that could run on `device`."""
    found: dict[str, Make] = {EXPANDED: _expanded}
    if device.type != "cuda":
        return {**found, "SDPA": partial(_single_sequence, None)}
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        found[f"SDPA {backend.name.split('_')[0].lower()}"] = partial(_single_sequence, backend)
    return {**found, "flash_attn": _flash_attn, CASCADE: _cascade, TORCH_CASCADE: torch_cascade, FLEX: flex}


def _expanded(q: torch.Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Rival:
    """Scaled dot-product attention over a copy of all keys per row and query head."""
    k, v = (_per_row(*pools, batch, own) for pools in (store[::2], store[1::2]))
    times = q.shape[2] // k.shape[1]
    k, v = k.repeat_interleave(times, dim=1), v.repeat_interleave(times, dim=1)
    query = q.transpose(1, 2)
    return lambda: scaled_dot_product_attention(query, k, v).squeeze(2)


def _single_sequence(
    backend: SDPBackend | None, q: torch.Tensor, store: LayerStore, batch: DecodeBatch, own: int
) -> Rival:
    """Scaled dot-product attention over per-row keys, query heads grouped."""
    k, v = (_per_row(*pools, batch, own) for pools in (store[::2], store[1::2]))
    query, grouped = q.transpose(1, 2), q.shape[2] != k.shape[1]

    def run() -> torch.Tensor:
        with nullcontext() if backend is None else sdpa_kernel(backend):
            return scaled_dot_product_attention(query, k, v, enable_gqa=grouped).squeeze(2)

    return run


def _flash_attn(q: torch.Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Rival | None:
    """The split-key decode of the package flash_attn over per-row keys, or None where it is not installed."""
    if importlib.util.find_spec("flash_attn") is None:
        return None
    from flash_attn import flash_attn_with_kvcache

    k, v = (_per_row(*pools, batch, own).transpose(1, 2) for pools in (store[::2], store[1::2]))
    return lambda: flash_attn_with_kvcache(q, k, v).squeeze(1)


def _cascade(q: torch.Tensor, store: LayerStore, batch: DecodeBatch, own: int) -> Rival | None:
    """FlashInfer's two-level cascade over pages of 16 tokens, or None where it is not installed.

    Contexts and own lengths are rounded up to whole pages, whose tails it is told to ignore.
    """
    if importlib.util.find_spec("flashinfer") is None:
        return None
    import flashinfer

    kv_heads, _, width = store.k_shared.shape
    shared = [(s.start, s.length) for s in batch.segments]
    pages, first_page = [], [0]
    for start, length in shared:
        pages.append(_paged([pool[:, start : start + length] for pool in store[:2]]))
        first_page.append(first_page[-1] + len(pages[-1]))
    own_first = first_page[-1]
    for slot in batch.slots:
        pages.append(_paged([pool[slot, :, :own] for pool in store[2:]]))
    per_row = -(-own // _PAGE)
    device, int32 = q.device, torch.int32
    bounds = [*(s.row_start for s in batch.segments), batch.rows]
    wrapper = flashinfer.MultiLevelCascadeAttentionWrapper(
        2, torch.empty(_CASCADE_WORKSPACE, dtype=torch.uint8, device=device), "NHD"
    )
    wrapper.plan(
        [
            torch.tensor(bounds, dtype=int32, device=device),
            torch.arange(batch.rows + 1, dtype=int32, device=device),
        ],
        [
            torch.tensor(first_page, dtype=int32, device=device),
            torch.arange(batch.rows + 1, dtype=int32, device=device) * per_row,
        ],
        [
            torch.arange(own_first, dtype=int32, device=device),
            torch.arange(own_first, own_first + batch.rows * per_row, dtype=int32, device=device),
        ],
        [
            torch.tensor([(n - 1) % _PAGE + 1 for _, n in shared], dtype=int32, device=device),
            torch.full((batch.rows,), (own - 1) % _PAGE + 1, dtype=int32, device=device),
        ],
        q.shape[2],
        kv_heads,
        width,
        _PAGE,
        q_data_type=q.dtype,
    )
    cache, query = torch.cat(pages), q.squeeze(1)
    return lambda: wrapper.run(query, cache)


def _per_row(pool: torch.Tensor, mine: torch.Tensor, batch: DecodeBatch, own: int) -> torch.Tensor:
    rows = []
    for row, slot in enumerate(batch.slots):
        shared = [pool[:, s.start : s.start + s.length] for s in batch.chain(row)]
        rows.append(torch.cat([*shared, mine[slot, :, :own]], dim=1))
    return torch.stack(rows)


def _paged(keys_and_values: list[torch.Tensor]) -> torch.Tensor:
    # [G, tokens, D] twice to [pages, 2, 16, G, D]
    both = torch.stack([x.transpose(0, 1) for x in keys_and_values])
    tokens = both.shape[1]
    both = torch.nn.functional.pad(both, (0, 0, 0, 0, 0, -tokens % _PAGE))
    pages: torch.Tensor = both.unflatten(1, (-1, _PAGE))
    return pages.transpose(0, 1)
