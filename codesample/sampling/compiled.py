"""A model's decode step through `torch.compile`; attention stays the call that it is."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.decode_step import Forward
from codesample.sampling.sharded.ranks import ranks_of

__all__ = ["compiled"]


def compiled(model: PreTrainedModel, *, anew: bool = False) -> Forward:
    """Return the model's forward pass, compiled when it is first called; any number of rows is one program.

    Args:
        model: In evaluation mode.
        anew: Forget every program of this process: those of the model as it was do not notice new hooks.

    Raises:
        ModelError: the model is divided among processes; by the call, where it or this machine's compiler
            does not serve.
    """
    if ranks_of(model) is not None:
        raise ModelError("step='compiled': the model is divided among processes; leave compile off")
    if anew:
        torch.compiler.reset()
    run = torch.compile(model, dynamic=True)

    def forward(**inputs: Any) -> Any:
        try:
            return run(**inputs)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"the model cannot be compiled here: {reason}; leave compile off") from error

    return forward
