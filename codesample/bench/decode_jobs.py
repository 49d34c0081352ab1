"""Whole sampling jobs, method beside method; what a method draws is checked before its speed is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.bench.decode_methods import METHODS
from codesample.bench.decode_steps import TOLERANCES
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.memory_use import PeakMemory, lack_of_memory
from codesample.bench.rounds import Rounds
from codesample.bench.timing import now
from codesample.bench.workloads import Workload
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.kv_store import token_bytes

__all__ = ["OURS", "measure_job"]

OURS = "codesample"
"""The method that all are compared with."""

# enough that rows of several prompts decode together in every method
_CHECKED_ROWS, _CHECKED_TOKENS = 4, 6


def measure_job(
    model: PreTrainedModel, workload: Workload, *, methods: Sequence[str], repeats: int
) -> Iterator[Measurement]:
    """Run a workload with each method in turn, `repeats` times, and yield the figures of each method.

    Yields:
        "method" with seconds (median), tokens per second, seconds to the first token (least), peak memory
        above what was held before in MiB (most), and how many times faster codesample was, None without
        it; or "method" with "refused".
    """
    job = _Job(model, workload, workload.prompts(model.config.get_text_config().vocab_size))
    runs: dict[str, list[_Run]] = {method: [] for method in methods}
    rounds = Rounds()
    for method in methods:
        if refusal := job.refusal(method):
            rounds.leave_out(method, refusal)
    for _ in range(repeats):
        for method in (method for method in methods if method not in rounds.left_out):
            try:
                run = job.run(method)
            except Exception as error:
                rounds.leave_out(method, reason_of(error))
            else:
                rounds.add(method, run.seconds)
                runs[method].append(run)
    seconds = rounds.medians()
    for method in methods:
        if method in rounds.left_out:
            yield {"method": method, "refused": rounds.left_out[method]}
            continue
        ratio = round(seconds[method] / seconds[OURS], 2) if OURS in seconds else None
        yield {
            "method": method,
            "seconds": round(seconds[method], 3),
            "tokens_per_second": round(job.tokens / seconds[method], 1),
            "first_token_seconds": round(min(run.first for run in runs[method]), 3),
            "peak_extra_mib": round(max(run.peak for run in runs[method]) / 2**20, 1),
            "codesample_is_faster_by": ratio,
        }


def _untimed_rows(n: int, device: torch.device) -> int:
    return n if device.type == "cuda" else min(n, _CHECKED_ROWS)


class _Run(NamedTuple):
    # seconds in all and to the first token; peak of memory above what was held before, in bytes
    seconds: float
    first: float
    peak: int


@dataclass(frozen=True)
class _Job:
    model: PreTrainedModel
    workload: Workload
    prompts: Sequence[Sequence[int]]

    @property
    def tokens(self) -> int:
        return len(self.prompts) * self.workload.n * self.workload.new

    def run(self, method: str) -> _Run:
        device, n, new = self.model.device, self.workload.n, self.workload.new
        with PeakMemory(device) as memory:
            begun = now(device)
            drawn = METHODS[method](self.model, self.prompts, n, new, False)
            seconds = now(device) - begun
        assert all(tokens.shape == (n, new) for tokens in drawn.tokens), f"{method} drew too little"
        return _Run(seconds, drawn.first, memory.peak)

    def refusal(self, method: str) -> str:
        """Return why no speed of `method` may be shown; "" where its greedy tokens are right.

        Checked are a few candidates of every prompt, drawn as the timed ones are, all in one call. On a GPU
        as many are drawn as will be, so that all is compiled for batches of that size before the clock runs.
        """
        if method != OURS and (
            lack := lack_of_memory(self._bytes_without_sharing(method), self.model.device)
        ):
            return lack
        n = _untimed_rows(self.workload.n, self.model.device)
        try:
            drawn = METHODS[method](self.model, self.prompts, n, _CHECKED_TOKENS, True).tokens
            return self._wrong_tokens(drawn, n)
        except Exception as error:
            return reason_of(error)

    def _bytes_without_sharing(self, method: str) -> int:
        """Keys and values of rows that share nothing, and half as much for what is computed beside them."""
        tokens = [self.workload.n * (len(prompt) + self.workload.new) for prompt in self.prompts]
        together = sum(tokens) if method == "generate_batch" else max(tokens)
        return together * token_bytes(probe_shared_path(self.model).kv_shapes, self.model.dtype) * 3 // 2

    @torch.inference_mode()
    def _wrong_tokens(self, drawn: Sequence[Tensor], n: int) -> str:
        """Return what is wrong with greedy tokens: "" if each is the likeliest behind those before it.

        Judged by the model's plain forward pass. Rounding moves single logits by up to five times what it
        moves their norm by, so a token may miss the largest by twice the tolerance each way.
        """
        model = self.model
        for prompt, rows in zip(self.prompts, drawn, strict=True):
            if rows.shape != (n, _CHECKED_TOKENS):
                return f"{list(rows.shape)} tokens for [{n}, {_CHECKED_TOKENS}]"
            for row in rows.to(model.device).unique(dim=0):
                ids = torch.tensor([[*prompt, *row[:-1].tolist()]], device=model.device)
                logits = model(ids, use_cache=False, logits_to_keep=len(row)).logits[0].float()
                missed = (logits.amax(-1) - logits.gather(-1, row[:, None])[:, 0]).amax()
                if missed > 4 * TOLERANCES[model.dtype] * logits.square().mean().sqrt():
                    return f"greedy tokens are not the likeliest: a logit is {float(missed):.2g} too small"
        return ""
