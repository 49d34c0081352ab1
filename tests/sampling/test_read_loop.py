"""Given texts are read as they would have been drawn, by every kind of model and tokenizer."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from transformers.models.auto import AutoModelForCausalLM

import codesample.sampling.read_loop as read_loop
from codesample.errors import ModelError, ParameterError
from codesample.records import GivenText, Message
from codesample.sampling import Sampler
from codesample.testing.models import ARCHITECTURES, VOCABULARY, byte_tokenizer, random_model
from codesample.testing.tokenizer_families import CHAT_TEMPLATES, FAMILIES, family_tokenizer

PROMPTS = ("def f(x):\n", "def g(y):\n    return ", "a")
NUMBERS = ("logprobs", "certainties", "confidences")


def sampler_of(name: str, **options) -> Sampler:
    return Sampler(random_model(name).double(), tokenizer=byte_tokenizer(), **options)


def drawn(sampler: Sampler, prompts=PROMPTS, n=3, **params):
    settings = {"max_new_tokens": 24, "temperature": 1.0, "top_p": 1.0, "confidence": True, **params}
    return [(prompt, each) for prompt in prompts for each in sampler.sample(prompt, n, **settings)]


def given(pairs):
    return [GivenText(prompt, each.completion, each.token_ids) for prompt, each in pairs]


def require_equal(readings, pairs, within=1e-5):
    assert len(readings) == len(pairs)
    for reading, (_, candidate) in zip(readings, pairs, strict=True):
        assert (reading.token_ids, reading.token_ends) == (candidate.token_ids, candidate.token_ends)
        for name in NUMBERS:
            assert getattr(reading, name) == pytest.approx(getattr(candidate, name), abs=within), name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_candidates_are_read_as_they_were_drawn(name: str) -> None:
    sampler = sampler_of(name)
    pairs = drawn(sampler)
    require_equal(list(sampler.read(given(pairs))), pairs)


def test_the_built_in_model_reads_what_it_drew_to_the_bit() -> None:
    sampler = Sampler("tiny", device="cpu", dtype="float64")
    pairs = drawn(sampler, ("def add(a, b):\n",), n=8, max_new_tokens=60)
    require_equal(list(sampler.read(given(pairs))), pairs, within=0.0)


@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_candidates_that_a_stop_cut_are_read_up_to_there(name: str) -> None:
    sampler = sampler_of(name)
    whole = max((each.completion for _, each in drawn(sampler)), key=len)
    pairs = drawn(sampler, stop=(whole[len(whole) // 2],))
    assert any(each.stop for _, each in pairs)
    require_equal(list(sampler.read(given(pairs))), pairs)


@pytest.mark.parametrize("name", ["llama", "gemma2", "bloom"])
def test_small_passes_and_windows_read_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = sampler_of(name)
    pairs = drawn(sampler)
    monkeypatch.setattr(read_loop, "_MOST", 7)
    monkeypatch.setattr(read_loop, "_FEWEST", 7)
    monkeypatch.setattr(read_loop, "_WINDOW", 40)
    told: list[int] = []
    require_equal(list(sampler.read(given(pairs), progress=told.append)), pairs)
    assert len(told) > 8
    assert sum(told) == sum(len(each.token_ids) for _, each in pairs)


def test_no_pass_holds_more_logits_than_it_may(monkeypatch: pytest.MonkeyPatch, llama) -> None:
    sampler = Sampler(llama, tokenizer=byte_tokenizer())
    monkeypatch.setattr(read_loop, "_LOGITS_BYTES", 4 * 259 * 40)
    sizes: list[int] = []
    hook = llama.lm_head.register_forward_hook(lambda module, args, out: sizes.append(out.shape[-2]))
    try:
        texts = [GivenText("prompt " * 30, "t" * size) for size in (3, 90, 1, 50)]
        # with the hook it is another model, which is looked at first
        list(sampler.read([]))
        sizes.clear()
        assert [len(each.logprobs) for each in sampler.read(texts)] == [3, 90, 1, 50]
    finally:
        hook.remove()
    assert max(sizes) == 40
    # the prompt is read once, and of it no logits are kept
    assert sum(sizes) == 1 + 3 + 90 + 1 + 50


def test_texts_come_in_the_order_given_whatever_they_share() -> None:
    sampler = sampler_of("llama")
    texts = [GivenText(p, "x" * size) for size in (5, 1, 9) for p in PROMPTS]
    together = list(sampler.read(texts))
    for text, reading in zip(texts, together, strict=True):
        (alone,) = sampler.read([text])
        assert reading.token_ids == alone.token_ids
        assert reading.logprobs == pytest.approx(alone.logprobs, abs=1e-6)


def test_the_log_probability_is_that_of_the_models_own_logits() -> None:
    model = random_model("llama").double()
    tokenizer = byte_tokenizer()
    (reading,) = Sampler(model, tokenizer=tokenizer).read([GivenText("abc", "de")])
    ids = tokenizer("abcde")["input_ids"]
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    before = len(ids) - 2
    assert reading.prompt_tokens == before
    expected = [logprobs[before - 1 + i, ids[before + i]].item() for i in range(2)]
    assert reading.logprobs == pytest.approx(expected, abs=1e-6)
    mean = -logprobs[before - 1 : -1].mean(-1)
    certainties = (mean - torch.tensor(float(logprobs.shape[-1])).double().log()).tolist()
    assert reading.certainties == pytest.approx(certainties, abs=1e-5)


def test_an_empty_text_has_no_tokens_wherever_it_stands() -> None:
    sampler = sampler_of("llama")
    texts = [GivenText("a", ""), GivenText("a", "b"), GivenText("c", "", ())]
    readings = list(sampler.read(texts))
    assert [len(each.logprobs) for each in readings] == [0, 1, 0]
    assert [each.prompt_tokens for each in readings] == [1, 1, 1]
    assert list(sampler.read([texts[0]])) == readings[:1]
    assert list(sampler.read([])) == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bos", [False, True])
def test_a_text_of_any_letters_is_tokenised_behind_the_prompts_own_tokens(family: str, bos: bool) -> None:
    tokenizer = family_tokenizer(family, bos=bos)
    model = random_model("llama", vocabulary=max(VOCABULARY, len(tokenizer))).double()
    sampler = Sampler(model, tokenizer=tokenizer)
    decode = tokenizer.backend_tokenizer.decode
    prompts = ("def f(x):\n", "def f(x):\n    ", "return", "x = ", "é")
    texts = ("return x", " x", "\n", "    y\n\n", "(", "turn 1", "é☃", "\tz")
    pairs = [(prompt, text) for prompt in prompts for text in texts]
    readings = list(sampler.read([GivenText(*pair) for pair in pairs]))
    for (prompt, text), reading in zip(pairs, readings, strict=True):
        ids = sampler.checkpoint.encode(prompt)
        assert reading.prompt_tokens == len(ids)
        assert reading.token_ends[-1] == len(text)
        whole = decode([*ids, *reading.token_ids], skip_special_tokens=False)
        before = decode(list(ids), skip_special_tokens=False)
        if family != "unigram":
            # which has no tokens for letters that it did not see
            assert whole == before + text, (prompt, text)


def test_a_border_that_the_tokenizer_joins_stays_a_border() -> None:
    tokenizer = family_tokenizer("byte_level")
    sampler = Sampler(random_model("llama", vocabulary=len(tokenizer)), tokenizer=tokenizer)
    prompt, text = "    re", "turn x"
    ids = sampler.checkpoint.encode(prompt)
    joined = sampler.checkpoint.encode(prompt + text)
    assert joined[: len(ids)] != ids
    (reading,) = sampler.read([GivenText(prompt, text)])
    assert reading.prompt_tokens == len(ids)
    assert tokenizer.decode(reading.token_ids) == text


def test_a_text_behind_a_border_that_holds_is_tokenised_as_in_training() -> None:
    tokenizer = family_tokenizer("byte_level")
    sampler = Sampler(random_model("llama", vocabulary=len(tokenizer)), tokenizer=tokenizer)
    prompt, text = "def f(x):", "\n    return x\n"
    ids, joined = sampler.checkpoint.encode(prompt), sampler.checkpoint.encode(prompt + text)
    (reading,) = sampler.read([GivenText(prompt, text)])
    assert (*ids, *reading.token_ids) == joined


@pytest.mark.parametrize("template", CHAT_TEMPLATES)
def test_answers_to_messages_are_read_as_they_were_drawn(template: str) -> None:
    tokenizer = family_tokenizer("byte_level", template=CHAT_TEMPLATES[template])
    model = random_model("llama", vocabulary=len(tokenizer)).double()
    sampler = Sampler(model, tokenizer=tokenizer)
    asked = (Message("user", "Add two numbers."),)
    pairs = [
        (asked, each) for each in sampler.sample(asked, 3, max_new_tokens=20, confidence=True, top_p=1.0)
    ]
    require_equal(list(sampler.read(given(pairs))), pairs)
    (reading,) = sampler.read([GivenText(asked, "\n\nSure: x = 1")])
    assert tokenizer.decode(reading.token_ids) == "\n\nSure: x = 1"


def test_messages_with_a_begun_answer_go_on_with_it() -> None:
    tokenizer = family_tokenizer("byte_level", template=CHAT_TEMPLATES["chatml"])
    sampler = Sampler(random_model("llama", vocabulary=len(tokenizer)).double(), tokenizer=tokenizer)
    asked = (Message("user", "Add."), Message("assistant", "```python\n"))
    pairs = [(asked, each) for each in sampler.sample(asked, 2, max_new_tokens=9, confidence=True)]
    require_equal(list(sampler.read(given(pairs))), pairs)


def test_special_tokens_in_a_text_are_read_as_what_they_are() -> None:
    tokenizer = family_tokenizer("byte_level")
    sampler = Sampler(random_model("llama", vocabulary=len(tokenizer)), tokenizer=tokenizer)
    (reading,) = sampler.read([GivenText("a", f"b{tokenizer.eos_token}")])
    assert reading.token_ids[-1] == tokenizer.eos_token_id
    assert reading.token_ends[-1] == 1 + len(tokenizer.eos_token)


def test_rotary_positions_change_where_they_did_when_it_was_drawn() -> None:
    config = deepcopy(ARCHITECTURES["phi3"])
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    given_sizes = {"max_position_embeddings": 128, "original_max_position_embeddings": 32}
    config = type(config)(**{**config.to_dict(), **given_sizes, "rope_parameters": rope})
    torch.manual_seed(0)
    sampler = Sampler(AutoModelForCausalLM.from_config(config).double().eval(), tokenizer=byte_tokenizer())
    assert sampler.checkpoint.rope_switch == 32
    pairs = drawn(sampler, ("short ", "a prompt of 28 letters, here", "x" * 40), max_new_tokens=20)
    require_equal(list(sampler.read(given(pairs))), pairs)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GivenText("a", "b" * 600), r"text 1 to be read: the prompt has 1 tokens, the text 600.*shorten"),
        (GivenText("", "b"), "text 1 to be read: the prompt gives no tokens"),
        (GivenText("a", "b", (9999,)), "token 9999 is none of the 259"),
        (GivenText("a", "b", (-1,)), "token -1 is none"),
        (GivenText("a", "b", (66,)), "its tokens spell 'c', and it is 'b'"),
        (GivenText("a", "b\ud800"), "lone surrogates"),
        (GivenText((Message("user", "a"),), "b"), "has no chat template"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is(llama, text: GivenText, complaint: str) -> None:
    tokenizer = byte_tokenizer()
    if complaint.endswith("gives no tokens"):
        tokenizer.bos_token = None
    sampler = Sampler(llama, tokenizer=tokenizer)
    with pytest.raises(ParameterError, match=complaint):
        sampler.read([GivenText("a", "b"), text])


def test_as_many_tokens_as_there_are_positions_can_be_read(llama) -> None:
    sampler = Sampler(llama, tokenizer=byte_tokenizer())
    most = sampler.checkpoint.max_positions
    (reading,) = sampler.read([GivenText("a", "b" * (most - 1))])
    assert len(reading.logprobs) == most - 1
    with pytest.raises(ParameterError, match=f"takes {most} in all"):
        sampler.read([GivenText("a", "b" * most)])


def test_logits_that_are_no_numbers_are_refused() -> None:
    model = random_model("llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="logits that are not numbers"):
        list(Sampler(model, tokenizer=byte_tokenizer()).read([GivenText("a", "b")]))


def test_reading_leaves_sampling_as_it_was() -> None:
    sampler = sampler_of("llama")
    before = drawn(sampler)
    stream = sampler.read(given(before))
    next(stream)
    # in the middle of reading
    assert drawn(sampler) == before
    assert len(list(stream)) == len(before) - 1


def test_changed_weights_are_read_by_at_once() -> None:
    sampler = sampler_of("llama")
    (first,) = sampler.read([GivenText("a", "bc")])
    with torch.no_grad():
        sampler.checkpoint.model.lm_head.weight.mul_(0.5)
    (second,) = sampler.read([GivenText("a", "bc")])
    assert second.logprobs != first.logprobs
    assert replace(second, **{name: getattr(first, name) for name in NUMBERS}) == first
