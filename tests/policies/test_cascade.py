"""Cascading KV cache: everything while it fits, then the first, the last, and older ones farther apart."""

from __future__ import annotations

import math
from itertools import chain

import pytest
import torch

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions
from codesample.policies.cascade import Cascade, CascadeCache, CascadeRings

LAYERS = 2


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Rows:
    """Rows that write the number of each token in the place of its key, as attention would."""

    def __init__(self, settings: Cascade, slots: list[int], drawn: list[int], places: int = 5) -> None:
        nothing = torch.empty(1, 0, 1, dtype=torch.float64)
        self.layers = [
            LayerStore(
                nothing,
                nothing,
                *(torch.full((places, 1, settings.slot_tokens, 1), float("nan")).double() for _ in range(2)),
            )
            for _ in range(LAYERS)
        ]
        self.settings, self.slots, self.drawn = settings, slots, torch.tensor(drawn)
        self.cache = CascadeCache(settings, self.layers)
        self.over = self.cache.over(slots, self.drawn)
        self.steps = 0

    def step(self) -> list[torch.Tensor]:
        """Step all rows once; return the attention that each layer's places had."""
        held, given = self.over.stored, []
        for number, layer in enumerate(self.layers):
            for row, slot in enumerate(self.slots):
                place = int(held[row])
                for x in layer[2:]:
                    x[slot, 0, place] = float(self.drawn[row] - 1)
            seen = draw(len(self.slots), self.settings.slot_tokens, seed=1000 * number + self.steps)
            seen *= torch.arange(seen.shape[1]) <= held[:, None]
            self.cache.attended(number, torch.tensor(self.slots), self.drawn - 1, seen)
            given.append(seen)
        self.drawn += 1
        self.steps += 1
        return given

    def tokens(self, layer: int, row: int) -> list[int]:
        """Return the numbers of the tokens that a row keeps, rising."""
        count = int(self.over.stored[row])
        held = self.layers[layer].v_own[self.slots[row], 0, :count, 0]
        return sorted(int(number) for number in held.tolist())


class Model:
    """The same, for one row and layer, with lists, as the definition goes."""

    def __init__(self, settings: Cascade) -> None:
        self.settings, self.width = settings, settings.capacity // settings.levels
        self.first: list[int] = []
        self.filling: list[int] = []
        self.rings: list[list[int]] = []
        self.had: dict[int, float] = {}
        self.count = 0

    def step(self, attention: dict[int, float]) -> None:
        """Take in the next token, with what each kept one and it got."""
        token, decay = self.count, self.settings.decay
        self.had[token] = 0.0
        for each, got in attention.items():
            self.had[each] = decay * self.had[each] + (1 - decay) * got
        if len(self.first) < self.settings.first:
            self.first.append(token)
        elif len(self.filling) < self.settings.capacity:
            self.filling.append(token)
            if len(self.filling) == self.settings.capacity:
                cut = [self.filling[i : i + self.width] for i in range(0, len(self.filling), self.width)]
                self.rings = cut[::-1]
        else:
            self._insert(token, token - self.settings.kept)
        self.count += 1

    def _insert(self, token: int, step: int) -> None:
        for level, ring in enumerate(self.rings):
            if step % 2**level:
                if self.had[token] > self.had[ring[-1]]:
                    ring[-1] = token
                return
            ring.append(token)
            token = ring.pop(0)

    @property
    def tokens(self) -> list[int]:
        return sorted([*self.first, *(chain.from_iterable(self.rings) if self.rings else self.filling)])


@pytest.mark.parametrize(
    "settings",
    [
        Cascade(capacity=12, levels=3, first=2, decay=0.5),
        Cascade(capacity=5, levels=1, first=0),
        Cascade(capacity=8, levels=4, first=1, decay=0.9),
    ],
    ids=str,
)
def test_it_keeps_what_the_definition_keeps(settings: Cascade) -> None:
    rows = Rows(settings, [3, 0, 4], [1, 1, 1])
    models = {(layer, row): Model(settings) for layer in range(LAYERS) for row in range(3)}
    for _ in range(70):
        # by the number of the token, not by its place
        before = [[self_places(rows, layer, row) for row in range(3)] for layer in range(LAYERS)]
        given = rows.step()
        for (layer, row), model in models.items():
            places = {**before[layer][row], min(model.count, settings.kept): model.count}
            model.step({token: float(given[layer][row, place]) for place, token in places.items()})
            assert rows.tokens(layer, row) == model.tokens


def self_places(rows: Rows, layer: int, row: int) -> dict[int, int]:
    held = rows.layers[layer].k_own[rows.slots[row], 0, : int(rows.over.stored[row]), 0]
    return {place: int(number) for place, number in enumerate(held.tolist())}


def test_layers_and_rows_keep_tokens_of_their_own() -> None:
    rows = Rows(Cascade(capacity=12, levels=3, first=2, decay=0.5), [0, 1], [1, 1])
    for _ in range(60):
        rows.step()
    kept = [rows.tokens(layer, row) for layer in range(LAYERS) for row in range(2)]
    assert len({tuple(each) for each in kept}) > 1
    assert all(len(each) == 14 and each[:2] == [0, 1] for each in kept)


