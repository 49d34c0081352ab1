"""Messages become what `apply_chat_template` makes of them, and what ends an answer is read off it."""

from __future__ import annotations

import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.records import FinishReason, Message, Request, SamplingParams, prompt_from
from codesample.sampling import Sampler
from codesample.sampling.chat import chat_ends, chat_ids, chat_notices, takes_messages
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.native import NATIVE_ABILITIES
from codesample.testing.models import byte_tokenizer, random_model
from codesample.testing.tokenizer_families import CHAT_TEMPLATES, FAMILIES, family_tokenizer

SYSTEM = Message("system", " You write Python.\n")
USER = Message("user", "Write add(a, b): naïve 日本\n\n    spaces  kept? ")
BEGUN = Message("assistant", "```python\n")
CONVERSATIONS = {
    "user": (USER,),
    "system": (SYSTEM, USER),
    "begun": (USER, BEGUN),
    "all": (SYSTEM, USER, BEGUN),
    "longer": (USER, Message("assistant", "<think>hm</think>def f(): pass"), Message("user", "Shorter.")),
    "an empty beginning": (USER, Message("assistant", "")),
}
# what stands at the end of a prompt that a message of the assistant's has begun
REFUSING = {name for name, template in CHAT_TEMPLATES.items() if template.system == "refuses"}


def expected(tokenizer, messages):
    begun = messages[-1].role == "assistant"
    return tokenizer.apply_chat_template(
        [{"role": each.role, "content": each.content} for each in messages],
        add_generation_prompt=not begun,
        continue_final_message=begun,
        tokenize=True,
        return_dict=True,
    )["input_ids"]


@pytest.mark.parametrize("bos", [False, True], ids=["no_bos", "bos"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", CHAT_TEMPLATES)
def test_prompts_are_what_apply_chat_template_gives(name, family, bos):
    template = CHAT_TEMPLATES[name]
    tokenizer = family_tokenizer(family, bos=bos, template=template)
    for kind, messages in CONVERSATIONS.items():
        if template.system == "refuses" and messages[0] is SYSTEM:
            with pytest.raises(ParameterError, match=r"takes no system turn .*leave it out"):
                chat_ids(tokenizer, messages, name="M")
            continue
        ids = chat_ids(tokenizer, messages, name="M")
        assert list(ids) == expected(tokenizer, messages), kind
        # once where the template writes it, never by the tokenizer
        assert ids.count(tokenizer.bos_token_id) == template.source.count("{{ bos_token }}"), kind


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(set(CHAT_TEMPLATES) - REFUSING)),
    said=st.lists(
        st.text(st.sampled_from("def x\n `日<|>/"), min_size=1, max_size=12), min_size=1, max_size=4
    ),
    system=st.none() | st.text(st.sampled_from("ab \n"), max_size=5),
)
def test_any_conversation_is_what_apply_chat_template_gives_or_is_refused(name, said, system):
    tokenizer = family_tokenizer("byte_level", bos=True, template=CHAT_TEMPLATES[name])
    roles = ("user", "assistant")
    turns = [Message(roles[number % 2], text) for number, text in enumerate(said)]
    messages = turns if system is None else [Message("system", system), *turns]
    try:
        wanted = expected(tokenizer, messages)
    except Exception:
        with pytest.raises(ParameterError):
            chat_ids(tokenizer, messages, name="M")
    else:
        assert list(chat_ids(tokenizer, messages, name="M")) == wanted


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", CHAT_TEMPLATES)
def test_the_token_behind_an_assistants_turn_ends_answers(name, family):
    template = CHAT_TEMPLATES[name]
    tokenizer = family_tokenizer(family, bos=True, template=template)
    assert chat_ends(tokenizer) == {tokenizer.convert_tokens_to_ids(template.end)}


