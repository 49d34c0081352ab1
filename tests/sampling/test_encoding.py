"""Whether the tokens of a prompt are the first ones of the prompt with what follows it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.sampling.checkpoint import load_checkpoint
from codesample.sampling.encoding import boundary_of, text_ids
from codesample.testing.models import byte_tokenizer, random_model
from codesample.testing.tokenizer_families import FAMILIES, family_tokenizer

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


@pytest.mark.parametrize("bos", [False, True], ids=["no_bos", "bos"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("ending", "parts"), [("line end", LINE_END), ("stripped", STRIPPED), ("indented", INDENTED)]
)
def test_the_last_token_is_that_of_prompt_and_reference_or_the_split_is_told(family, bos, ending, parts):
    tokenizer = family_tokenizer(family, bos=bos)
    prompt, continuation = parts
    found = boundary_of(tokenizer, prompt, continuation)
    together = tokenizer(prompt + continuation)["input_ids"]
    assert list(found.apart) == tokenizer(prompt)["input_ids"]
    assert list(found.together) == together
    assert found.holds == (together[: len(found.apart)] == list(found.apart))
    assert found.holds == (ending not in SPLITS[family])
    assert bool(found.notice) != found.holds
    assert (found.apart[0] == tokenizer.bos_token_id) == bos


def test_the_notice_names_both_tokens():
    tokenizer = family_tokenizer("byte_level")
    assert "alone the prompt ends in '\\n'" in boundary_of(tokenizer, *LINE_END).notice
    assert "before what follows '\\n   ' stands there" in boundary_of(tokenizer, *LINE_END).notice
    tokenizer = family_tokenizer("prefixed_bpe", bos=True)
    assert "ends in ' ', and before what follows ' return'" in boundary_of(tokenizer, *INDENTED).notice


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(
    prompt=st.text(st.sampled_from("def (x):\n  é日"), min_size=1, max_size=12),
    continuation=st.text(st.sampled_from("return x\n  1é日"), max_size=12),
)
def test_a_boundary_holds_exactly_where_one_begins_with_the_other(family, prompt, continuation):
    tokenizer = family_tokenizer(family, bos=True)
    found = boundary_of(tokenizer, prompt, continuation)
    assert found.apart[: found.common] == found.together[: found.common]
    assert found.holds == (found.together[: len(found.apart)] == found.apart)
    if not continuation:
        assert found.holds


def test_what_a_tokenizer_puts_behind_a_text_does_not_break_its_boundary():
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    assert boundary_of(tokenizer, *LINE_END).holds
    loaded = load_checkpoint(random_model("llama"), tokenizer=tokenizer)
    assert loaded.boundary(*LINE_END) == boundary_of(tokenizer, *LINE_END)
    assert loaded.boundary(*LINE_END).apart == loaded.encode(PROMPT)


def test_lone_surrogates_are_refused():
    with pytest.raises(ParameterError, match="lone surrogates"):
        text_ids(byte_tokenizer(), "a\ud800", eos_ids=())
