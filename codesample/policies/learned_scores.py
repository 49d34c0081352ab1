"""Scores that a checkpoint gives its tokens by weights of its own: where they are, and what they are of."""

from __future__ import annotations

import re
from typing import NamedTuple

from torch import Tensor

from codesample.policies.contract import ModelFacts

__all__ = ["LOOKED_FOR", "Scorer", "learned_scorers"]

LOOKED_FOR = "'...layers.N.MODULE.w_s' or '...layers.N.MODULE.w_s.weight', [KV heads, hidden width]"

_NAME = re.compile(r"(?P<module>.*\.(?:layers|h|blocks)\.(?P<layer>\d+)\.[^.]+)\.w_s(?:\.weight)?")


class Scorer(NamedTuple):
    """One layer's weights [G, hidden width], and the module whose input they are of."""

    module: str
    weights: Tensor


def learned_scorers(facts: ModelFacts) -> dict[int, Scorer]:
    """Return by layer what scores its tokens; {} unless all layers have it, of the right shape."""
    heads, hidden = facts.config.get("num_key_value_heads"), facts.config.get("hidden_size")
    layers = facts.config.get("num_hidden_layers")
    heads = heads or facts.config.get("num_attention_heads")
    found = {}
    for name, tensor in facts.tensors.items():
        place = _NAME.fullmatch(name)
        if place is not None and tuple(tensor.shape) == (heads, hidden):
            found[int(place["layer"])] = Scorer(place["module"], tensor)
    return found if sorted(found) == list(range(layers or 0)) and found else {}
