"""A model looked at without its weights: the tokens are those of sampling, and nothing large is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.engines.model_options import ModelOptions
from codesample.errors import ModelError, ParameterError, UnknownNameError
from codesample.records import Message, Request, SamplingParams
from codesample.sampling.checkpoint import load_checkpoint, load_without_weights
from codesample.sampling.outline import Outline

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def test_it_is_the_loaded_model_less_its_numbers() -> None:
    seen, loaded = load_without_weights("tiny"), load_checkpoint("tiny", device="cpu")
    assert (seen.eos_ids, seen.max_positions) == (loaded.eos_ids, loaded.max_positions)
    assert seen.kv_shapes == loaded.kv_shapes
    assert seen.describe()["parameters"] == loaded.describe()["parameters"]
    assert all(each.is_meta for each in seen.model.parameters())
    text = "def add(x):\n    return"
    assert seen.encode(text) == loaded.encode(text)


def test_no_weights_need_be_there(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded(eos_token_id=[257, 12]))))
    assert {each.id for each in outline.end_tokens("x")} >= {12, 257}
    assert outline.max_positions == 512
    assert outline.abilities == {"logprobs", "confidence", "prompt_logprobs", "stop_words"}
    assert outline.template is None


def test_a_template_makes_it_take_messages(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded(template=TEMPLATE))))
    assert "chat" in outline.abilities
    prompt = (Message("user", "Add one.\n"),)
    assert outline.decode(outline.encode(prompt)) == "<|user|>Add one.\n<|end|>"
    assert outline.texts(outline.encode(prompt))[-1].text == "<|end|>"


@pytest.mark.parametrize("name", ["nothing", "./nothing"])
def test_what_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError):
        Outline(ModelOptions(name))


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        Outline(ModelOptions(str(tmp_path)))


@given(st.text(alphabet="ab \n\t\"'é€😀", max_size=12))
def test_tokens_give_their_texts(text: str) -> None:
    outline = tiny()
    ids = outline.encode("x" + text)
    assert len(outline.texts(ids)) == len(ids)
    assert all(each.text for each in outline.texts(ids))


def test_a_part_of_a_character_is_shown_as_the_vocabulary_has_it(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded())))
    assert "\ufffd" not in "".join(each.text for each in outline.texts(outline.encode("€")))


def test_an_end_of_turn_ends_answers_and_no_texts(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded(template=TEMPLATE))))
    ends = {each.text for each in outline.end_tokens((Message("user", "Add."),))}
    assert ends - {each.text for each in outline.end_tokens("Add.")} == {"<|end|>"}


def test_where_a_prompt_ends_is_compared_with_the_whole() -> None:
    sound = tiny().boundary("def add(x):\n", "    return x\n")
    assert sound is not None
    assert sound.holds
    split = tiny().boundary("def add(x):\n  ", "  return x\n")
    assert split is not None
    assert not split.holds
    assert split.own == "  "
    assert split.joined.startswith("   ")


def test_answers_are_joined_behind_the_template(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded(template=TEMPLATE))))
    prompt = (Message("user", "Add."),)
    found = outline.boundary(prompt, "\ndef f(): pass")
    assert found is not None
    assert found.holds
    assert found.apart == outline.encode(prompt)
    assert outline.decode(found.together).endswith("\ndef f(): pass")


def test_what_a_template_does_unasked_is_said(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded(template="<s><s>" + TEMPLATE))))
    assert any("twice" in each for each in outline.notices((Message("user", "Add."),)))
    assert outline.notices("<s><s>") == ()


def test_memory_is_planned_from_the_configuration(unloaded: Callable[..., Path]) -> None:
    outline = Outline(ModelOptions(str(unloaded()), device="cpu"))
    requests = [Request(f"t/{at}", "def f():\n", tuple(range(8))) for at in range(3)]
    plan = outline.memory(requests, SamplingParams(max_new_tokens=20))
    # three layers, two heads of width 16, keys and values, four bytes
    assert plan.per_candidate == 3 * 2 * 16 * 2 * 4 * 20
    assert (plan.rows, plan.device, plan.dtype) == (24, "cpu", "float32")
    assert plan.weights == sum(p.numel() * 4 for p in load_without_weights(outline.name).model.parameters())
    assert 0 < plan.budget < plan.free
    assert not plan.fault
    half = Outline(ModelOptions(outline.name, device="cpu", dtype="bfloat16", max_rows=4))
    smaller = half.memory(requests, SamplingParams(max_new_tokens=20))
    assert (smaller.weights, smaller.rows) == (plan.weights // 2, 4)


def test_a_store_that_does_not_fit_is_said_and_no_error(
    unloaded: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    outline = Outline(ModelOptions(str(unloaded()), device="cpu"))
    requests = [Request("t/0", "def f():\n", (0,))]
    weights = outline.memory(requests, SamplingParams()).weights
    for free, fault in (
        (weights - 1, "the weights do not fit"),
        (weights + 10, "one candidate of the longest"),
    ):
        monkeypatch.setattr("codesample.sampling.outline.free_memory", lambda device, free=free: free)
        assert fault in outline.memory(requests, SamplingParams()).fault


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ParameterError, match="device"):
        Outline(ModelOptions("tiny", device="cuda:99")).memory([], SamplingParams())


_TINY: list[Outline] = []


def tiny() -> Outline:
    if not _TINY:
        _TINY.append(Outline(ModelOptions("tiny", device="cpu")))
    return _TINY[0]


def test_what_a_policy_keeps_is_what_memory_is_planned_for() -> None:
    request, params = Request("a", "x = 1\n" * 400, (0, 1)), SamplingParams(max_new_tokens=40)
    with pytest.raises(ParameterError, match="takes 1024 in all"):
        Outline(ModelOptions("tiny")).memory([request], params)
    frozen = Outline(ModelOptions("tiny", policy="prefill=cascade(capacity=64, levels=2, first=4)"))
    assert frozen.room_behind(2000) == 1024 - 68
    assert frozen.memory([request], params).shared == 68
    short = Request("a", "x = 1\n" * 40, (0, 1))
    plain = Outline(ModelOptions("tiny")).memory([short], params)
    rings = Outline(ModelOptions("tiny", policy="decode_cache=cascade(capacity=8, levels=2, first=3)"))
    packed = Outline(ModelOptions("tiny", policy="storage=int8(guard=0)")).memory([short], params)
    assert plain.per_candidate is not None
    assert plain.store is not None
    assert packed.store is not None
    assert rings.memory([short], params).per_candidate == plain.per_candidate * 12 // 40
    assert packed.store < 0.8 * plain.store
    below = Outline(ModelOptions("tiny", policy="storage=int8"))
    assert below.memory([short], params).store == plain.store
