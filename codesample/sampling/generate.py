"""`model.generate(..., custom_generate=codesample.bifurcated_generate)`: the same call, the prompt read once.

Prompts, processors, stopping criteria and the shape of the result are those of transformers; what
changes is that rows with the same prompt share its keys and values, and that rows which have ended
are not computed any more.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.generation.utils import GenerateDecoderOnlyOutput

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import DecodeBatch, PreparedBatch, Segment, prepare_batch
from codesample.sampling.attention_hook import DecodeState, attached, detached
from codesample.sampling.generation_modes import refuse_other_modes
from codesample.sampling.kv_store import KVStore
from codesample.sampling.model_state import ModelState, state_of
from codesample.sampling.packed_weights import multiplying
from codesample.sampling.prefill import SegmentTokens, prefill

__all__ = ["bifurcated_generate", "decode_shared"]

# own tokens per row by which the store grows: copying it so seldom costs next to nothing beside the steps
_GROWTH = 256
# what `generate` prepares for every prompt, and what follows from input_ids and attention_mask anyway
_IMPLIED = {
    "attention_mask",
    "cache",
    "cache_position",
    "logits_to_keep",
    "past_key_values",
    "position_ids",
    "use_cache",
}

_log = logging.getLogger("codesample.sampling")


@torch.no_grad()
def bifurcated_generate(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    streamer: Any = None,
    **model_kwargs: Any,
) -> Tensor | GenerateDecoderOnlyOutput:
    """Greedy decoding or sampling with shared prompts; give it to `generate` as `custom_generate`.

    Args:
        model, input_ids, logits_processor, stopping_criteria, generation_config: As `generate` prepares
            them: input_ids [B, S], left-padded where prompts differ in length, each prompt repeated for
            each of its sequences.
        streamer: As for `generate`, which keeps its own from a `custom_generate` (transformers 5.23).
        **model_kwargs: What else `generate` prepares; of these only `attention_mask` is used, and what does
            not follow from it and `input_ids` is refused.

    Returns: what `generate` returns: sequences [B, S + new], or `GenerateDecoderOnlyOutput`. Scores and
        logits of rows that have ended are 0.

    Raises:
        ParameterError: beam search, inputs other than token ids and their mask, or hidden states and
            attentions asked for.
    """
    return decode_shared(
        model,
        input_ids,
        logits_processor,
        stopping_criteria,
        generation_config,
        streamer,
        model_kwargs,
        instead="call generate without custom_generate",
    )


@torch.no_grad()
def decode_shared(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    streamer: Any,
    model_kwargs: dict[str, Any],
    *,
    instead: str,
) -> Tensor | GenerateDecoderOnlyOutput:
    """Do what `bifurcated_generate` does; `instead` is what serves whoever is refused, for messages."""
    refuse_other_modes(
        lambda name: None if name == "past_key_values" else getattr(generation_config, name, None),
        caller="this",
        instead=instead,
    )
    if model.config.is_encoder_decoder or not input_ids.shape[1]:
        raise ParameterError(
            f"expected a decoder alone and token ids; {instead} for encoder-decoders or embeddings"
        )
    state = state_of(model)
    generation = state.renew()
    shapes, switch = state.probed.kv_shapes, state.probed.rope_switch
    if not shapes or (switch is not None and generation_config.max_length > switch):
        kind: Any = type(model)
        ordinary: Callable[..., Tensor | GenerateDecoderOnlyOutput] = kind._sample
        with detached(model):
            return ordinary(
                model,
                input_ids,
                logits_processor=logits_processor,
                stopping_criteria=stopping_criteria,
                generation_config=generation_config,
                streamer=streamer,
                **model_kwargs,
            )
    left_out = next(_left_out(input_ids, model_kwargs, generation_config), None)
    if left_out is not None:
        raise ParameterError(f"{left_out}: this is not used here; {instead} for it")
    rows = _Generation(state, input_ids, model_kwargs.get("attention_mask"), generation_config)
    result = rows.run(logits_processor, stopping_criteria, streamer)
    if state.renew(thorough=False) != generation:
        _log.warning("the model was changed while it generated: its sequences are of several states of it")
    return result


def _left_out(ids: Tensor, model_kwargs: dict[str, Any], config: GenerationConfig) -> Iterator[str]:
    """Yield the names of what was given or asked for and `generate` would heed."""
    yield from (name for name, value in model_kwargs.items() if value is not None and name not in _IMPLIED)
    if config.return_dict_in_generate:
        yield from (name for name in ("output_attentions", "output_hidden_states") if getattr(config, name))
    stored, newer, mask, positions = (
        model_kwargs.get(n) for n in ("past_key_values", "cache", "attention_mask", "position_ids")
    )
    if any(each is not None and each.get_seq_length() for each in (stored, newer)):
        yield "past_key_values"
    kept = torch.ones_like(ids) if mask is None else mask
    if positions is not None and ((positions - kept.cumsum(-1) + 1) * kept).any():
        yield "position_ids"


class _Generation:
    """Rows in lockstep: every live row draws one token per step."""

    def __init__(
        self,
        state: ModelState,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        config: GenerationConfig,
    ) -> None:
        model = state.model
        self._state, self._model, self._packed = state, model, state.packed
        self._config, self._ids = config, input_ids
        self._steps = max(1, config.max_length - input_ids.shape[1])
        self._prompts = _prompts(input_ids, attention_mask)
        self._rows_of = _runs(self._prompts)
        prompts = [self._prompts[begin] for begin, _ in self._rows_of]
        self._store = KVStore(
            state.probed.kv_shapes,
            shared_tokens=sum(map(len, prompts)),
            rows=len(input_ids),
            row_tokens=min(self._steps, _GROWTH),
            dtype=model.dtype,
            device=model.device,
        )
        self._segments = [
            SegmentTokens(ids, start) for ids, start in zip(prompts, self._starts(prompts), strict=True)
        ]
        self._live = torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        self._prepared: PreparedBatch | None = None
        self._own_starts = torch.empty(0)

    def run(
        self, processors: LogitsProcessorList, criteria: StoppingCriteriaList, streamer: Any
    ) -> Tensor | GenerateDecoderOnlyOutput:
        # transformers annotates with tensor subclasses that nothing ever makes
        ids: Any = self._ids
        config = self._config
        scores: list[Any] | None = [] if config.return_dict_in_generate and config.output_scores else None
        raw: list[Any] | None = [] if config.return_dict_in_generate and config.output_logits else None
        # one that holds the model calls it itself, as guidance does
        aside = [each for each in (*processors, *criteria, streamer) if each is not None]
        calls_out = any(hasattr(e, "model") or "transformers" not in type(e).__module__ for e in aside)
        # as with `generate`, rows are padded behind their end where tokens can end them, and go on otherwise
        self._pads = any(hasattr(each, "eos_token_id") for each in criteria)
        unfinished = torch.ones_like(self._live)
        with attached(self._model):
            logits = self._prefill()
        self._state.settle()
        with multiplying(self._model, self._packed):
            for step in range(self._steps):
                with detached(self._model) if calls_out else nullcontext():
                    changed = processors(ids, logits.clone())
                    if scores is not None:
                        scores.append(changed)
                    if raw is not None:
                        raw.append(logits)
                    tokens = self._choose(changed)
                    ids = torch.cat([ids, tokens[:, None]], dim=-1)
                    ended = unfinished & criteria(ids, None if scores is None else tuple(scores))
                    if streamer is not None:
                        streamer.put(tokens.cpu())
                if ended.any():
                    unfinished = unfinished & ~ended
                    if self._pads:
                        self._live, self._prepared = unfinished, None
                if not unfinished.any() or step + 1 == self._steps:
                    break
                logits = self._step(tokens, step)
        if streamer is not None:
            streamer.end()
        sequences: Tensor = ids
        if not config.return_dict_in_generate:
            return sequences
        return GenerateDecoderOnlyOutput(
            sequences=ids,
            scores=None if scores is None else tuple(scores),
            logits=None if raw is None else tuple(raw),
        )

    def _starts(self, prompts: Sequence[tuple[int, ...]]) -> list[int]:
        starts = [self._store.pool.take(len(ids)) for ids in prompts]
        return [start for start in starts if start is not None]

    def _prefill(self) -> Tensor:
        logits = prefill(self._model, self._store, self._segments).float()
        sizes = torch.tensor([end - begin for begin, end in self._rows_of], device=logits.device)
        return logits.repeat_interleave(sizes, dim=0).to(self._ids.device)

    def _choose(self, scores: Tensor) -> Tensor:
        if self._config.do_sample:
            tokens = torch.multinomial(scores.softmax(-1), 1)[:, 0]
        else:
            tokens = scores.argmax(-1)
        pad: Any = self._config._pad_token_tensor
        return torch.where(self._live, tokens, pad.to(tokens.device)) if self._pads else tokens

    def _step(self, tokens: Tensor, step: int) -> Tensor:
        """Return the next logits, [B, V] float32, 0 for rows that have ended."""
        device = self._model.device
        live = self._live.nonzero()[:, 0]
        if step == self._store.row_tokens:
            self._store.grow(row_tokens=min(self._steps, step + _GROWTH))
            self._prepared = None
        if self._prepared is None:
            self._prepared = self._prepare(live.tolist())
            self._own_starts = torch.tensor(self._prepared.batch.own_starts, device=device)
        lens = torch.full((len(live),), step, dtype=torch.int32, device=device)
        state = DecodeState(self._store.layers, self._prepared, lens)
        new = self._model(
            input_ids=tokens[live, None].to(device),
            position_ids=(self._own_starts + step)[:, None],
            use_cache=False,
            codesample_kv=state,
        ).logits[:, -1]
        logits = torch.zeros(len(tokens), new.shape[-1], device=tokens.device)
        logits[live] = new.float().to(tokens.device)
        return logits

    def _prepare(self, live: Sequence[int]) -> PreparedBatch:
        segments, row = [], 0
        for (begin, end), stored in zip(self._rows_of, self._segments, strict=True):
            count = sum(begin <= i < end for i in live)
            if count:
                segments.append(Segment(stored.start, len(stored.ids), row, row + count, 0))
            row += count
        starts = [len(self._prompts[i]) for i in live]
        batch = DecodeBatch.build(segments, slots=live, own_starts=starts)
        return prepare_batch(batch, self._model.device)


def _prompts(input_ids: Tensor, attention_mask: Tensor | None) -> list[tuple[int, ...]]:
    if attention_mask is None:
        return [tuple(row) for row in input_ids.tolist()]
    pairs = zip(input_ids.tolist(), attention_mask.tolist(), strict=True)
    prompts = [tuple(token for token, kept in zip(*pair, strict=True) if kept) for pair in pairs]
    if () in prompts:
        raise ParameterError(
            f"attention_mask: row {prompts.index(())} keeps no token; expected one at least in each row"
        )
    return prompts


def _runs(prompts: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return (begin, end) of each run of equal neighbours."""
    borders = [0, *(i for i in range(1, len(prompts)) if prompts[i] != prompts[i - 1]), len(prompts)]
    return list(itertools.pairwise(borders))
