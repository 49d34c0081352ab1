"""What prompts that are spread over processes cannot be combined with; refused before anything is run."""

from __future__ import annotations

from codesample.errors import ParameterError
from codesample.records import Policy
from codesample.records.policy import AXES, EXACT
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.layer_masks import windows_of

__all__ = ["expect_spread"]

_SPREAD = ("full", "ring", "star")


def expect_spread(policy: Policy, checkpoint: Checkpoint) -> None:
    """Refuse a policy that spreads prompts over processes where that would not be what it says.

    Raises:
        ParameterError: another axis is set to what one process does alone, or a layer has a window, whose
            keys may be elsewhere; or keys are to go round a ring of one.
    """
    if policy.hosts == 1:
        if policy.prefill == "ring":
            raise ParameterError(
                "prefill = 'ring' passes keys from process to process: give hosts = N with it, as many as "
                "torchrun starts"
            )
        return
    if policy.prefix != EXACT:
        raise ParameterError(
            f"hosts = {policy.hosts}: prefix = {policy.prefix!r} chooses among all keys of a prompt, of "
            "which each process has some; expected prefix = 'exact'"
        )
    if policy.prefill not in _SPREAD:
        raise ParameterError(
            f"hosts = {policy.hosts}: prefill = {policy.prefill!r} needs all keys of a prompt in one "
            f"process; expected one of {', '.join(_SPREAD)}"
        )
    for axis, (default, *_) in AXES.items():
        if axis != "prefill" and policy.chosen(axis)[0] != default:
            raise ParameterError(
                f"hosts = {policy.hosts}: {axis} = {policy.chosen(axis)[0]!r} is for prompts that one "
                f"process has whole; expected {default!r}"
            )
    if dict(policy.prefill_parameters).get("audit"):
        raise ParameterError(
            f"hosts = {policy.hosts}: no process has the keys that an audit of prefill = {policy.prefill!r} "
            "would hold queries against; leave audit out, or measure in one process"
        )
    if windows := windows_of(checkpoint.model):
        layer, window = min(windows.items())
        raise ParameterError(
            f"hosts = {policy.hosts}: layer {layer} of {checkpoint.name!r} has a window of {window} tokens, "
            "whose keys would be spread over processes; leave it out"
        )
