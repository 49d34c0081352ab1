"""Weights of few bits: which packages read them, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from codesample.errors import ModelError

__all__ = ["bits_of", "expect_quantiser", "quantised_by", "unpacks"]

# module and distribution of what reads each kind
_ACCELERATE = ("accelerate", "accelerate")
_PACKAGES = {
    "aqlm": (("aqlm", "aqlm[gpu,cpu]"), _ACCELERATE),
    "auto-round": (("auto_round", "auto-round"),),
    "awq": (("gptqmodel", "gptqmodel"), _ACCELERATE),
    "bitnet": (_ACCELERATE,),
    "bitsandbytes": (("bitsandbytes", "bitsandbytes"), _ACCELERATE),
    "compressed-tensors": (("compressed_tensors", "compressed-tensors"),),
    "eetq": (("kernels", "kernels"), _ACCELERATE),
    "fbgemm_fp8": (_ACCELERATE,),
    "fp8": (_ACCELERATE,),
    "gptq": (("optimum", "optimum"), ("gptqmodel", "gptqmodel")),
    "higgs": (("flute", "flute-kernel"), _ACCELERATE),
    "hqq": (("hqq", "hqq"),),
    "mxfp4": (_ACCELERATE,),
    "quanto": (("optimum", "optimum-quanto"), _ACCELERATE),
    "quark": (("quark", "amd-quark"),),
    "spqr": (("spqr_quant", "spqr_quant[gpu]"), _ACCELERATE),
    "torchao": (("torchao", "torchao"),),
    "vptq": (("vptq", "vptq"), _ACCELERATE),
}
_BITS = {
    "fp8": 8.0,
    "fbgemm_fp8": 8.0,
    "eetq": 8.0,
    "mxfp8": 8.25,
    "mxfp4": 4.25,
    "nvfp4": 4.5,
    "bitnet": 2.0,
}
# scales and zeros of groups of weights beside them
_OVERHEAD = 1.07


def quantised_by(settings: Mapping[str, Any]) -> str:
    """Return how a checkpoint's weights are quantised, as transformers names it; "" where they are not.

    Args:
        settings: Of config.json.
    """
    found = _quantisation(settings)
    method = str(found.get("quant_method") or "")
    if method in ("bitsandbytes_4bit", "bitsandbytes_8bit"):
        return "bitsandbytes"
    # the first ones that were written did not say which
    return method or ("bitsandbytes" if found.get("load_in_4bit") or found.get("load_in_8bit") else "")


def expect_quantiser(settings: Mapping[str, Any], *, name: str) -> None:
    """Refuse quantised weights that nothing here reads.

    Raises:
        ModelError: names the packages to install.
    """
    method = quantised_by(settings)
    if not method:
        return
    if method not in _PACKAGES and method not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        known = ", ".join(sorted(_PACKAGES))
        raise ModelError(
            f"{name}: its weights are quantised by {method!r}, which transformers does not read; it "
            f"reads {known}"
        )
    lacking = [dist for module, dist in _PACKAGES.get(method, ()) if find_spec(module) is None]
    if lacking:
        raise ModelError(
            f"{name}: its weights are quantised by {method}, which needs {' and '.join(lacking)}: "
            "pip install " + " ".join(f"'{each}'" if "[" in each else each for each in lacking)
        )


def bits_of(settings: Mapping[str, Any]) -> float:
    """Return how many bits a quantised weight takes, scales included; 16 where the settings do not say."""
    found, method = _quantisation(settings), quantised_by(settings)
    groups = found.get("config_groups") or {}
    grouped = [(each.get("weights") or {}).get("num_bits") for each in groups.values()]
    said = found.get("bits") or found.get("w_bit") or found.get("nbits") or next(filter(None, grouped), None)
    if said is None and method == "bitsandbytes":
        said = 4 if found.get("load_in_4bit") else 8
    if said is None:
        return _BITS.get(method, 16.0)
    return float(said) * _OVERHEAD


def unpacks(settings: Mapping[str, Any], device: torch.device) -> bool:
    """Whether transformers makes plain weights of them as it loads: asked for, or nothing else runs there."""
    method = quantised_by(settings)
    return bool(_quantisation(settings).get("dequantize")) or (
        method in ("fp8", "mxfp4") and device.type not in ("cuda", "xpu")
    )


def _quantisation(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    found = settings.get("quantization_config") or (settings.get("text_config") or {}).get(
        "quantization_config"
    )
    return found if isinstance(found, Mapping) else {}
