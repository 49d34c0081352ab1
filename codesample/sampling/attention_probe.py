"""Does a model give the reference's logits when its attention runs over the KV store?

Some architectures ignore the attention setting without a word, some drop the argument that carries
the store, some have attention this toolkit does not compute. Rather than keep a list, each load runs
a prompt both ways, past the windows of those that have small ones. What only a longer prompt would show is
asked for: of masks, their own functions (see `layer_masks`), of the configuration, whether rotary frequencies
change with the longest sequence of a pass, and settings that nothing here knows (see `config_doubts`). The
reference is the model's eager attention, which defines it: others may leave out a soft cap.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import DecodeBatch, Segment, prepare_batch, stated_pattern
from codesample.policies.contract import PrefixPolicy
from codesample.policies.prefix_reads import PrefixReads
from codesample.sampling.attention_hook import (
    DecodeState,
    PrefillPiece,
    PrefillState,
    attached,
    detached,
    settle_on_eager,
)
from codesample.sampling.config_doubts import distances, doubts
from codesample.sampling.kv_store import KVShape, KVStore
from codesample.sampling.layer_masks import layer_shapes
from codesample.sampling.own_forward import OwnForward, rope_switch

__all__ = ["Probed", "probe_shared_path"]

_log = logging.getLogger("codesample.sampling")

_PROMPT, _TAIL, _ROWS = 19, 3, 2
# a window of more tokens is believed to be what the mask says: reading past it would take long
_LONGEST = 256
# norm of the difference over norm of the centred logits, worst position: rounding gives about 1e-6 in fp32
# and 1e-2 in bf16, a wrong mask or position 0.1 and up
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
# of two passes of the model's own code, which may compute in fp32 whatever the model's dtype
_ROUGH = 1e-3
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}


class Probed(NamedTuple):
    """What the probe found.

    Attributes:
        kv_shapes: Per layer, or () where the shared path does not serve the model.
        notice: Why not, or "".
        rope_switch: Most positions for which rotary frequencies are the same whatever else is in the pass;
            None where they always are.
        cached: Whether the model's own steps over its own cache give what a pass over all tokens gives.
    """

    kv_shapes: tuple[KVShape, ...]
    notice: str
    rope_switch: int | None = None
    cached: bool = True


@torch.inference_mode()
def probe_shared_path(model: PreTrainedModel, policy: PrefixPolicy | None = None) -> Probed:
    """Compare a prefill and decode steps over the KV store with the model's ordinary forward pass.

    Args:
        model: Which.
        policy: By which prompts are read. Default: all of them.

    Raises:
        ModelError: tokens see later ones, so that nothing can be sampled from the model.
    """
    config, name = model.config.get_text_config(), type(model).__name__
    switch = rope_switch(config)
    if model.config.is_encoder_decoder:
        return Probed((), f"{name} has an encoder", switch)
    ids = _probe_ids(model, _prompt_length(config, switch, policy.telling_tokens if policy else 0))
    expected = None
    try:
        expected = _reference(model, ids)
        shapes = _served_shapes(model, ids, expected, policy)
    except _NotServedError as reason:
        cached = expected is None or _steps_agree(model, ids, expected)
        return Probed((), f"{name} {reason}", switch, cached)
    return Probed(shapes, "", switch)


class _NotServedError(Exception):
    """Why the shared path does not serve a model, as the rest of a sentence about it."""


def _served_shapes(
    model: PreTrainedModel, ids: Tensor, expected: Tensor, policy: PrefixPolicy | None
) -> tuple[KVShape, ...]:
    """Return what each layer stores per token where the shared path serves the model.

    Raises:
        _NotServedError: it does not.
    """
    config = model.config.get_text_config()
    other = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
    if other:
        kinds = ", ".join(sorted(other))
        raise _NotServedError(f"has layers other than self-attention over all or recent tokens: {kinds}")
    if doubt := doubts(config, policy.computes if policy else ()):
        raise _NotServedError(f"may attend in a way that is not computed here: {doubt}")
    try:
        shapes = layer_shapes(model)
        with attached(model):
            got = _over_store(model, shapes, ids, policy)
    except ModelError as refused:
        raise _NotServedError(f"cannot be served from the shared store: {refused}") from refused
    except Exception as problem:
        raise _NotServedError(
            f"does not route its attention through transformers' interface ({_first_line(problem)})"
        ) from problem
    error = _relative_error(got, expected[:, -got.shape[1] :])
    if not error <= _TOLERANCE[model.dtype]:
        raise _NotServedError(f"gives other logits over the shared store (relative error {error:.1e})")
    return shapes


def _prompt_length(config: Any, switch: int | None, telling: int) -> int:
    small = [n for n in distances(config) if n <= _LONGEST]
    longest = max(2 * _LONGEST, telling + _TAIL)
    most = min(n for n in (switch, getattr(config, "max_position_embeddings", None), longest) if n)
    return max(1, min(max([_PROMPT, telling, *(n + _TAIL for n in small)]), most - _TAIL))


def _probe_ids(model: PreTrainedModel, prompt: int) -> Tensor:
    """Return one prompt with a tail of its own for each row, [R, S]."""
    vocabulary = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (_ROWS, prompt + _TAIL), generator=generator).to(model.device)
    ids[:, :prompt] = ids[0, :prompt]
    return ids


def _reference(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """Return the logits at every token, [R, S, V], of the model's own attention, or of what defines it.

    Raises:
        ModelError: those of a prefix depend on what follows.
        _NotServedError: the model cannot read plain tokens.
    """
    tolerance = max(_TOLERANCE[model.dtype], _ROUGH)
    try:
        logits = _own_logits(model, ids)
        inner = model.config._attn_implementation
        with suppress(ModelError), attached(model, "eager"):
            eager = model(ids, use_cache=False).logits
            if _relative_error(logits, eager) > tolerance:
                _log.warning(
                    "%s: attention %r leaves out a part of the model's; its own passes use 'eager'",
                    type(model).__name__,
                    inner,
                )
                settle_on_eager(model)
                logits = eager
        prefix = _own_logits(model, ids[:, :-_TAIL])
    except Exception as problem:
        raise _NotServedError(f"does not read plain tokens ({_first_line(problem)})") from problem
    error = _relative_error(prefix, logits[:, : prefix.shape[1]])
    # logits that are no numbers are told of where they are drawn from
    if error > tolerance:
        raise ModelError(
            f"{type(model).__name__} lets tokens see later ones: a text's logits change with what follows "
            f"it (relative error {error:.1e}); nothing can be sampled from it token by token"
        )
    return logits


def _own_logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    with detached(model):
        logits: Tensor = model(ids, use_cache=False).logits
    return logits


def _steps_agree(model: PreTrainedModel, ids: Tensor, expected: Tensor) -> bool:
    """Tell whether the model's own steps over its own cache give the logits of a pass over all tokens."""
    try:
        got = torch.stack(list(_own_steps(model, ids)), dim=1)
    except Exception:
        return False
    return _relative_error(got, expected[:, -got.shape[1] :]) <= max(_TOLERANCE[model.dtype], _ROUGH)


