"""Quest: bounds that hold, pages that are many enough, and as many for each head."""

import pytest
import torch

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.quest import Quest, page_bounds
from codesample.policies.row_scores import pooled_rows, row_logits
from codesample.testing.policies import PolicyCase, check_policy


@pytest.mark.parametrize("settings", [{}, {"keep": 0.05, "page": 7, "first": 0}, {"keep": 1.0}])
def test_conforms(settings: dict) -> None:
    check_policy(lambda: Quest(**settings))


@pytest.mark.parametrize("scores", [ScoreOptions(), ScoreOptions(scale=0.7, softcap=3.0)])
@pytest.mark.parametrize("page", [1, 16, 50])
def test_no_key_of_a_page_scores_above_its_bound(page: int, scores: ScoreOptions) -> None:
    case = PolicyCase(tokens=151, spread=4.0)
    (layer, _), quest = case.stored(), Quest(page=page)
    rows = pooled_rows(case.ask(layer).queries, 2)
    (state,) = quest.prepare([layer])
    bounds = page_bounds(rows, *state, scores)
    logits = row_logits(rows, layer.keys, scores)
    for number in range(bounds.shape[2]):
        of_page = logits[:, :, number * page : (number + 1) * page]
        assert (of_page <= bounds[:, :, number, None] + 1e-9).all()
    if page == 1:
        torch.testing.assert_close(bounds, logits)


@pytest.mark.parametrize("tokens", [640, 641, 655])
def test_reads_whole_pages_and_always_both_ends(tokens: int) -> None:
    case = PolicyCase(tokens=tokens)
    layer = case.stored()[0]
    quest = Quest(keep=0.2, page=16, first=2, last=1)
    (state,) = quest.prepare([layer])
    choice = quest.select(case.ask(layer), state)
    assert choice is not None
    pages = -(-tokens // 16)
    assert choice.tokens.shape == (2, -(-pages // 5) * 16 - (pages * 16 - tokens))
    for head in choice.tokens.tolist():
        assert set(range(32)) | set(range((pages - 1) * 16, tokens)) <= set(head)
        numbers = sorted({token // 16 for token in head})
        assert len(numbers) == -(-pages // 5)
        assert head == [token for page in numbers for token in range(page * 16, min(page * 16 + 16, tokens))]
    # two vectors a page
    assert choice.scored_bytes == 2 * 2 * pages * 32 * 8


def test_ends_that_are_everything_leave_nothing_to_choose() -> None:
    case = PolicyCase(tokens=64)
    layer = case.stored()[0]
    quest = Quest(keep=0.01, page=16, first=2, last=2)
    assert quest.select(case.ask(layer), quest.prepare([layer])[0]) is None


def test_the_page_that_a_query_looks_for_is_read() -> None:
    case = PolicyCase(tokens=640, rows=1, heads=(2, 2))
    layer = case.stored()[0]
    queries = case.ask(layer).queries.clone()
    keys = layer.keys.clone()
    queries[0, 0, 1] = 30 * torch.eye(32, dtype=torch.float64)[5]
    keys[1, 333, 5] = 40
    layer = layer._replace(keys=keys)
    quest = Quest(keep=0.1)
    choice = quest.select(case.ask(layer)._replace(queries=queries), quest.prepare([layer])[0])
    assert choice is not None
    assert 333 in choice.tokens[1].tolist()


@pytest.mark.parametrize(
    "settings",
    [{"keep": 0}, {"keep": 1.5}, {"page": 0}, {"first": -1}, {"last": 0}, {"refresh": 0}, {"guard": -1}],
)
def test_settings_outside_their_range_are_refused(settings: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(settings))} = "):
        Quest(**settings)


def test_a_page_longer_than_the_prompt_is_the_prompt() -> None:
    case = PolicyCase(tokens=64)
    layer = case.stored()[0]
    quest = Quest(page=1 << 50)
    (state,) = quest.prepare([layer])
    assert state.high.shape == (2, 1, 32)
    assert quest.select(case.ask(layer), state) is None
