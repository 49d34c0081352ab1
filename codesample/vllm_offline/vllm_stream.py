"""One call to vLLM: requests go in as there is room, tokens come out, and candidates are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.engines.candidate_seeds import candidate_seed
from codesample.engines.contract import Progress
from codesample.errors import CodesampleError, ModelError
from codesample.records import Candidate, SamplingParams
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.prompts import Prompt
from codesample.sampling.rows import Row
from codesample.sampling.stopping import special_stops
from codesample.sampling.text import TextStream
from codesample.sampling.token_decoder import TokenDecoder
from codesample.sampling.token_sampler import refuse_nan
from codesample.stops import words_in
from codesample.vllm_offline.step_desk import Outputs, StepDesk
from codesample.vllm_offline.vllm_library import one_line_of

__all__ = ["Call", "drawn"]

# vLLM's seeds are signed numbers of 64 bits
_SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class Call:
    """What all candidates of a call have in common.

    Attributes:
        vllm: The library.
        checkpoint: Whose tokenizer makes texts of tokens, and whose ends end them.
        params: As asked for.
        fields: See `drawn_with`.
        known: See `known_fields`.
        at_once: Most requests that vLLM holds of one call.
        rows: How many tokens the model has.
    """

    vllm: Any
    checkpoint: Checkpoint
    params: SamplingParams
    fields: Mapping[str, Any]
    known: Mapping[str, float | None]
    at_once: int
    rows: int


def drawn(
    desk: StepDesk, prompts: Sequence[Prompt], call: Call, progress: Progress | None
) -> Iterator[Candidate]:
    """Yield the candidates of prompts as they finish; closing this gives up what is under way.

    Raises:
        ModelError: vLLM failed, or ended a request that is not at its end.
    """
    outputs, rows = Outputs(), dict[str, Row]()
    waiting = _Waiting(prompts, call)
    try:
        while True:
            try:
                while len(rows) < call.at_once and (begun := next(waiting, None)) is not None:
                    rows[desk.add(begun.prompt, begun.params, outputs)] = begun.row
                if not rows:
                    return
                if not desk.step(outputs):
                    raise ModelError(f"{call.checkpoint.name}: vLLM lost {len(rows)} requests")
            except CodesampleError:
                raise
            except Exception as error:
                said = f"{type(error).__name__}: {one_line_of(error)}"
                raise ModelError(f"{call.checkpoint.name}: vLLM failed: {said}") from error
            yield from _finished(desk, outputs, rows, call, progress)
    finally:
        desk.drop(list(rows))


def _finished(
    desk: StepDesk, outputs: Outputs, rows: dict[str, Row], call: Call, progress: Progress | None
) -> Iterator[Candidate]:
    """Take what has come, and yield what ends with it."""
    count, done, fault = 0, [], ""
    while outputs:
        output = outputs.popleft()
        name = output.request_id
        if name not in rows:
            continue
        (completion,) = output.outputs
        count += len(completion.token_ids)
        candidate = _taken(rows[name], completion, call)
        if candidate is not None:
            del rows[name]
            if not output.finished:
                # a stop in its text, which vLLM knows nothing of
                desk.drop([name])
            done.append(candidate)
        elif output.finished:
            del rows[name]
            fault = f"finish_reason {completion.finish_reason!r}, stop_reason {completion.stop_reason!r}"
    if progress is not None and count:
        progress(count)
    yield from done
    if fault:
        raise ModelError(f"{call.checkpoint.name}: vLLM ended a request early: {fault}")


def _taken(row: Row, completion: Any, call: Call) -> Candidate | None:
    """Give a row the tokens that have come; return the candidate that it is with them, once it is one."""
    told = completion.logprobs or ()
    for number, token in enumerate(completion.token_ids):
        value = told[number][token].logprob
        known = [value if fixed is None else fixed for fixed in call.known.values()]
        refuse_nan(call.checkpoint.name, call.checkpoint.model.dtype, known)
        if (candidate := row.push(token, *known)) is not None:
            return candidate
    return None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request for vLLM, and the candidate that comes of it."""

    prompt: Any
    params: Any
    row: Row


class _Waiting(Iterator[_Begun]):
    """Makes the requests of a call one by one, in the order of prompts: those of one share its prefix."""

    def __init__(self, prompts: Sequence[Prompt], call: Call) -> None:
        self._call, self._decode = call, TokenDecoder(call.checkpoint.tokenizer)
        self._special = special_stops(call.checkpoint.tokenizer, call.params.stop)
        self._keys = ((prompt, index) for prompt in prompts for index in prompt.indices)

    def __next__(self) -> _Begun:
        prompt, index = next(self._keys)
        call, checkpoint = self._call, self._call.checkpoint
        ids = checkpoint.chat_ends if prompt.chat else checkpoint.eos_ids
        ends: dict[int, str | None] = {**self._special, **dict.fromkeys(ids)}
        # an answer holds prose and whole programs
        words = words_in(call.params.stop) if prompt.chat else ()
        stops = tuple(stop for stop in call.params.stop if stop not in words)
        row = Row(
            prompt.task_id,
            index,
            prompt_ids=prompt.ids,
            key=0,
            text=TextStream(self._decode, prompt.ids, stops),
            ends=ends,
            limit=prompt.limit,
            known=tuple(call.known),
        )
        params = call.vllm.SamplingParams(
            **call.fields,
            seed=candidate_seed(call.params.seed, prompt.task_id, index, bits=_SEED_BITS),
            max_tokens=prompt.limit,
            stop_token_ids=sorted(token for token in ends if token < call.rows),
            ignore_eos=True,
            detokenize=False,
            logprobs=0,
            output_kind=call.vllm.sampling_params.RequestOutputKind.DELTA,
            # it is this request's alone
            skip_clone=True,
        )
        return _Begun(call.vllm.inputs.tokens_input(list(prompt.ids)), params, row)
