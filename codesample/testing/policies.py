"""A conformance kit for prefix policies: what any of them owes to whoever samples by it.

Each check takes a policy and raises PolicyError where it breaks a promise; `check_policy` runs them all.
Queries and keys are made up: keys lie in clusters, and queries look for some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from codesample.errors import ParameterError, PolicyError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.chosen_keys import expect_choice
from codesample.policies.contract import Ask, Choice, PrefixPolicy, StoredLayer
from codesample.policies.row_scores import pooled_rows, row_logits
from codesample.records.validation import validated

__all__ = ["CHECKS", "MakePolicy", "PolicyCase", "check_policy", "kept_mass"]

MakePolicy = Callable[[], PrefixPolicy]


@validated
@dataclass(frozen=True)
class PolicyCase:
    """Shape of a stored prompt, and of the queries that ask for it.

    Attributes:
        tokens: M.
        heads: (H, G), query and KV heads.
        rows: R.
        width: D.
        layers: How many there are.
        spread: Factor on queries; 60 gives logits of about +-200.
        dtype: Of keys, values and queries.
        seed: Of all numbers.

    Raises:
        ParameterError: a number below 1, or H is not a multiple of G.
    """

    tokens: int = 640
    heads: tuple[int, int] = (6, 2)
    rows: int = 5
    width: int = 32
    layers: int = 2
    spread: float = 2.0
    dtype: torch.dtype = torch.float64
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = (self.tokens, *self.heads, self.rows, self.width, self.layers)
        if min(numbers) < 1 or self.heads[0] % self.heads[1]:
            raise ParameterError(f"{self}: expected numbers of at least 1, and H a multiple of G")

    def stored(self, queries: int = 1) -> list[StoredLayer]:
        """Make the layers of a stored prompt, with `queries` of its last queries."""
        kv_heads = self.heads[1]
        draw = self._draw(0)
        topics = draw(self.layers, kv_heads, 1 + self.tokens // 40, self.width)
        # neighbours are about one topic
        of = torch.arange(self.tokens) // 40
        layers = []
        for layer in range(self.layers):
            keys = topics[layer][:, of] + 0.5 * draw(kv_heads, self.tokens, self.width)
            values = draw(kv_heads, self.tokens, self.width)
            asked = self._asking(topics[layer], min(queries, self.tokens)).transpose(0, 1)
            learned = draw(kv_heads, self.tokens)
            keys, values, asked = (x.to(self.dtype) for x in (keys, values, asked))
            layers.append(StoredLayer(keys, values, asked, ScoreOptions(), layer, learned))
        return layers

    def ask(self, layer: StoredLayer) -> Ask:
        """Make queries that look for some of a layer's keys."""
        topics = layer.keys[:, 20::40] if self.tokens > 20 else layer.keys
        queries = self._asking(topics.double(), self.rows)[:, None].to(self.dtype)
        # all rows draw their first token
        positions = torch.full((self.rows, 1), self.tokens)
        return Ask(queries, layer.keys, layer.values, layer.scores, positions)

    def _asking(self, topics: Tensor, rows: int) -> Tensor:
        heads, kv_heads = self.heads
        draw = self._draw(1)
        # all rows are after a few topics, each head after its own
        wanted = topics[:, : max(1, topics.shape[1] // 4)].mean(dim=1).repeat_interleave(heads // kv_heads, 0)
        near = topics[:, -1].repeat_interleave(heads // kv_heads, 0)
        return self.spread * (wanted + 0.5 * near + 0.3 * draw(rows, heads, self.width))

    def _draw(self, stream: int) -> Callable[..., Tensor]:
        generator = torch.Generator().manual_seed(2 * self.seed + stream)
        return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


_PLAIN = PolicyCase()
_CASES: tuple[PolicyCase, ...] = (
    _PLAIN,
    PolicyCase(tokens=1, layers=1),
    PolicyCase(tokens=2, rows=1),
    PolicyCase(tokens=151, heads=(4, 4)),
    PolicyCase(tokens=333, heads=(4, 1), rows=1),
    PolicyCase(dtype=torch.bfloat16),
    PolicyCase(dtype=torch.float32, spread=60.0),
)


@validated
def check_policy(make_policy: MakePolicy) -> None:
    """Make policies and run every check.

    Args:
        make_policy: Makes an equal policy each time it is called, whose guard does not matter here.

    Raises:
        PolicyError: a promise is broken; names the check and what was got.
    """
    for name, check in CHECKS.items():
        try:
            check(make_policy)
        except PolicyError as error:
            raise PolicyError(f"{name}: {error}") from error


@validated
def kept_mass(choice: Choice | None, ask: Ask) -> Tensor:
    """Return what share of their attention over stored keys the rows of each KV head keep, [G]."""
    logits = row_logits(pooled_rows(ask.queries, len(ask.keys)), ask.keys, ask.scores)
    votes = logits.softmax(dim=2).mean(dim=1)
    if choice is None:
        return votes.sum(dim=1)
    if choice.seen is not None:
        rows, queries, heads, _ = ask.queries.shape
        kv_heads, tokens = choice.tokens.shape
        seen = choice.seen.expand(kv_heads, heads // kv_heads, rows, queries, tokens).flatten(1, 3)
        at = choice.tokens.clamp_min(0)[:, None].expand(-1, logits.shape[1], -1)
        kept = logits.softmax(dim=2).gather(2, at).masked_fill(~seen, 0).mean(dim=1)
    else:
        kept = votes.gather(1, choice.tokens.clamp_min(0))
    return kept.masked_fill(choice.tokens < 0, 0).sum(dim=1)


def _check_statements(make_policy: MakePolicy) -> None:
    policy = make_policy()
    _require(isinstance(policy, PrefixPolicy), f"{type(policy).__name__} is no PrefixPolicy")
    _require(isinstance(policy.name, str) and bool(policy.name), f"name is {policy.name!r}, expected a name")
    for name, least in {"guard": 0, "refresh": 1, "audit": 0, "tail_queries": 1}.items():
        value = getattr(policy, name)
        _require(type(value) is int and value >= least, f"{name} is {value!r}, expected at least {least}")
    _require(policy == make_policy(), "two that were made alike are not equal")
    _require(policy.spelt == make_policy().spelt, "two that were made alike are spelt differently")


def _check_forms(make_policy: MakePolicy) -> None:
    """Many shapes and dtypes, one token, one row, and logits of +-200."""
    policy = make_policy()
    for case in _CASES:
        for ask, choice in _chosen(policy, case):
            mass = kept_mass(choice, ask)
            _require(bool(mass.isfinite().all()), f"{case}: the mass that is kept is {mass.tolist()}")
            if choice is not None:
                _require(choice.scored_bytes >= 0, f"{case}: scored_bytes = {choice.scored_bytes}")
                fill = choice.rest
                _require(
                    fill is None or bool(fill.k.isfinite().all() and fill.v.isfinite().all()),
                    f"{case}: what stands for the rest is not finite",
                )


def _check_leaves_the_store_alone(make_policy: MakePolicy) -> None:
    policy, layers = make_policy(), _PLAIN.stored(make_policy().tail_queries)
    before = [[x.clone() for x in each[:3]] for each in layers]
    states = policy.prepare(layers)
    for layer, state in zip(layers, states, strict=True):
        policy.select(_PLAIN.ask(layer), state)
    for old, new in zip(before, layers, strict=True):
        _require(all(map(torch.equal, old, new[:3])), "keys, values or queries were written to")


def _check_repeats(make_policy: MakePolicy) -> None:
    first, second = (list(_chosen(make_policy(), _PLAIN)) for _ in range(2))
    for (_, one), (_, other) in zip(first, second, strict=True):
        _require(_same(one, other), "the same queries chose other tokens the second time")


def _check_order_of_rows(make_policy: MakePolicy) -> None:
    policy, order = make_policy(), [3, 0, 4, 2, 1]
    for ask, choice, state in _with_states(policy, _PLAIN):
        turned = policy.select(ask._replace(queries=ask.queries[order]), state)
        _require(_same(choice, turned), "the same rows in another order chose other tokens")


def _check_heads(make_policy: MakePolicy) -> None:
    """Query heads of one KV head may change places; KV heads take their query heads and choices along.

    Unless heads have patterns of their own, which nobody's queries move.
    """
    policy = make_policy()
    if policy.query_free:
        return
    heads, kv_heads = _PLAIN.heads
    by_kv_head = torch.arange(heads).view(kv_heads, -1)
    layers = _PLAIN.stored(policy.tail_queries)
    for kv_order in ([0, 1], [1, 0]):
        order = by_kv_head.roll(1, dims=1)[kv_order].flatten()
        turned = [
            layer._replace(
                keys=layer.keys[kv_order], values=layer.values[kv_order], queries=layer.queries[order]
            )
            for layer in layers
        ]
        states, turned_states = policy.prepare(layers), policy.prepare(turned)
        for layer, state, other, other_state in zip(layers, states, turned, turned_states, strict=True):
            ask = _PLAIN.ask(layer)
            choice = policy.select(ask, state)
            moved = policy.select(
                Ask(ask.queries[:, :, order], other.keys, other.values, other.scores), other_state
            )
            expected = None if choice is None else choice._replace(tokens=choice.tokens[kv_order])
            _require(_same(expected, moved), "KV head g does not choose by query heads h of h // (H / G) = g")


def _check_mass(make_policy: MakePolicy) -> None:
    """What is kept gets more attention than as many tokens at random, and no more than the best ones.

    Unless queries are not asked.
    """
    policy = make_policy()
    if policy.query_free:
        return
    for ask, choice in _chosen(policy, _PLAIN):
        if choice is None:
            continue
        count = (choice.tokens >= 0).sum(dim=1)
        logits = row_logits(pooled_rows(ask.queries, len(ask.keys)), ask.keys, ask.scores)
        best = logits.softmax(dim=2).mean(dim=1).sort(dim=1, descending=True).values.cumsum(dim=1)
        oracle = best.gather(1, (count - 1).clamp_min(0)[:, None])[:, 0]
        random, kept = count / ask.keys.shape[1], kept_mass(choice, ask)
        _require(
            bool((kept <= oracle + 1e-9).all()) and bool(kept.mean() > random.mean()),
            f"{kept.tolist()} of attention is kept with {count.tolist()} tokens; at random it were "
            f"{random.tolist()}, at most {oracle.tolist()}",
        )


def _check_asks_no_queries(make_policy: MakePolicy) -> None:
    """A policy that says that it asks no queries chooses the same for all of them, at one position."""
    policy = make_policy()
    if not policy.query_free:
        return
    for ask, choice, state in _with_states(policy, _PLAIN):
        other = policy.select(ask._replace(queries=-3 * ask.queries.flip(2)), state)
        _require(_same(choice, other), "other queries at the same positions chose other tokens")


def _check_reads_no_keys(make_policy: MakePolicy) -> None:
    """A policy that says that it reads no keys chooses the same where there are none, as in 8 bits."""
    policy = make_policy()
    if policy.reads_keys:
        return
    for ask, choice, state in _with_states(policy, _PLAIN):
        none = torch.full_like(ask.keys, float("nan"))
        other = policy.select(ask._replace(keys=none, values=none), state)
        _require(_same(choice, other), "without keys, which it says it does not read, it chose other tokens")


def _check_reads_all(make_policy: MakePolicy) -> None:
    """A policy that says that it reads all leaves nothing out: nobody would ask it."""
    policy = make_policy()
    if not policy.reads_all:
        return
    for _, choice in _chosen(policy, _PLAIN):
        _require(choice is None, "it says that it reads every key, and chose some")


def _chosen(policy: PrefixPolicy, case: PolicyCase) -> Iterator[tuple[Ask, Choice | None]]:
    for ask, choice, _ in _with_states(policy, case):
        yield ask, choice


def _with_states(policy: PrefixPolicy, case: PolicyCase) -> Iterator[tuple[Ask, Choice | None, object]]:
    layers = case.stored(policy.tail_queries)
    states = policy.prepare(layers)
    _require(len(states) == len(layers), f"{case}: prepared {len(states)} layers of {len(layers)}")
    for layer, state in zip(layers, states, strict=True):
        ask = case.ask(layer)
        choice = policy.select(ask, state)
        if choice is not None:
            expect_choice(policy.name, choice, ask)
        yield ask, choice, state


def _same(one: Choice | None, other: Choice | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one.tokens, other.tokens)


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise PolicyError(complaint)


CHECKS: Mapping[str, Callable[[MakePolicy], None]] = MappingProxyType(
    {
        "statements": _check_statements,
        "forms": _check_forms,
        "the store is left alone": _check_leaves_the_store_alone,
        "repeats": _check_repeats,
        "order of rows": _check_order_of_rows,
        "heads": _check_heads,
        "mass": _check_mass,
        "asks no queries": _check_asks_no_queries,
        "reads no keys": _check_reads_no_keys,
        "reads all": _check_reads_all,
    }
)
"""Every check by name."""
