import random

import pytest
from decoder_families import FAMILIES as DECODERS
from decoder_families import decoder_for, fault_of, text_behind, tokenizer_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from codesample.sampling.stopping import special_stops
from codesample.sampling.text import TextStream
from codesample.sampling.token_decoder import TokenDecoder
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
    decode = TokenDecoder(wrapped(family))
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
    decode = TokenDecoder(wrapped(family))
    for cut in range(1, len(ids)):
        assert streamed(decode, ids[:cut], ids[cut:])[0].text == "return x + 1"[len(decode(ids[:cut])) :]


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, stops=st.lists(st.text(st.sampled_from("def\n rx"), min_size=1, max_size=4), max_size=3))
def test_text_is_cut_before_the_first_stop_string(text, stops):
    tokenizer = FAMILIES["byte_level"]
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    stream, used = streamed(TokenDecoder(wrapped("byte_level")), [], ids, stops)
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
    stream, _ = streamed(TokenDecoder(wrapped("byte_level")), [], ids, [stop])
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
    decode = TokenDecoder(tokenizer)
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
        # what so many tokens give by themselves, without bytes that are no character yet
        alone = TextStream(decode, ids[:cut], ())
        for token in ids[cut : cut + count]:
            alone.push(token)
        if count == used:
            alone.finish()
        assert alone.text[: len(stream.text)] == stream.text[:end]


def test_bytes_of_one_character_end_with_it():
    tokenizer = FAMILIES["byte_level"]
    ids = tokenizer.encode("a🦊b").ids
    assert len(ids) > 3
    ends = streamed(TokenDecoder(wrapped("byte_level")), [], ids)[0].ends(len(ids))
    assert ends == (1, *[1] * (len(ids) - 3), 2, 3)


def test_a_stop_string_may_cross_tokens_and_the_longer_of_two_at_one_place_is_named():
    tokenizer = FAMILIES["byte_level"]
    ids = [
        i
        for piece in ("ab\n", "\n", "de", "f g")
        for i in tokenizer.encode(piece, add_special_tokens=False).ids
    ]
    stream, _ = streamed(TokenDecoder(wrapped("byte_level")), [], ids, ["\n\ndef", "\n\nd"])
    assert stream.text == "ab"
    assert stream.stop == "\n\nd"  # complete first, so sampling ends there


def test_bytes_that_never_become_a_character_do_not_hold_the_text_back():
    tokenizer = FAMILIES["byte_level"]
    alphabet = {v: k for k, v in zip(range(256), sorted(pre_tokenizers.ByteLevel.alphabet()), strict=True)}
    broken = tokenizer.token_to_id("Ã")  # byte 0xC3, the start of a two-byte character
    assert broken is not None
    assert alphabet
    ids = [broken] * 8 + tokenizer.encode("ok", add_special_tokens=False).ids
    stream, _ = streamed(TokenDecoder(wrapped("byte_level")), [], ids, ["ok"])
    assert stream.stop == "ok"
    assert set(stream.text) <= {"\ufffd"}


def test_special_tokens_leave_no_text():
    tokenizer = wrapped("byte_level")
    ids = [*tokenizer.encode("a"), tokenizer.eos_token_id, *tokenizer.encode("b")]
    assert streamed(TokenDecoder(tokenizer), [], ids)[0].text == "ab"


@pytest.mark.parametrize("family", DECODERS)
def test_text_pieces_ends_and_stops_are_those_of_all_tokens_decoded(family):
    rng = random.Random(family)
    assert [fault for _ in range(100) if (fault := fault_of(family, rng))] == []


@pytest.mark.slow
@pytest.mark.parametrize("family", DECODERS)
def test_text_pieces_ends_and_stops_are_those_of_all_tokens_decoded_in_many_texts(family):
    rng = random.Random(f"many {family}")
    assert [fault for _ in range(400) if (fault := fault_of(family, rng))] == []


