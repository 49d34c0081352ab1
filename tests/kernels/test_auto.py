"""The choice between Triton and PyTorch where Triton's kernels cannot be made."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="the choice lies between Triton and PyTorch")

from triton.runtime.errors import OutOfResources, PTXASError

from codesample.kernels.bifurcated_decode import auto, bifurcated_decode, triton_support, triton_trial
from codesample.kernels.bifurcated_decode.auto import PreparedAuto
from codesample.kernels.bifurcated_decode.triton import PreparedTriton
from codesample.testing.attention import DecodeCase, make_decode_inputs

CASE = DecodeCase(groups=((3, 20), (2, 33)), lens=(4, 0, 1, 7, 2), header=19, heads=(4, 2))


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """Let Triton's kernels fail; returns a list that grows with each try."""
    tried: list[int] = []

    def decode(self: PreparedTriton, call: Any) -> None:
        tried.append(1)
        raise error

    monkeypatch.setattr(PreparedTriton, "decode", decode)
    auto._warn.cache_clear()
    return tried


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfResources(102400, 101376, "shared memory"), "Required: 102400, Hardware limit: 101376"),
        (PTXASError("Internal Triton PTX codegen error\nptxas too old"), "ptxas too old"),
        (RuntimeError("PassManager::run failed"), "PassManager::run failed"),
    ],
)
def test_where_a_kernel_cannot_be_made_pytorch_attends_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    x, again = (make_decode_inputs(CASE, dtype=torch.float32) for _ in range(2))
    tried = failing(monkeypatch, error)
    prepared = PreparedAuto(x.batch, "cpu")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            got = bifurcated_decode(*x[:4], prepared, x.lens)
    wanted = again.run("torch")
    assert torch.equal(got.out, wanted.out)
    assert torch.equal(got.lse, wanted.lse)
    assert tried == [1]
    assert caplog.text.count(said) == 1
    # what was captured with it lays out steps on the host
    assert not prepared.take_over(x.batch)


def test_what_fails_otherwise_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_decode_inputs(CASE, dtype=torch.float32)
    failing(monkeypatch, RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        bifurcated_decode(*x[:4], PreparedAuto(x.batch, "cpu"), x.lens)


def test_the_trial_says_why_no_kernel_runs() -> None:
    said = triton_trial.why_not_made(torch.device("cpu"))
    assert said
    assert "\n" not in said


@pytest.mark.parametrize("reason", [None, "Failed to find C compiler"])
def test_a_gpu_for_which_no_kernel_is_made_is_left_to_pytorch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reason: str | None
) -> None:
    card = torch.device("cuda", 0)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(triton_trial, "why_not_made", lambda device: reason)
    with caplog.at_level(logging.WARNING):
        found = triton_support.why_not_here.__wrapped__(card)
    if reason is None:
        assert found is None
        assert not caplog.records
    else:
        assert found == "makes no kernel for cuda:0 here (Failed to find C compiler)"
        assert "attention is PyTorch's: Failed to find C compiler" in caplog.text
