"""Text as it is drawn: pieces join to the candidate, stops and split characters included."""

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.records import SamplingParams
from codesample.serving.client_call import Asked
from codesample.serving.text_call import TextCall, TextPiece


def joined(pieces):
    texts, tokens, last = defaultdict(str), defaultdict(tuple), {}
    for piece in pieces:
        key = piece.task_id, piece.index
        assert key not in last, "nothing comes behind the last piece"
        texts[key] += piece.text
        tokens[key] += piece.token_ids
        if piece.candidate is not None:
            last[key] = piece.candidate
    assert texts.keys() == last.keys()
    for key, candidate in last.items():
        assert texts[key] == candidate.completion
        assert tokens[key] == candidate.token_ids
    return last


@pytest.mark.parametrize(
    "stop",
    [(), ("e",), ("ab", "abc", "b\n"), ("\nclass", "\ndef", "\n\n")],
    ids=["none", "one", "more", "code"],
)
def test_pieces_join_to_what_is_drawn_without_them(plain, served, run, stop):
    params = SamplingParams(max_new_tokens=40, temperature=1.5, stop=stop)
    alone = plain.sample("def f", n=6, params=params)

    async def main():
        return [piece async for piece in served.stream_text("def f", n=6, params=params)]

    pieces = run(main)
    found = joined(pieces)
    assert [found["prompt", i] for i in range(6)] == alone
    assert len(pieces) > 12


def test_text_comes_while_it_is_drawn(served, run):
    params = SamplingParams(max_new_tokens=200, allowed_tokens=tuple(range(65, 90)))

    async def main():
        async with served.stream_text("a", params=params) as stream:
            first = await anext(stream)
            assert first.candidate is None
            return first

    piece = run(main)
    assert isinstance(piece, TextPiece)
    assert 1 <= len(piece.text) < 100


def test_what_is_not_taken_is_joined(plain, served, run):
    params = SamplingParams(max_new_tokens=50, allowed_tokens=tuple(range(65, 90)))

    async def main():
        stream = served.stream_text("a", n=3, params=params)
        while served.load.calls:
            await asyncio.sleep(0.01)
        return [piece async for piece in stream]

    pieces = run(main)
    assert len(pieces) == 3
    assert [joined(pieces)["prompt", i] for i in range(3)] == plain.sample("a", n=3, params=params)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces_join_for_any_text_and_any_stop(plain, data):
    """Rows of real text streams, whose tokens are drawn by chance."""
    from codesample.sampling.prompts import Prompt
    from codesample.sampling.token_sampler import TokenSampler

    stops = tuple(data.draw(st.lists(st.text("abé\n", min_size=1, max_size=4), max_size=3, unique=True)))
    # parts of characters among them: two bytes of one, three of another
    known = plain.checkpoint.encode("ab\né€")
    tokens = data.draw(st.lists(st.sampled_from([*known, 257]), max_size=25))
    limit = data.draw(st.integers(1, 26))
    sampler = TokenSampler(plain.checkpoint, SamplingParams(stop=stops))
    prompt = Prompt("p", plain.checkpoint.encode("x"), (0,), limit)
    call = TextCall(Asked((), SamplingParams()), buffer=64)
    pieces, taken = [], data.draw(st.lists(st.booleans(), min_size=26, max_size=26))
    # a row that is taken back and drawn again goes over the same tokens
    again = data.draw(st.integers(0, 25))
    (row,) = sampler.begin_rows(prompt, [0])
    for token in tokens[:again]:
        if row.push(token, -1.0, -1.0) is not None:
            break
        call.grow(row)
    (row,) = sampler.begin_rows(prompt, [0])
    for token, take in zip([*tokens, *known[:1] * 26], taken * 2, strict=False):
        done = row.push(token, -1.0, -1.0)
        if done is not None:
            call.finish(done)
            break
        call.grow(row)
        if take and call._waiting():
            pieces.append(call.take(lambda: None))
    pieces.append(call.take(lambda: None))
    assert list(joined(pieces).values()) == [done]
