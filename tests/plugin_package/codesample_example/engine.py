"""An engine that gives answers from a file, in turn; a token is a letter."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from codesample import Candidate, Engine, FinishReason, ModelOptions, Reproducibility, Request, SamplingParams
from codesample.engines.contract import Progress
from codesample.errors import ModelError, ParameterError

__all__ = ["Scripted", "open_scripted"]

_HONOURED = frozenset({"max_new_tokens", "seed", "stop"})


def open_scripted(rest: str, options: ModelOptions) -> Engine:
    """Gives answers from a file, in turn: `--model scripted:FILE.json`.

    Args:
        rest: What stands behind `scripted:`, the file.
        options: Other options of a model; there is none that this engine knows.

    Raises:
        ModelError: the file cannot be read, or holds something else than lists of answers.
        ParameterError: an option is set.
    """
    options.expect_only((), engine="scripted")
    return Scripted(Path(rest))


class Scripted:
    """Candidate i of a problem is its answer number seed + i, counted round and round.

    Args:
        path: JSON, the answers by task id.

    Attributes:
        name: As on the command line.
        abilities: Log-probabilities, those of drawing one of the problem's answers at random.
        reproducibility: Exact: a candidate depends on the seed, its problem and its index alone.

    Raises:
        ModelError: the file cannot be read, or holds something else than lists of answers.
    """

    abilities = frozenset({"logprobs"})
    reproducibility = Reproducibility.EXACT

    def __init__(self, path: Path) -> None:
        self.name = f"scripted:{path}"
        self._path = path
        try:
            content = path.read_bytes()
            self._answers = msgspec.json.decode(content, type=dict[str, list[str]])
        except (OSError, msgspec.MsgspecError) as error:
            raise ModelError(f"{path}: holds no answers by task id: {error}") from error
        self._digest = hashlib.sha256(content).hexdigest()

    def stream(
        self, requests: Sequence[Request], params: SamplingParams, *, progress: Progress | None = None
    ) -> Iterator[Candidate]:
        """Yield every candidate asked for; see `codesample.Engine`.

        Raises:
            ParameterError: messages in place of a text; a parameter other than the seed, stops and the limit
                of tokens is set; a problem without answers; a candidate asked for twice, or of an index
                below 0.
        """
        for each in fields(params):
            value = getattr(params, each.name)
            if each.name not in _HONOURED and value != each.default:
                raise ParameterError(f"{each.name} = {value!r}: answers are given in turn; leave it out")
        if not all(isinstance(request.prompt, str) for request in requests):
            raise ParameterError("answers are given to texts; it takes no messages")
        keys = [(request.task_id, index) for request in requests for index in request.indices]
        for task_id, index in keys:
            if not self._answers.get(task_id):
                raise ParameterError(f"{self._path}: holds no answer to {task_id!r}")
            if index < 0:
                raise ParameterError(f"{task_id}, candidate {index}: expected an index of at least 0")
        if len(set(keys)) < len(keys):
            raise ParameterError("a candidate is asked for twice")
        # all is checked by now: a generator would begin only when the first candidate is asked for
        return self._write(keys, params, progress)

    def describe(self) -> dict[str, Any]:
        """Return what a run records; with another checksum it cannot be resumed."""
        return {"name": self.name, "file": str(self._path.resolve()), "checkpoint": f"sha256:{self._digest}"}

    def _write(
        self, keys: Sequence[tuple[str, int]], params: SamplingParams, progress: Progress | None
    ) -> Iterator[Candidate]:
        for task_id, index in keys:
            candidate = _candidate(task_id, index, self._answers[task_id], params)
            if progress is not None:
                progress(len(candidate.completion))
            yield candidate


def _candidate(task_id: str, index: int, answers: Sequence[str], params: SamplingParams) -> Candidate:
    answer = answers[(params.seed + index) % len(answers)]
    text = answer[: params.token_limit]
    reason = FinishReason.EOS if text == answer else FinishReason.LENGTH
    stop = min((each for each in params.stop if each in text), key=text.index, default=None)
    if stop is not None:
        text, reason = text.partition(stop)[0], FinishReason.STOP
    return Candidate(
        task_id=task_id,
        index=index,
        completion=text,
        token_ids=tuple(map(ord, text)),
        logprobs=_logprobs(text, answers),
        finish_reason=reason,
        stop=stop,
    )


def _logprobs(text: str, answers: Sequence[str]) -> tuple[float, ...]:
    """Return, for each letter, the logarithm of its share among the answers that agree so far."""
    agree = [sum(each.startswith(text[:end]) for each in answers) for end in range(len(text) + 1)]
    return tuple(math.log(after / before) for before, after in pairwise(agree))
