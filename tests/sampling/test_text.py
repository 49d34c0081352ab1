import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from codesample.sampling.text import TextStream, decoder_of, special_stops
from codesample.testing.tokenizer_families import CORPUS, family_tokenizer
from codesample.testing.tokenizer_families import FAMILIES as TRAINERS

FAMILIES = {family: family_tokenizer(family).backend_tokenizer for family in TRAINERS}

TEXTS = st.one_of(st.sampled_from(CORPUS), st.text(st.sampled_from("def fx():\n retun1+ 日é🎉"), max_size=30))


def wrapped(family):
    return family_tokenizer(family)


def streamed(decode, prompt, tokens, stops=()):
    stream = TextStream(decode, prompt, stops)
    for count, token in enumerate(tokens, 1):
        if stream.push(token):
            return stream, count
    stream.finish()
    return stream, len(tokens)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=80, deadline=None)
@given(text=TEXTS, cut=st.integers(0, 30))
def test_streamed_text_is_what_the_whole_decodes_to_behind_the_prompt(family, text, cut):
    decode = decoder_of(wrapped(family))
    ids = FAMILIES[family].encode("x = 1 " + text, add_special_tokens=False).ids
    cut = min(cut, len(ids))
    prompt, rest = ids[:cut], ids[cut:]
    # a prompt that ends inside a character leaves no place to cut the whole text at
    if not decode(prompt).endswith("\ufffd"):
        stream, _ = streamed(decode, prompt, rest)
        assert decode(prompt) + stream.text == decode(ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_space_before_the_first_new_token_is_kept(family):
    ids = FAMILIES[family].encode("return x + 1", add_special_tokens=False).ids
    decode = decoder_of(wrapped(family))
    for cut in range(1, len(ids)):
        assert streamed(decode, ids[:cut], ids[cut:])[0].text == "return x + 1"[len(decode(ids[:cut])) :]


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, stops=st.lists(st.text(st.sampled_from("def\n rx"), min_size=1, max_size=4), max_size=3))
def test_text_is_cut_before_the_first_stop_string(text, stops):
    tokenizer = FAMILIES["byte_level"]
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    stream, used = streamed(decoder_of(wrapped("byte_level")), [], ids, stops)
    seen = tokenizer.decode(ids[:used])
    places = [at for at in (seen.find(stop) for stop in stops) if at >= 0]
    if places:
        assert stream.text == seen[: min(places)]
        assert stream.stop in stops
        # nothing before the last token already held a stop string
        before = tokenizer.decode(ids[: used - 1])
        assert not any(stop in before for stop in stops)
    else:
        assert stream.text == text
        assert stream.stop is None
        assert used == len(ids)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, stop=st.text(st.sampled_from("def\n rx"), min_size=1, max_size=3))
def test_kept_tokens_are_the_fewest_that_give_the_text(text, stop):
    tokenizer = FAMILIES["byte_level"]
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    stream, _ = streamed(decoder_of(wrapped("byte_level")), [], ids, [stop])
    kept = stream.kept_tokens()
    assert tokenizer.decode(ids[:kept]).startswith(stream.text)
    if kept:
        assert not tokenizer.decode(ids[: kept - 1]).startswith(stream.text)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=80, deadline=None)
@given(
    text=TEXTS,
    cut=st.integers(0, 12),
    stops=st.lists(st.text(st.sampled_from("def\n rx"), min_size=1, max_size=3), max_size=2),
    special=st.booleans(),
)
def test_ends_of_tokens_lead_through_the_text(family, text, cut, stops, special):
    tokenizer = wrapped(family)
    decode = decoder_of(tokenizer)
    ids = FAMILIES[family].encode("x = 1 " + text, add_special_tokens=False).ids
    if special:
        ids.insert(len(ids) // 2, tokenizer.bos_token_id)
    cut = min(cut, len(ids))
    stream, used = streamed(decode, ids[:cut], ids[cut:], stops)
    kept = stream.kept_tokens() if stream.stop is not None else used
    ends = stream.ends(kept)
    assert len(ends) == kept
    assert list(ends) == sorted(ends)
    assert all(0 <= end <= len(stream.text) for end in ends)
    if ends:
        assert ends[-1] == len(stream.text)
    for count, end in enumerate(ends, 1):
        # what so many tokens give by themselves; bytes that are no character yet are U+FFFD there
        alone, _ = streamed(decode, ids[:cut], ids[cut : cut + count])
        assert alone.text.startswith(stream.text[:end])
        rest = alone.text[end:]
        assert set(rest) <= {"\ufffd"} or count == kept


def test_bytes_of_one_character_end_with_it():
    tokenizer = FAMILIES["byte_level"]
    ids = tokenizer.encode("a🦊b").ids
    assert len(ids) > 3
    ends = streamed(decoder_of(wrapped("byte_level")), [], ids)[0].ends(len(ids))
    assert ends == (1, *[1] * (len(ids) - 3), 2, 3)


def test_a_stop_string_may_cross_tokens_and_the_longer_of_two_at_one_place_is_named():
    tokenizer = FAMILIES["byte_level"]
    ids = [
        i
        for piece in ("ab\n", "\n", "de", "f g")
        for i in tokenizer.encode(piece, add_special_tokens=False).ids
    ]
    stream, _ = streamed(decoder_of(wrapped("byte_level")), [], ids, ["\n\ndef", "\n\nd"])
    assert stream.text == "ab"
    assert stream.stop == "\n\nd"  # complete first, so sampling ends there


def test_bytes_that_never_become_a_character_do_not_hold_the_text_back():
    tokenizer = FAMILIES["byte_level"]
    alphabet = {v: k for k, v in zip(range(256), sorted(pre_tokenizers.ByteLevel.alphabet()), strict=True)}
    broken = tokenizer.token_to_id("Ã")  # byte 0xC3, the start of a two-byte character
    assert broken is not None
    assert alphabet
    ids = [broken] * 8 + tokenizer.encode("ok", add_special_tokens=False).ids
    stream, _ = streamed(decoder_of(wrapped("byte_level")), [], ids, ["ok"])
    assert stream.stop == "ok"
    assert set(stream.text) <= {"\ufffd"}


def test_special_tokens_leave_no_text():
    tokenizer = wrapped("byte_level")
    ids = [*tokenizer.encode("a"), tokenizer.eos_token_id, *tokenizer.encode("b")]
    assert streamed(decoder_of(tokenizer), [], ids)[0].text == "ab"


def test_only_stop_strings_that_are_a_whole_special_token_count_as_such():
    tokenizer = wrapped("byte_level")
    tokenizer.add_tokens("plain")
    stops = ["</s>", "</s>\n", "plain", "def"]
    assert special_stops(tokenizer, stops) == {tokenizer.eos_token_id: "</s>"}