def _own_steps(model: PreTrainedModel, ids: Tensor) -> Iterator[Tensor]:
    forward, rows = OwnForward(model), ids.tolist()
    prompt = ids.shape[1] - _TAIL
    yield forward.begin(rows[0][:prompt]).expand(_ROWS, -1)
    forward.pick(torch.zeros(_ROWS, dtype=torch.int64, device=ids.device))
    for end in range(prompt + 1, ids.shape[1] + 1):
        yield forward.step([tuple(row[:end]) for row in rows])


def _relative_error(got: Tensor, expected: Tensor) -> float:
    got, expected = got.double(), expected.double()
    centred = expected - expected.mean(dim=-1, keepdim=True)
    return float(((got - expected).norm(dim=-1) / centred.norm(dim=-1).clamp(min=1e-6)).amax())


def _first_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0][:120]


def _over_store(
    model: PreTrainedModel, shapes: tuple[KVShape, ...], ids: Tensor, policy: PrefixPolicy | None
) -> Tensor:
    device, prompt = model.device, ids.shape[1] - _TAIL
    store = KVStore(
        shapes, shared_tokens=prompt, rows=_ROWS, row_tokens=_TAIL, dtype=model.dtype, device=device
    )
    positions = torch.arange(prompt, device=device)[None]
    ranges, reads = [(0, prompt)], PrefixReads(policy, store.layers) if policy else None
    tails = reads.tails(ranges) if reads else None
    pattern = stated_pattern(vars(model.config.get_text_config()))
    state = PrefillState(
        store.layers, [PrefillPiece(0, prompt, (), 0, 0, prompt)], tails=tails, pattern=pattern
    )
    last = _forward(model, ids[:1, :prompt], positions, state)[:, -1:]
    logits = [last.expand(_ROWS, 1, -1)]
    segment = Segment(start=0, length=prompt, row_start=0, row_stop=_ROWS, position=0)
    batch = DecodeBatch.build([segment], slots=range(_ROWS), own_starts=[prompt] * _ROWS)
    prepared = prepare_batch(batch, device)
    if reads is not None and tails is not None:
        reads.prepare(ranges, tails)
        prepared = prepare_batch(reads.lay_out(batch, ranges), device, selection=reads)
    for step in range(_TAIL):
        lens = torch.full((_ROWS,), step, dtype=torch.int32, device=device)
        at = torch.full((_ROWS, 1), prompt + step, device=device)
        logits.append(
            _forward(model, ids[:, prompt + step, None], at, DecodeState(store.layers, prepared, lens))
        )
    return torch.cat(logits, dim=1)


def _forward(
    model: PreTrainedModel, ids: Tensor, positions: Tensor, state: PrefillState | DecodeState
) -> Tensor:
    output: Any = model(input_ids=ids, position_ids=positions, use_cache=False, codesample_kv=state)
    logits: Tensor = output.logits
    return logits
