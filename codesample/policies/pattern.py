"""S2-Attention: the blocks of a prompt that a model was trained to see, as its configuration states them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import PATTERN_SETTINGS, BlockPattern, stated_pattern
from codesample.policies.contract import Ask, Choice, ModelFacts, PrefixPolicy, StoredLayer
from codesample.records.fields import check_settings, setting

__all__ = ["Pattern"]

# as in Phi-3-small
_USUAL = BlockPattern(64, 16, 8)


def _number(default: int, help: str) -> int:
    return setting(default, help, expected="at least 0", holds=lambda value: value >= 0)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Pattern(PrefixPolicy):
    """Read the blocks of a prompt that a block pattern lets each head see; see `BlockPattern`.

    The pattern is the checkpoint's own, exact for a model that was trained with it. On any other it is an
    ablation, which has to be asked for. Heads of a KV head read what any of them sees, and each sees its own.

    Attributes:
        block_size, local_blocks, vert_stride, dense_every: As in `BlockPattern`; 0 takes the checkpoint's, or
            where it has none those of Phi-3-small, with no layer that reads all.
        homo_head: Whether heads are alike.
        ablation: Use it on a model that was not trained with it.
        guard: Shorter stored runs are read whole; of an ablation alone.
        audit: See `SparsePolicy`.

    Source: arXiv:2407.17678.
    """

    name = "pattern"
    query_free = True
    reads_keys = False
    computes = PATTERN_SETTINGS

    block_size: int = _number(0, "Tokens of a block; 0: as the checkpoint says.")
    local_blocks: int = _number(0, "Nearest blocks that are read; 0: as the checkpoint says.")
    vert_stride: int = _number(0, "Every so manieth block is read; 0: as the checkpoint says.")
    dense_every: int = _number(0, "Every so manieth layer reads all; 0: as the checkpoint says, or none.")
    homo_head: bool = setting(False, "Whether all heads read the same blocks.")
    ablation: bool = setting(False, "Use it on a model that was not trained with it.")
    guard: int = _number(0, "Shorter stored runs are read whole.")
    audit: int = _number(0, "Measure at every so manieth step what is missed.")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def notice(self) -> str:  # type: ignore[override]
        """What a report has to say of it."""
        return "an ablation: the model was not trained with this pattern" if self.ablation else ""

    @property
    def longest_own(self) -> int | None:  # type: ignore[override]
        """As many own tokens as no query loses sight of, since all of them are read."""
        pattern = self.pattern
        return None if self.ablation else (pattern.local_blocks - 1) * pattern.block_size + 1

    @property
    def telling_tokens(self) -> int:  # type: ignore[override]
        """As many as there are in the local blocks, and some that they do not reach."""
        return (self.pattern.local_blocks + 2) * self.pattern.block_size

    @property
    def pattern(self) -> BlockPattern:
        """Its own numbers, and Phi-3-small's in the place of zeros."""
        return BlockPattern(
            self.block_size or _USUAL.block_size,
            self.local_blocks or _USUAL.local_blocks,
            self.vert_stride or _USUAL.vert_stride,
            self.homo_head,
            self.dense_every,
        )

    def fitted(self, facts: ModelFacts) -> Pattern:
        """Take the checkpoint's own pattern; see `PrefixPolicy.fitted`."""
        stated, own = stated_pattern(facts.config), self.pattern
        if stated is None:
            if not self.ablation:
                raise ParameterError(
                    f"policy 'pattern': the configuration of {facts.name!r} states no pattern (looked for "
                    f"{', '.join(PATTERN_SETTINGS[:3])}), so the model was not trained with one; to see what "
                    "one would cost it, say pattern(ablation=true)"
                )
            return replace(self, **own._asdict())
        if self.ablation:
            raise ParameterError(
                f"policy 'pattern': {facts.name!r} states a pattern of its own; leave ablation out"
            )
        given = {name: value for name, value in _numbers(self).items() if value}
        if any(value != getattr(stated, name) for name, value in given.items()):
            raise ParameterError(
                f"policy 'pattern': {facts.name!r} was trained with {_spelt(stated)}, got {_spelt(own)}; "
                "leave the numbers out"
            )
        if self.guard:
            raise ParameterError(
                f"policy 'pattern': guard = {self.guard}: {facts.name!r} was trained to see its pattern "
                "alone, in short prompts too; leave guard out"
            )
        return replace(self, **stated._asdict())

    def prepare(self, layers: Sequence[StoredLayer]) -> list[bool]:
        """Note which layers read all."""
        return [self.pattern.is_dense(layer.number) for layer in layers]

    def select(self, ask: Ask, state: bool) -> Choice | None:
        """Take the blocks that some query sees."""
        pattern, (kv_heads, tokens, _) = self.pattern, ask.keys.shape
        rows, queries, heads, _ = ask.queries.shape
        assert ask.positions is not None
        if state:
            return None
        key_blocks = torch.arange(ask.start, ask.start + tokens, device=ask.keys.device) // pattern.block_size
        first, last = ask.start // pattern.block_size, (ask.start + tokens - 1) // pattern.block_size
        blocks = torch.arange(first, last + 1, device=ask.keys.device)
        at = ask.positions.flatten()
        # [G, H / G, R, Q, blocks]
        seen = pattern.sees(at // pattern.block_size, blocks, heads).view(
            kv_heads, heads // kv_heads, rows, queries, -1
        )
        if bool(seen.all()):
            return None
        read = seen.flatten(1, 3).any(dim=1)[:, key_blocks - first]
        index = _listed(read)
        of_tokens = key_blocks[index.clamp_min(0)] - first
        whole = (*seen.shape[:4], index.shape[1])
        seen = seen.gather(4, of_tokens[:, None, None, None].expand(whole))
        # until a query enters its next block
        steps = pattern.block_size - int((at % pattern.block_size).max())
        return Choice(index, 0, seen=None if _alike(seen, index) else seen, steps=steps)


def _listed(read: Tensor) -> Tensor:
    """Return for each row of [G, M] bool where it is true, rising, and -1 behind shorter lists: [G, N]."""
    counts = read.sum(dim=1, keepdim=True)
    most = max(int(counts.max()), 1)
    index = (~read).to(torch.int8).argsort(dim=1, stable=True)[:, :most]
    return index.masked_fill(torch.arange(most, device=read.device) >= counts, -1)


def _alike(seen: Tensor, index: Tensor) -> bool:
    return bool((seen | (index < 0)[:, None, None, None]).all())


def _numbers(policy: Pattern) -> dict[str, int]:
    return {name: getattr(policy, name) for name in BlockPattern._fields}


def _spelt(pattern: BlockPattern) -> str:
    return ", ".join(f"{name}={value}" for name, value in pattern._asdict().items())
