"""Listens to a prefill for the scores that a checkpoint's own weights give its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.policies.learned_scores import Scorer
from codesample.policies.prompt_tails import PromptTails
from codesample.sampling.attention_hook import PrefillState

__all__ = ["listening"]


@contextmanager
def listening(model: PreTrainedModel, scorers: Mapping[int, Scorer], tails: PromptTails) -> Iterator[None]:
    """Tell `tails` of the scores of all tokens that run through the modules meanwhile.

    Args:
        model: That is run over a `PrefillState`.
        scorers: By layer; nothing is done without any.
        tails: Who is told.

    Raises:
        ModelError: a module is called without hidden states that its weights fit.
    """
    with ExitStack() as hooks:
        for layer, scorer in scorers.items():
            module = model.get_submodule(scorer.module)
            hear = partial(_hear, layer, scorer, tails)
            hooks.callback(module.register_forward_pre_hook(hear, with_kwargs=True).remove)
        yield


def _hear(
    layer: int,
    scorer: Scorer,
    tails: PromptTails,
    module: torch.nn.Module,
    given: tuple[Any, ...],
    named: dict[str, Any],
) -> None:
    state, hidden = named.get("codesample_kv"), named.get("hidden_states", given[0] if given else None)
    if not isinstance(state, PrefillState):
        return
    if not isinstance(hidden, torch.Tensor) or hidden.shape[-1] != scorer.weights.shape[1]:
        raise ModelError(f"{scorer.module} has scores of its own, but is given no hidden states to score")
    # those of now: the scorer's may have been replaced since it was found
    weights: Any = getattr(module.w_s, "weight", module.w_s)
    # [G, T], in the precision that thresholds need
    scores = (hidden[0].double() @ weights.double().T).T
    for piece in state.pieces:
        tails.hear_scores(piece.start, layer, scores[:, piece.begin : piece.end])