@pytest.mark.parametrize(
    ("source", "ends"),
    [
        # one mark behind the last turn, another behind earlier ones
        (
            "{% for m in messages %}{{ m.content }}{{ '</s>' if loop.last else '<|im_end|>' }}{% endfor %}",
            {"</s>", "<|im_end|>"},
        ),
        # words alone
        ("{% for m in messages %}{{ '\n\n### ' + m.role + ':\n' + m.content }}{% endfor %}", set()),
        # a text between
        ("{% for m in messages %}{{ m.content + 'END</s>' }}{% endfor %}", set()),
        # refuses everything, leaves out what the assistant said
        ("{{ raise_exception('no') }}", set()),
        (
            "{% for m in messages %}{% if m.role == 'user' %}{{ m.content + '</s>' }}{% endif %}{% endfor %}",
            set(),
        ),
        ("{% for m in messages %}{{ m.content + '  \n</s>' }}{% endfor %}", {"</s>"}),
        ("{{ 1 / 0 }}", set()),
        ("{% for m in", set()),
    ],
)
def test_ends_are_read_off_what_a_template_writes(source, ends):
    tokenizer = family_tokenizer("byte_level", template=CHAT_TEMPLATES["chatml"]._replace(source=source))
    assert {tokenizer.convert_ids_to_tokens(i) for i in chat_ends(tokenizer)} == ends


def test_an_end_that_is_no_special_token_counts_and_the_longest_is_taken():
    tokenizer = family_tokenizer(
        "byte_level",
        template=CHAT_TEMPLATES["chatml"]._replace(
            source="{% for m in messages %}{{ m.content + '<over><all>' }}{% endfor %}"
        ),
    )
    tokenizer.add_tokens(["<over>", "<over><all>"])
    assert chat_ends(tokenizer) == {tokenizer.convert_tokens_to_ids("<over><all>")}


def with_template(source):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = source
    return tokenizer


PLAIN = "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "messages", "complaint"),
    [
        (None, (USER,), "M has no chat template; give a text, or choose an instruct model"),
        ("", (USER,), "M has no chat template"),
        ({"tool_use": PLAIN, "rag": PLAIN}, (USER,), "M has the chat templates 'rag', 'tool_use' and none"),
        (
            "{% if messages[-1].role != 'user' %}{{ raise_exception('ask first') }}{% endif %}" + PLAIN,
            (USER, BEGUN),
            r"M: its chat template cannot go on with the beginning of an answer, '```python\\n' "
            r"\(ask first\); leave the assistant's last message out \(--prefill\)",
        ),
        (
            "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
            (USER, BEGUN),
            "cannot go on with the beginning of an answer",
        ),
        (
            "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('x') }}{% endif %}"
            "{{ m.content }}{% endfor %}",
            (SYSTEM, USER, BEGUN),
            r"takes neither a system turn nor the beginning of an answer \(x\); leave both out",
        ),
        (
            "{{ raise_exception('needs tools\\nand more') }}{{ messages[0].content }}",
            (SYSTEM, USER, BEGUN),
            r"refuses these messages \(system, user, assistant\): needs tools$",
        ),
        ("{{ tools | length }}", (USER,), r"refuses these messages \(user\): .*NoneType"),
        ("{% for m in", (USER,), r"refuses these messages \(user\): "),
        ("{{ '' }}", (USER,), "makes no token of these messages"),
        (PLAIN, (Message("user", "\ud800"),), r"prompt\[0\] holds lone surrogates"),
    ],
)
def test_what_a_template_refuses_is_said_with_what_to_leave_out(template, messages, complaint):
    tokenizer = with_template(template)
    with pytest.raises(ParameterError, match=complaint) as error:
        chat_ids(tokenizer, messages, name="M")
    assert "\n" not in str(error.value)


def test_of_several_templates_the_default_is_taken():
    tokenizer = with_template({"default": PLAIN, "tool_use": "{{ 1 / 0 }}"})
    assert takes_messages(tokenizer)
    assert tokenizer.decode(chat_ids(tokenizer, (USER,), name="M")) == f"user:{USER.content}"
    # as tokenizers' settings spell several
    listed = type(tokenizer)(
        tokenizer_object=tokenizer.backend_tokenizer,
        chat_template=[{"name": "default", "template": PLAIN}, {"name": "rag", "template": "x"}],
    )
    assert chat_ids(listed, (USER,), name="M") == chat_ids(tokenizer, (USER,), name="M")
    assert not takes_messages(with_template({"rag": PLAIN}))


def test_settings_of_a_template_keep_their_defaults():
    tokenizer = family_tokenizer("byte_level", template=CHAT_TEMPLATES["thinking"])
    text = tokenizer.decode(chat_ids(tokenizer, (USER,), name="M"))
    assert text.endswith("assistant\n")
    assert "think" not in text


