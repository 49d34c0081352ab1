"""GGUF files: whole or refused, and with every setting and every weight that transformers would pass over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.loading.weight_files import named_some

__all__ = ["GgufFile", "dequantised", "gguf_packages", "read_gguf"]

_NEEDED = ("gguf", "accelerate")
_ROPE_FACTORS = "rope_freqs.weight"
# settings of a file that change what its model computes, and where transformers keeps each
_SETTINGS = {
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.scale": "attention_multiplier",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "embedding_scale": "embedding_multiplier",
    "logit_scale": "logits_scaling",
    "residual_scale": "residual_multiplier",
}


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What a GGUF file says of itself.

    Attributes:
        name: The checkpoint's, for messages.
        architecture: As llama.cpp names it.
        settings: Those of the architecture, without its name before them.
        counts: Numbers in each tensor, by name.
        rope_factors: What rotary frequencies are divided by; None where the file has no such tensor.
    """

    name: str
    architecture: str
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    rope_factors: torch.Tensor | None = None

    @property
    def numbers(self) -> int:
        """How many numbers its weights are, once they are unpacked."""
        return sum(self.counts.values())

    def expect_settings(self, config: Any) -> None:
        """Refuse a model whose settings are not those of the file.

        Args:
            config: Which transformers made of it.

        Raises:
            ModelError: names the setting and both values.
        """
        scaling = self.settings.get("rope.scaling.type", "none")
        rope = getattr(config, "rope_parameters", None) or {}
        read = rope.get("rope_type", "default")
        if scaling not in ("none", read) and self.settings.get("rope.scaling.factor", 1.0) != 1.0:
            raise self._unlike("rope.scaling.type", scaling, read)
        theta, base = self.settings.get("rope.freq_base"), rope.get("rope_theta")
        if theta is not None and base is not None and not math.isclose(theta, base, rel_tol=1e-6):
            raise self._unlike("rope.freq_base", theta, base)
        for key, place in _SETTINGS.items():
            said, taken = self.settings.get(key), getattr(config, place, None)
            if not isinstance(said, int | float) or taken is said:
                continue
            if taken is None and key == "attention.key_length":
                taken = config.hidden_size // config.num_attention_heads
            if not isinstance(taken, int | float) or not math.isclose(said, taken, rel_tol=1e-5):
                raise self._unlike(key, said, taken)

    def complete(self, model: PreTrainedModel) -> None:
        """Give a loaded model what transformers left out: factors of its rotary frequencies.

        Raises:
            ModelError: tensors of the file have no place in the model, or its factors none.
        """
        known = _known_tensors(model, self.architecture)
        left_over = sorted(set(self.counts) - known - {_ROPE_FACTORS}) if known else []
        if left_over:
            raise ModelError(
                f"{self.name}: {len(left_over)} tensors of the file have no place in {type(model).__name__}: "
                f"{named_some(left_over)}; without them this is another model"
            )
        if self.rope_factors is None or bool((self.rope_factors == 1).all()):
            return
        modules: list[Any] = [each for each in model.modules() if hasattr(each, "inv_freq")]
        kinds = {getattr(each, "rope_type", "default") for each in modules}
        widths = {each.inv_freq.numel() for each in modules}
        if kinds != {"default"} or widths != {self.rope_factors.numel()}:
            raise ModelError(
                f"{self.name}: {_ROPE_FACTORS} has no place in {type(model).__name__}; without it this is "
                "another model"
            )
        for each in modules:
            for buffer in ("inv_freq", "original_inv_freq"):
                if isinstance(kept := getattr(each, buffer, None), torch.Tensor):
                    kept.div_(self.rope_factors.to(kept))

    def _unlike(self, key: str, said: Any, taken: Any) -> ModelError:
        return ModelError(
            f"{self.name}: the file says {self.architecture}.{key} = {said}, and transformers reads it as "
            f"{taken}: its numbers would be another model's; convert the original checkpoint instead"
        )


def gguf_packages(name: str) -> None:
    """Refuse a GGUF file where the packages that read one are not installed.

    Raises:
        ModelError: names them, and the extra that brings them.
    """
    lacking = [each for each in _NEEDED if find_spec(each) is None]
    if lacking:
        raise ModelError(f"{name}: a GGUF file needs {' and '.join(lacking)}: pip install 'codesample[gguf]'")


def read_gguf(path: Path, *, name: str) -> GgufFile:
    """Read what a file says of itself; its weights stay where they are.

    Raises:
        ModelError: it is no GGUF file, is cut short, is one of several parts, or holds no language model.
    """
    gguf_packages(name)
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
        counts = {each.name: int(each.n_elements) for each in reader.tensors}
        factors = [each.data for each in reader.tensors if each.name == _ROPE_FACTORS]
        architecture = str(fields["general.architecture"])
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name}: {path.name} is cut short or no GGUF file ({first[:120]}); download it again"
        ) from error
    parts = fields.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise ModelError(
            f"{name}: {path.name} is one of {parts} parts; join them: llama-gguf-split --merge {path.name} "
            "WHOLE.gguf"
        )
    kind = fields.get("general.type", "model")
    if kind != "model" or not counts:
        raise ModelError(f"{name}: {path.name} is a GGUF file of the kind {kind!r}; expected a model's")
    before = f"{architecture}."
    settings = {key.removeprefix(before): value for key, value in fields.items() if key.startswith(before)}
    rope = torch.from_numpy(factors[0].copy()).flatten() if factors else None
    return GgufFile(name, architecture, settings, counts, rope)


def dequantised() -> dict[str, Any]:
    """Return what asks `from_pretrained` to unpack a file's weights, where it could leave them packed."""
    try:
        from transformers import GgufConfig
    except ImportError:
        return {}
    return {"quantization_config": GgufConfig(dequantize=True)}


def _known_tensors(model: PreTrainedModel, architecture: str) -> set[str]:
    """Return the tensors that transformers puts into the model; none where it compares them itself."""
    import transformers.modeling_gguf_pytorch_utils as gguf_reading

    reading: Any = gguf_reading

    if architecture not in reading.GGUF_SUPPORTED_ARCHITECTURES:
        return set()
    kind = reading.TENSOR_PROCESSORS.get(architecture, reading.TensorProcessor)
    processor = kind(config=model.config.to_dict())
    return {*reading.get_gguf_hf_weights_map(model, processor)}
