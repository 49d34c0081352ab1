"""How far a result may lie from the exact one."""

from __future__ import annotations

import torch

__all__ = ["beyond_rounding"]


def beyond_rounding(got: torch.Tensor, exact: torch.Tensor, plain: torch.Tensor) -> str | None:
    """Tell what is wrong if `got` errs more than twice as much as plain code of its dtype, plus one rounding.

    Args:
        got: Under test.
        exact: The same in fp64 from the same, widened inputs.
        plain: The same from plain code in the dtype of the inputs.

    Returns:
        None where `got` is close enough, also where it shares an infinity with `exact`.
    """
    got64, plain64 = got.double(), plain.double()
    finite = exact.isfinite()
    differ = (got64 != exact) & ~finite
    if differ.any():
        return f"{int(differ.sum())} entries differ from {exact[differ][:3].tolist()}"
    if not finite.any():
        return None
    got64, plain64, exact = got64[finite], plain64[finite], exact[finite]
    if not got64.isfinite().all():
        return f"{int((~got64.isfinite()).sum())} of {got64.numel()} entries are not finite"
    budget = 2 * (plain64 - exact).abs().max() + torch.finfo(got.dtype).eps * exact.abs().max()
    error = (got64 - exact).abs()
    worst = int(error.argmax())
    if error[worst] <= budget:
        return None
    return (
        f"error {float(error[worst]):.3g}, {float(error[worst] / budget):.1f} times the {float(budget):.3g} "
        f"allowed: got {float(got64[worst]):.6g}, exact {float(exact[worst]):.6g} at flat index {worst}"
    )
