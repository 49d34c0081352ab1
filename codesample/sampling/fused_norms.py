"""Root-mean-square norms by the one operator that torch has for them; models spell them out in seven.

For few rows each operator takes as long as the numbers it is for. Which modules are such norms is not told by
their names alone: what they give is compared first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["fused_norms"]

_EPSILONS = ("variance_epsilon", "eps")
_FAR = 1e-6


def fused_norms(modules: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, Callable[..., Tensor]]]:
    """Yield each norm in float32 on a CPU that torch's operator computes, with what stands for its `forward`.

    Args:
        modules: Any; their own `forward` is that of their class.
    Yields:
        The module, and a function of [..., W] that reads its weight as it is then.
    """
    for module in modules:
        epsilon = _epsilon(module)
        if epsilon is not None and _is_that(module, epsilon):
            yield module, _forward_of(module, epsilon)


def _epsilon(module: nn.Module) -> float | None:
    weights = dict(module.named_parameters(recurse=False))
    if not type(module).__name__.endswith("RMSNorm") or module._modules:
        return None
    weight = weights.get("weight")
    if len(weights) != 1 or weight is None or weight.dim() != 1 or type(weight) is not nn.Parameter:
        return None
    if (weight.device.type, weight.dtype, weight.layout) != ("cpu", torch.float32, torch.strided):
        return None
    found = [value for name in _EPSILONS if type(value := getattr(module, name, None)) is float]
    return found[0] if len(found) == 1 else None


@torch.inference_mode()
def _is_that(module: nn.Module, epsilon: float) -> bool:
    """Whether it gives what the operator gives, for rows far from each other in size."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    rows = torch.randn(4, 1, len(weight), generator=torch.Generator().manual_seed(0))
    rows *= torch.tensor([1e-4, 1e-2, 1.0, 1e3])[:, None, None]
    try:
        own = type(module).forward(module, rows)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    if not isinstance(own, Tensor) or own.dtype != rows.dtype or own.shape != rows.shape:
        return False
    fused = torch.rms_norm(rows, (len(weight),), weight, epsilon)
    return torch.allclose(fused, own, rtol=_FAR, atol=0)


def _forward_of(module: nn.Module, epsilon: float) -> Callable[..., Tensor]:
    def forward(*given: Any, **named: Any) -> Tensor:
        plain = torch.is_grad_enabled() or len(given) != 1 or named
        if plain or given[0].dtype != torch.float32:
            own: Tensor = type(module).forward(module, *given, **named)
            return own
        weight: Tensor = module.weight  # type: ignore[assignment]
        return torch.rms_norm(given[0], (len(weight),), weight, epsilon)

    return forward
