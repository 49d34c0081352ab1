"""Linear layers that read the same rows, multiplied as one: one pass over the rows, one larger product.

Models ask for a layer's query, key and value, and for gate and up, one after the other with the same input.
The first of them that is asked computes all; the others take their columns of it, as long as they come with
the same input.
"""

from __future__ import annotations

from collections.abc import Collection

import torch.nn.functional as F
from torch import Tensor, nn

from codesample.sampling.bf16_matmul import Multiplied

__all__ = ["JoinedProduct", "groups_of"]

# names in the order in which models ask
_ASKED_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
# of the first product, how far a column may be from the layer's own; 8 bits are within a tenth
_FAR = 0.25


def groups_of(model: nn.Module, layers: Collection[nn.Linear]) -> list[tuple[nn.Linear, ...]]:
    """Return all of `layers`, each once: those that a module asks for together in one group.

    Args:
        model: Theirs.
        layers: In any order.
    """
    known, found = set(layers), dict[nn.Linear, tuple[nn.Linear, ...]]()
    for module in model.modules():
        for names in _ASKED_TOGETHER:
            asked = [getattr(module, name, None) for name in names]
            group = tuple(each for each in asked if each in known and each not in found)
            if len(set(group)) == len(names) and len({each.in_features for each in group}) == 1:
                found |= dict.fromkeys(group, group)
    return list(dict.fromkeys(found.get(each, (each,)) for each in layers))


class JoinedProduct:
    """Gives each layer of a group its columns of one product.

    Args:
        layers: Of one width.
        packed: Of their weights, one below the other.
    """

    def __init__(self, layers: tuple[nn.Linear, ...], packed: Multiplied) -> None:
        self._layers, self._packed = layers, packed
        self._widths = [each.out_features for each in layers]
        self._rows: Tensor | None = None
        self._left: dict[int, Tensor] = {}
        # how often products of the group were the layers' own; None: they are not
        self._seen: int | None = 0

    def of(self, number: int, rows: Tensor) -> Tensor:
        """Return rows [..., I] times the weight of a layer of that number, plus its bias."""
        layer = self._layers[number]
        if self._seen is None:
            return F.linear(rows, layer.weight, layer.bias)
        if rows is self._rows and number in self._left:
            product = self._left.pop(number)
            if self._seen < len(self._layers) - 1 and not self._is_own(product, rows, layer):
                return F.linear(rows, layer.weight, layer.bias)
        else:
            parts = self._packed.multiplied(rows, None).split_with_sizes(self._widths, -1)
            self._rows, self._left = rows, dict(enumerate(parts))
            product = self._left.pop(number)
        if not self._left:
            self._rows = None
        return product if layer.bias is None else product + layer.bias

    def _is_own(self, product: Tensor, rows: Tensor, layer: nn.Linear) -> bool:
        """Whether the rows are still what they were: nothing tells that a model changed them in place."""
        assert self._seen is not None
        if not rows.numel():
            return True
        # without a batch dimension there is one row
        first, mine = (rows[:1], product[:1]) if rows.dim() > 1 else (rows, product)
        own = F.linear(first, layer.weight)
        if bool((mine - own).norm() <= _FAR * own.norm()):
            self._seen += 1
            return True
        self._seen, self._rows, self._left = None, None, {}
        return False