@pytest.mark.parametrize("family", ["llama", "gemma", "metaspace_fallback", "prefixed"])
def test_neighbouring_characters_of_byte_tokens_stay_whole(family):
    tokenizer = wrapped("prefixed_bpe") if family == "prefixed" else tokenizer_of(family)
    ids = tokenizer("# 龘靐齉 龘", add_special_tokens=False)["input_ids"]
    assert sum(text.startswith("<0x") for text in tokenizer.convert_ids_to_tokens(ids)) >= 12
    text = tokenizer.decode(ids)
    assert text.strip() == "# 龘靐齉 龘"
    assert streamed(TokenDecoder(tokenizer), [], ids)[0].text == text


@pytest.mark.parametrize("family", ["llama", "byte_level", "byte_t5", "joined_words"])
def test_no_step_reads_all_tokens(family, monkeypatch):
    tokenizer = tokenizer_of(family)
    text = "turn x + 2 if ) " * 400
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    decoder, lengths = TokenDecoder(tokenizer), []

    class Counting:
        kind, lead, local = decoder.kind, decoder.lead, decoder.local

        def __call__(self, ids):
            lengths.append(len(ids))
            return decoder(ids)

    stream = TextStream(Counting(), ids[:50], ())
    for token in ids[50:]:
        stream.push(token)
    before_the_end = lengths.copy()
    stream.finish()
    assert stream.text == text_behind(family, ids[:50], ids[50:])
    # the prompt is read once where a decoder may look further back
    assert sorted(before_the_end)[-2] <= 64
    assert sum(lengths) < 40 * len(ids)


def test_a_run_of_bytes_that_breaks_takes_back_the_characters_before_it():
    tokenizer, decoder = tokenizer_of("llama"), decoder_for("llama")
    byte = {i: tokenizer.convert_tokens_to_ids(f"<0x{i:02X}>") for i in (0xE9, 0xBE, 0x98, 0x0A)}
    whole = [byte[0xE9], byte[0xBE], byte[0x98]]
    (prompt,) = [tokenizer("def", add_special_tokens=False)["input_ids"]]
    stream = TextStream(decoder, prompt, ["\n"])
    for token in whole:
        assert not stream.push(token)
    assert (stream.text, stream.settled) == ("龘", 0)
    assert not stream.push(byte[0xE9])
    assert not stream.push(byte[0x0A])
    assert not stream.push(prompt[-1])
    assert stream.text.startswith("\ufffd" * 5)
    assert stream.settled == len(stream.text)
    # a line end is one while all bytes so far are characters
    other = TextStream(decoder, prompt, ["\n"])
    assert [other.push(token) for token in [*whole, byte[0x0A]]] == [False, False, False, True]
    assert (other.text, other.kept_tokens(), other.ends(3)) == ("龘", 3, (0, 0, 1))


def test_bytes_at_the_end_of_the_prompt_are_not_changed_by_what_follows():
    tokenizer, decoder = tokenizer_of("llama"), decoder_for("llama")
    line_end, broken = (tokenizer.convert_tokens_to_ids(f"<0x{i}>") for i in ("0A", "E9"))
    word = tokenizer.convert_tokens_to_ids("x")
    for prompt in ([word, line_end], [line_end], [tokenizer.bos_token_id, line_end]):
        assert streamed(decoder, prompt, [broken, broken, word])[0].text == "\ufffd\ufffdx"
        assert streamed(decoder, prompt, [line_end, word])[0].text == "\nx"


def test_a_decoder_that_looks_across_tokens_is_read_again_once_its_windows_fail():
    tokenizer = tokenizer_of("looks_across_tokens")
    space, word = (tokenizer.convert_tokens_to_ids(each) for each in ("▁", "x"))
    ids = [word, *[space] * 61, word, *[space] * 30, word, word]
    stream, _ = streamed(decoder_for("looks_across_tokens"), [word], ids, ["_ x", "xx"])
    exact = text_behind("looks_across_tokens", [word], ids)
    assert stream.text == exact[: exact.index("_ x")]


def test_only_stop_strings_that_are_a_whole_special_token_count_as_such():
    tokenizer = wrapped("byte_level")
    tokenizer.add_tokens("plain")
    stops = ["</s>", "</s>\n", "plain", "def"]
    assert special_stops(tokenizer, stops) == {tokenizer.eos_token_id: "</s>"}