@pytest.mark.parametrize(("width", "levels"), [(16, 4), (32, 3), (64, 2), (20, 1)])
def test_rings_reach_back_as_far_as_the_formula_says(width: int, levels: int) -> None:
    settings = Cascade(capacity=width * levels, levels=levels, first=3)
    rows = Rows(settings, [0], [1])
    wanted = width * (2**levels - 1)
    for _ in range(2 * wanted + 50):
        rows.step()
    for layer in range(LAYERS):
        tokens = rows.tokens(layer, 0)
        assert tokens[:3] == [0, 1, 2]
        assert rows.steps - tokens[3] == pytest.approx(wanted, rel=0.05)
        # the last W are all there, each is there once, and gaps grow backwards
        assert tokens[-width:] == list(range(rows.steps - width, rows.steps))
        assert len(set(tokens)) == settings.kept


def test_all_is_kept_while_it_fits() -> None:
    settings = Cascade(capacity=12, levels=3, first=2)
    rows = Rows(settings, [1], [1])
    for count in range(1, settings.kept + 1):
        rows.step()
        assert rows.tokens(0, 0) == list(range(count))
        # in the order in which they were written
        assert list(self_places(rows, 0, 0).values()) == list(range(count))


def test_rows_of_other_ages_and_a_slot_that_is_taken_again_begin_anew() -> None:
    settings = Cascade(capacity=8, levels=2, first=1)
    rows = Rows(settings, [2, 0], [1, 1])
    for _ in range(30):
        rows.step()
    kept = rows.tokens(0, 0)
    # row 1 has ended, and slot 0 is another row's
    rows.drawn = torch.tensor([int(rows.drawn[0]), 1])
    rows.over = rows.cache.over(rows.slots, rows.drawn)
    assert rows.tokens(0, 0) == kept
    model = Model(settings)
    for _ in range(25):
        places = {**self_places(rows, 0, 1), min(model.count, settings.kept): model.count}
        given = rows.step()
        model.step({token: float(given[0][1, place]) for place, token in places.items()})
        assert rows.tokens(0, 1) == model.tokens


def test_a_store_that_grows_keeps_what_was_known() -> None:
    settings = Cascade(capacity=8, levels=2, first=1)
    rows, other = (Rows(settings, [1, 0], [1, 1]) for _ in range(2))
    for _ in range(20):
        rows.step(), other.step()
    rows.layers[:] = [
        layer._replace(**{name: torch.cat([getattr(layer, name)] * 2) for name in ("k_own", "v_own")})
        for layer in rows.layers
    ]
    rows.over = rows.cache.over(rows.slots, rows.drawn)
    for _ in range(20):
        rows.step(), other.step()
    assert [rows.tokens(layer, row) for layer in range(LAYERS) for row in range(2)] == [
        other.tokens(layer, row) for layer in range(LAYERS) for row in range(2)
    ]


def test_what_a_token_gets_is_the_most_of_any_head() -> None:
    settings = Cascade(capacity=4, levels=1, first=0, decay=0.75)
    nothing = torch.empty(2, 0, 8, dtype=torch.float64)
    k, v = (draw(3, 2, 5, 8, seed=seed) for seed in (1, 2))
    k[:, :, 3:] = float("nan")
    cache = CascadeCache(settings, [LayerStore(nothing, nothing, k, v)])
    drawn = torch.tensor([3, 2])
    over = cache.over([2, 0], drawn)
    q, lse = draw(2, 1, 4, 8, seed=3), draw(2, 1, 4, seed=4) + 3
    over.attended(0, q, lse, ScoreOptions())
    for row, slot, count in ((0, 2, 3), (1, 0, 2)):
        for place in range(5):
            got = [
                (float(k[slot, head // 2, place] @ q[row, 0, head]) / 8**0.5 - float(lse[row, 0, head]))
                for head in range(4)
            ]
            wanted = 0.25 * math.exp(max(got)) if place < count else 0.0
            assert float(cache._had[0][slot, place]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"capacity": 10, "levels": 4}, "multiple of levels = 4"),
        ({"levels": 0}, "levels = 0"),
        ({"first": -1}, "first = -1"),
        ({"decay": 1.0}, "decay = 1.0"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Cascade(**settings)


@pytest.mark.parametrize("stride", [1, 5, 33])
def test_rings_of_a_sequence_keep_what_the_definition_keeps(stride: int) -> None:
    settings, tokens = Cascade(capacity=12, levels=3, first=2, decay=0.5), 97
    rings = CascadeRings(settings, LAYERS, tokens)
    models = [Model(settings) for _ in range(LAYERS)]
    for begin in range(0, tokens, stride):
        new = min(stride, tokens - begin)
        seen = draw(LAYERS, rings.held.shape[1] + new, seed=begin)
        held = [[*row, *range(begin, begin + new)] for row in rings.held.tolist()]
        rings.take(seen, new)
        for model, numbers, got in zip(models, held, seen, strict=True):
            for token, more in zip(numbers, got.tolist(), strict=True):
                model.had[token] = settings.decay**new * model.had.get(token, 0.0) + more
            for _ in range(new):
                # with what all have had so far
                before = dict(model.had)
                model.step({})
                model.had = before
    assert rings.held.tolist() == [model.tokens for model in models]
