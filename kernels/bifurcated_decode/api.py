"""The public operation: checks its arguments, then hands them to one implementation."""

from __future__ import annotations

import torch
from torch import Tensor

from codesample.errors import ImplUnavailableError, ParameterError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, LayerStore, ScoreOptions
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import StepSchedule
from codesample.kernels.bifurcated_decode.triton_support import why_not_here

__all__ = ["bifurcated_decode", "prepare_batch", "usable_impls"]

_IMPLS = ("reference", "torch", "triton")
_EVERYTHING = ScoreOptions()


def bifurcated_decode(
    q: Tensor,
    k_new: Tensor | None,
    v_new: Tensor | None,
    store: LayerStore,
    batch: DecodeBatch | PreparedBatch,
    lens: Tensor,
    scores: ScoreOptions = _EVERYTHING,
    *,
    impl: str = "auto",
) -> DecodeOutput:
    """Attend a few new tokens per row to the row's chain of shared segments and to the row's own tokens.

    Equal to attention over the joined keys, while a shared segment is read once for all its rows instead
    of once per row. Query head h reads KV head h // (H / G). Query i of row r stands at the absolute
    position own_starts[r] + lens[r] + i and sees the row's shared segments and its own tokens up to and
    including that position. The new keys and values are written into the store on the way.

    Args:
        q: [R, Q, H, D], fp32, bf16, fp16 or fp64; Q is 1 in plain decoding. May be strided.
        k_new, v_new: [R, Q, G, D], written at tokens lens[r] .. lens[r] + Q - 1 of slot slots[r]; or both
            None when the store holds them already: then lens counts them too.
        store: The layer's keys and values.
        batch: The layout of R rows. Layers and steps that share one share what `prepare_batch` makes of it;
            a bare layout is prepared anew for the one call.
        lens: [R] int32 on q's device, own tokens stored per row before this call.
        scores: Scale, window, soft cap and sinks. Default: plain attention over everything.
        impl: "reference", "torch", "triton" or "auto"; a named one never falls back. A prepared batch has
            its own.

    Returns:
        DecodeOutput: out [R, Q, H, D] in q's dtype; lse [R, Q, H], natural logarithm.

    Raises:
        ShapeError: a shape, dtype or device disagrees with q or the batch; the message names both.
        ParameterError: window or softcap is not positive, or impl is unknown or not the batch's.
        ImplUnavailableError: a named implementation does not serve this device, dtype or width.
    Source: arXiv:2403.08845, with the softmax split by log-sum-exp.
    """
    if isinstance(batch, DecodeBatch):
        batch = prepare_batch(batch, q.device, impl=impl)
    elif impl not in ("auto", batch.impl):
        raise ParameterError(
            f"bifurcated_decode: impl = {impl!r}, but the batch was prepared for {batch.impl!r}; "
            "name it in prepare_batch"
        )
    call = Call(q, k_new, v_new, store, lens, scores)
    batch.check(call)
    # implementations read whole rows of D elements
    output = batch.decode(call.with_unit_stride())
    if batch.attended is not None:
        batch.attended(call, output)
    return output


def prepare_batch(
    batch: DecodeBatch,
    device: torch.device | str,
    *,
    impl: str = "auto",
    selection: KeySelection = ALL_KEYS,
    schedule: StepSchedule | None = None,
) -> PreparedBatch:
    """Make a batch ready for the calls of many layers and steps.

    Args:
        batch: The layout.
        device: Of the calls' tensors.
        impl: "reference", "torch" or "triton"; "auto" is torch on a CPU, and on a GPU triton for calls that
            it serves, else torch.
        selection: Which keys of shared segments are read. Default: all.
        schedule: `StreamK` or `FixedSplits`; the reference, which divides nothing, computes either as ever.
            Default: as the implementation divides a step.

    Raises:
        ParameterError: impl is unknown.
        ImplUnavailableError: a named implementation does not run on this device, or cannot honour
            `selection` or `schedule`.
    """
    device = torch.device(device)
    if impl not in ("auto", *_IMPLS):
        raise ParameterError(f"bifurcated_decode: unknown impl {impl!r}; expected one of {_IMPLS} or 'auto'")
    if impl == "reference":
        from codesample.kernels.bifurcated_decode.reference import PreparedReference

        return PreparedReference(batch, device, selection, schedule)
    if impl == "torch" or (impl == "auto" and (device.type == "cpu" or why_not_here(device))):
        from codesample.kernels.bifurcated_decode.torch_fixed import torch_form

        return torch_form(schedule)(batch, device, selection, schedule)
    if impl == "auto":
        from codesample.kernels.bifurcated_decode.auto import PreparedAuto

        return PreparedAuto(batch, device, selection, schedule)
    reason = why_not_here(device)
    if reason:
        raise ImplUnavailableError(f"bifurcated_decode: impl='triton' {reason}; use impl='torch' or 'auto'")
    from codesample.kernels.bifurcated_decode.triton import PreparedTriton

    return PreparedTriton(batch, device, selection, schedule)


def usable_impls(device: torch.device | str = "cpu") -> tuple[str, ...]:
    """Names of the implementations that can run on `device` here, "reference" first."""
    return _IMPLS if why_not_here(torch.device(device)) is None else _IMPLS[:2]