@pytest.mark.parametrize(
    ("name", "messages", "notices"),
    [
        ("chatml", (SYSTEM, USER, BEGUN), []),
        ("without_system", (SYSTEM, USER), ["leaves the system turn out"]),
        ("system_twice", (SYSTEM, USER), ["writes the system turn 2 times"]),
        ("headers", (SYSTEM, USER), []),
        ("headers", (USER, BEGUN), [r"strips the white space at the end .*'```python\\n'.* as '```python'"]),
        ("headers", (USER, Message("assistant", "```python")), []),
        ("headers", (Message("user", "<s>twice"),), []),
    ],
)
def test_what_a_template_does_unasked_is_told(name, messages, notices):
    tokenizer = family_tokenizer("byte_level", template=CHAT_TEMPLATES[name])
    found = chat_notices(tokenizer, messages)
    assert len(found) == len(notices)
    for notice, pattern in zip(found, notices, strict=True):
        assert re.search(pattern, notice)


def test_a_bos_in_the_first_message_and_a_date_are_told():
    tokenizer = with_template("{{ bos_token }}" + PLAIN.replace("m.role + ':' + ", ""))
    assert "twice" in chat_notices(tokenizer, (Message("user", "<s>hi"),))[0]
    dated = with_template("{{ strftime_now('%d') if false }}" + PLAIN)
    assert "from day to day" in chat_notices(dated, (USER,))[0]


def test_the_template_beside_a_tokenizer_is_found(tmp_path):
    tokenizer = byte_tokenizer()
    random_model("llama").save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert not load_checkpoint(tmp_path).takes_messages
    assert Sampler(tmp_path).abilities == NATIVE_ABILITIES
    (tmp_path / "chat_template.jinja").write_text(PLAIN)
    found = Sampler(tmp_path)
    assert found.abilities == NATIVE_ABILITIES | {"chat"}
    assert tokenizer.decode(found.checkpoint.encode((USER,))) == f"user:{USER.content}"


# a byte tokenizer whose turns end with its padding token
ENDED = "{% for m in messages %}{{ m.role + ':' + m.content + '<pad>' }}{% endfor %}"
PAD = 258


@pytest.fixture(scope="module", params=["llama", "bloom"])
def chatting(request):
    """A sampler for messages on either path, in a precision in which rounding moves no draw."""
    return Sampler(random_model(request.param, seed=1).double(), tokenizer=with_template(ENDED))


def test_the_templates_end_token_ends_answers_and_no_texts(chatting):
    settings = SamplingParams(max_new_tokens=120, temperature=1.2, top_p=1.0)
    messages = prompt_from([{"role": "user", "content": "Write f."}])
    text = chatting.checkpoint.tokenizer.decode(chatting.checkpoint.encode(messages))
    indices = tuple(range(24))
    answers = sorted(chatting.stream([Request("a", messages, indices)], settings), key=lambda c: c.index)
    texts = sorted(chatting.stream([Request("a", text, indices)], settings), key=lambda c: c.index)
    assert any(PAD in each.token_ids for each in texts)
    cut = 0
    for answer, whole in zip(answers, texts, strict=True):
        assert PAD not in answer.token_ids
        if PAD in whole.token_ids:
            cut += 1
            kept = whole.token_ids.index(PAD)
            assert answer.token_ids == whole.token_ids[:kept]
            assert answer.logprobs == pytest.approx(whole.logprobs[:kept])
            assert (answer.finish_reason, answer.stop) == (FinishReason.EOS, None)
            assert "<pad>" not in answer.completion
        else:
            assert answer.token_ids == whole.token_ids
    assert cut


def test_messages_and_texts_in_one_call_are_what_they_are_alone(chatting):
    settings = SamplingParams(max_new_tokens=30, temperature=1.2, top_p=1.0)
    messages = prompt_from([{"role": "user", "content": "Write f."}])
    asked = [Request("a", messages, (0, 1, 2)), Request("b", "def f", (0, 1)), Request("c", messages, (5,))]
    together = {(c.task_id, c.index): c for c in chatting.stream(asked, settings)}
    alone = {(c.task_id, c.index): c for each in asked for c in chatting.stream([each], settings)}
    assert len(together) == 6
    assert {key: c.token_ids for key, c in together.items()} == {key: c.token_ids for key, c in alone.items()}


