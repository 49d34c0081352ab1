"""Whether the tokens of a prompt are the first ones of the prompt with what follows it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.records import Message
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.encoding import boundary_of, text_ids
from codesample.testing.models import byte_tokenizer, random_model
from codesample.testing.tokenizer_families import CHAT_TEMPLATES, FAMILIES, family_tokenizer

PROMPT = 'def add(a, b):\n    """Return the sum of a and b."""\n'
BODY = "    return a + b\n"
# prompts as data sets end them, and the families that read their last token otherwise before a body
LINE_END, STRIPPED, INDENTED = (
    (PROMPT, BODY),
    (PROMPT.rstrip("\n"), "\n" + BODY),
    (PROMPT + "    ", BODY.lstrip(" ")),
)
SPLITS = {
    "byte_level": {"line end", "indented"},
    # quotes take the line end behind them along
    "byte_level_lines": {"stripped", "indented"},
    "prefixed_bpe": {"indented"},
    "unigram": set(),
}


def boundary(tokenizer, prompt, continuation):
    apart, together = (text_ids(tokenizer, text, eos_ids=()) for text in (prompt, prompt + continuation))
    return boundary_of(tokenizer, apart, together)


@pytest.mark.parametrize("bos", [False, True], ids=["no_bos", "bos"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("ending", "parts"), [("line end", LINE_END), ("stripped", STRIPPED), ("indented", INDENTED)]
)
def test_the_last_token_is_that_of_prompt_and_reference_or_the_split_is_told(family, bos, ending, parts):
    tokenizer = family_tokenizer(family, bos=bos)
    prompt, continuation = parts
    found = boundary(tokenizer, prompt, continuation)
    together = tokenizer(prompt + continuation)["input_ids"]
    assert list(found.apart) == tokenizer(prompt)["input_ids"]
    assert list(found.together) == together
    assert found.holds == (together[: len(found.apart)] == list(found.apart))
    assert found.holds == (ending not in SPLITS[family])
    assert (found.apart[0] == tokenizer.bos_token_id) == bos


@pytest.mark.parametrize(
    ("family", "parts", "joined"),
    [
        ("byte_level", LINE_END, ["ĊĠĠĠ"]),
        ("byte_level_lines", STRIPPED, ['."""Ċ']),
        ("byte_level_lines", INDENTED, ["ĠĠĠ", "Ġreturn"]),
        ("prefixed_bpe", INDENTED, ["▁return"]),
    ],
)
def test_a_split_names_the_tokens_that_training_had(family, parts, joined):
    tokenizer = family_tokenizer(family, bos=True)
    assert tokenizer.convert_ids_to_tokens(boundary(tokenizer, *parts).joined) == joined


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(
    prompt=st.text(st.sampled_from("def (x):\n  é日"), min_size=1, max_size=12),
    continuation=st.text(st.sampled_from("return x\n  1é日"), max_size=12),
)
def test_a_boundary_holds_exactly_where_one_begins_with_the_other(family, prompt, continuation):
    tokenizer = family_tokenizer(family, bos=True)
    found = boundary(tokenizer, prompt, continuation)
    assert found.holds == (found.together[: len(found.apart)] == found.apart)
    if not found.holds:
        at = next(i for i, token in enumerate(found.together) if found.apart[i : i + 1] != (token,))
        assert found.joined == found.together[at : at + len(found.joined)]
    if not continuation:
        assert found.holds


def test_a_checkpoint_compares_what_it_encodes():
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    loaded = load_checkpoint(random_model("llama"), tokenizer=tokenizer)
    found = loaded.boundary(*LINE_END)
    assert found.holds
    assert found.apart == loaded.encode(PROMPT)


def test_a_checkpoint_compares_behind_its_template():
    tokenizer = family_tokenizer("byte_level_lines", bos=True, template=CHAT_TEMPLATES["chatml"])
    loaded = load_checkpoint(random_model("llama", vocabulary=len(tokenizer)), tokenizer=tokenizer)
    asked = Message("user", "Write f.")
    assert loaded.boundary((asked,), BODY).holds
    assert not loaded.boundary((asked, Message("assistant", "def f():\n    ")), "return 1").holds
    lossy = family_tokenizer("prefixed_bpe", template=CHAT_TEMPLATES["headers"])
    loaded = load_checkpoint(random_model("llama", vocabulary=500), tokenizer=lossy)
    assert loaded.boundary((Message("user", "日 é £"),), BODY) is None


def test_lone_surrogates_are_refused():
    with pytest.raises(ParameterError, match="lone surrogates"):
        text_ids(byte_tokenizer(), "a\ud800", eos_ids=())