def test_sample_takes_messages_as_dictionaries(chatting):
    asked = [{"role": "user", "content": "Write f."}, {"role": "assistant", "content": "def f"}]
    first = chatting.sample(asked, n=2, max_new_tokens=8)
    again = chatting.sample([Message(**each) for each in asked], n=2, max_new_tokens=8)
    assert [c.token_ids for c in first] == [c.token_ids for c in again]


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        (None, "prompt = None: expected a text or a list of messages"),
        (7, "prompt = 7: expected a text"),
        (b"def f", "prompt = b'def f': expected a text"),
        ([], r"prompt = \[\]: expected at least one message"),
        (["a", "b"], r"prompt = \['a', 'b'\]: expected one prompt .*for several call stream\(\[\.\.\.\]\)"),
        ({"role": "user", "content": "x"}, "prompt = .*one message given; put it into a list"),
        (USER, "prompt = Message.*one message given"),
        ([USER, None], r"prompt\[1\] = None: expected a message with role and content"),
        ([{"role": "user"}], r"prompt\[0\] = {'role': 'user'}: expected a message with role and content"),
        ([{"role": "user", "text": "x"}], r"prompt\[0\] = {'role': 'user', 'text'"),
        ([{}], r"prompt\[0\] = {}: expected a message"),
        ([{"role": "user", "content": None}], r"prompt\[0\]\['content'\] = None: expected a text"),
        (
            [{"role": "user", "content": [{"type": "text"}]}],
            r"prompt\[0\]\['content'\] = \[.*: expected a text",
        ),
        ([{"role": "", "content": "x"}], r"prompt\[0\]\['role'\] = '': expected system, user or assistant"),
    ],
)
def test_what_is_no_prompt_is_said_to_be_none(chatting, prompt, complaint):
    with pytest.raises(ParameterError, match=complaint):
        chatting.sample(prompt)
    with pytest.raises(ParameterError, match=complaint):
        Request("x", prompt, (0,))


def test_messages_need_a_template(llama, tokenizer):
    with pytest.raises(ParameterError, match="has no chat template; give a text"):
        Sampler(llama, tokenizer=tokenizer).sample([USER])


def test_notices_are_logged_once_in_a_call(caplog):
    template = CHAT_TEMPLATES["headers"]
    tokenizer = family_tokenizer("byte_level", template=template)
    sampler = Sampler(random_model("llama", vocabulary=len(tokenizer)), tokenizer=tokenizer)
    asked = [Request(str(i), (Message("user", str(i)), BEGUN), (0,)) for i in range(3)]
    with caplog.at_level(logging.WARNING):
        assert len(list(sampler.stream(asked, SamplingParams(max_new_tokens=2)))) == 3
    assert caplog.text.count("strips the white space") == 1


@pytest.mark.parametrize("name", ["chatml", "headers"])
def test_what_all_chats_begin_with_is_stored_once_and_changes_nothing(name):
    template = CHAT_TEMPLATES[name]
    tokenizer = family_tokenizer("byte_level", bos=True, template=template)
    model = random_model("llama", seed=2, vocabulary=len(tokenizer)).double()
    system = Message("system", "You write one Python function and say nothing about it. " * 2)
    instruction = "Write the function below in a fence. Keep its name.\n"
    asked = [
        Request(str(i), (system, Message("user", f"{instruction}def f{i}(x):"), BEGUN), (0, 1, 2))
        for i in range(5)
    ]
    params = SamplingParams(max_new_tokens=8)
    sharing, apart = (Sampler(model, tokenizer=tokenizer, prefix_cache=0) for _ in range(2))
    together = {(c.task_id, c.index): c.token_ids for c in sharing.stream(asked, params)}
    alone = {(c.task_id, c.index): c.token_ids for each in asked for c in apart.stream([each], params)}
    assert together == alone
    lengths = [len(sharing.checkpoint.encode(each.prompt)) for each in asked]
    header = len(sharing.checkpoint.encode((system, Message("user", f"{instruction}def f")))) // 2
    assert apart.cache_info.tokens_computed == sum(lengths)
    # what all begin with is computed for one of them
    saved = sum(lengths) - sharing.cache_info.tokens_computed
    assert saved % 4 == 0
    assert saved // 4 > max(64, header)
