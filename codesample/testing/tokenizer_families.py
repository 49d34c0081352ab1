"""Tokenizers of the families that code models have, trained small on the spot, and their chat templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

__all__ = ["CHAT_TEMPLATES", "CORPUS", "FAMILIES", "ChatTemplate", "family_tokenizer"]

CORPUS = [
    "def f(x):\n    return x + 1\n",
    'def add(a, b):\n    """Return the sum of a and b."""\n    return a + b\n',
    "for i in range(3):\n    for j in range(i):\n        print(i, j)\n        pass\n",
    "naïve café — 日本語 🎉🎉 emoji",
    "a  b   c    d\n\n\tif x: pass",
    "print('hello world')",
    "user\nWrite a function, please.\nassistant\n```python\n",
] * 3
"""What the tokenizers are trained on."""

_BOS, _EOS, _UNKNOWN = "<s>", "</s>", "<unk>"


class ChatTemplate(NamedTuple):
    """A template in the manner of a family of chat models.

    Attributes:
        source: Jinja.
        tokens: Special tokens that it writes besides BOS and EOS.
        end: What it writes behind an assistant's turn.
        system: What it does to a system turn: "keeps", "drops", "doubles" or "refuses" it.
        strips: Whether it strips white space around what is said.
    """

    source: str
    tokens: tuple[str, ...]
    end: str
    system: str = "keeps"
    strips: bool = False


def _each_turn(turn: str, *, before: str = "", opening: str) -> str:
    generation = "{% if add_generation_prompt %}{{ " + opening + " }}{% endif %}"
    return before + "{% for m in messages %}" + turn + "{% endfor %}" + generation


_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
_CHATML_TURN = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
_OPEN = "'<|im_start|>assistant\\n'"
_NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role here') }}{% endif %}"

CHAT_TEMPLATES = {
    "chatml": ChatTemplate(
        _each_turn(
            _CHATML_TURN,
            before="{% if messages[0].role != 'system' %}"
            "<|im_start|>system\nBe of help.<|im_end|>\n{% endif %}",
            opening=_OPEN,
        ),
        _CHATML_TOKENS,
        end="<|im_end|>",
    ),
    # writes BOS itself and strips what is said
    "headers": ChatTemplate(
        _each_turn(
            "{{ '<|head|>' + m.role + '<|body|>\\n\\n' + m.content | trim + '<|over|>' }}",
            before="{{ bos_token }}",
            opening="'<|head|>assistant<|body|>\\n\\n'",
        ),
        ("<|head|>", "<|body|>", "<|over|>"),
        end="<|over|>",
        strips=True,
    ),
    # two roles in turn, no other; ends turns with EOS
    "brackets": ChatTemplate(
        _each_turn(
            "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
            "{{ raise_exception('roles must take turns') }}{% endif %}"
            "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
            "{% else %}{{ ' ' + m.content | trim + eos_token }}{% endif %}",
            before="{{ bos_token }}",
            opening="''",
        ),
        ("[INST]", "[/INST]"),
        end=_EOS,
        system="refuses",
        strips=True,
    ),
    "turns": ChatTemplate(
        _each_turn(
            "{{ '<turn>' + ('model' if m.role == 'assistant' else m.role) }}"
            "{{ '\\n' + m.content | trim + '</turn>\\n' }}",
            before="{{ bos_token }}" + _NO_SYSTEM,
            opening="'<turn>model\\n'",
        ),
        ("<turn>", "</turn>"),
        end="</turn>",
        system="refuses",
        strips=True,
    ),
    # thinks before it answers, unless it is told not to, and forgets what it thought before
    "thinking": ChatTemplate(
        _each_turn(
            "{% if m.role == 'assistant' %}{{ '<|im_start|>assistant\\n' }}"
            "{% if loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
            "{{ m.content.split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}"
            "{% else %}" + _CHATML_TURN + "{% endif %}",
            opening=_OPEN + " + ('<think>\\n\\n</think>\\n\\n' if enable_thinking is defined and "
            "enable_thinking is false else '')",
        ),
        _CHATML_TOKENS,
        end="<|im_end|>",
    ),
    # opens the thinking itself; system text stands bare at the front
    "opened_thinking": ChatTemplate(
        _each_turn(
            "{% if m.role == 'user' %}{{ '<|User|>' + m.content }}"
            "{% elif m.role == 'assistant' %}"
            "{{ '<|Assistant|>' + m.content.split('</think>')[-1] + eos_token }}{% endif %}",
            before="{{ bos_token }}{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}",
            opening="'<|Assistant|><think>\\n'",
        ),
        ("<|User|>", "<|Assistant|>"),
        end=_EOS,
    ),
    # the next turn's mark is all that ends a turn
    "open_ended": ChatTemplate(
        _each_turn("{{ '<|' + m.role + '|>\\n' + m.content }}", opening="'<|assistant|>\\n'"),
        ("<|system|>", "<|user|>", "<|assistant|>"),
        end="<|user|>",
    ),
    "without_system": ChatTemplate(
        _each_turn("{% if m.role != 'system' %}" + _CHATML_TURN + "{% endif %}", opening=_OPEN),
        _CHATML_TOKENS,
        end="<|im_end|>",
        system="drops",
    ),
    "system_twice": ChatTemplate(
        _each_turn(
            "{% if m.role == 'system' %}" + _CHATML_TURN + "{% endif %}" + _CHATML_TURN, opening=_OPEN
        ),
        _CHATML_TOKENS,
        end="<|im_end|>",
        system="doubles",
    ),
}
"""Templates by what is special in them."""


def _byte_level(pattern: str | None) -> Tokenizer:
    """Byte-level BPE; by the pattern of GPT-2, or by another."""
    tokenizer = Tokenizer(models.BPE())
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), "isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, own])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _prefixed_bpe() -> Tokenizer:
    """SentencePiece's BPE: spaces as ▁, one put before a text; bytes as fall-back, also for line ends."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    first = [_UNKNOWN, _BOS, _EOS, *(f"<0x{i:02X}>" for i in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=450, special_tokens=first, show_progress=False)
    lines = [line for text in CORPUS for line in text.splitlines() if line.isascii()]
    tokenizer.train_from_iterator(lines, trainer)
    # byte tokens are ordinary ones when decoding, so they are no added tokens of the trained one
    stated = json.loads(tokenizer.to_str())
    stated["added_tokens"] = [each for each in stated["added_tokens"] if each["content"][:3] != "<0x"]
    return Tokenizer.from_str(json.dumps(stated))


def _unigram() -> Tokenizer:
    """SentencePiece's Unigram: spaces as ▁ before words."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, unk_token=_UNKNOWN, special_tokens=[_UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator([*CORPUS, *(c for text in CORPUS for c in text)], trainer)
    return tokenizer


FAMILIES: dict[str, Callable[[], Tokenizer]] = {
    "byte_level": lambda: _byte_level(None),
    # line ends stand alone, as in the patterns of later models
    "byte_level_lines": lambda: _byte_level(r" ?[A-Za-z]+|\d| ?[^\s\w]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "prefixed_bpe": _prefixed_bpe,
    "unigram": _unigram,
}
"""What trains a tokenizer of each family."""


@cache
def _trained(family: str) -> str:
    return FAMILIES[family]().to_str()


def family_tokenizer(
    family: str, *, bos: bool = False, template: ChatTemplate | None = None
) -> PreTrainedTokenizerFast:
    """Return a tokenizer of a family.

    Args:
        family: A key of `FAMILIES`.
        bos: Whether it puts BOS before a text.
        template: Its chat template, with the tokens that this writes.
    """
    backend = Tokenizer.from_str(_trained(family))
    backend.add_special_tokens([_BOS, _EOS])
    own = template.tokens if template else ()
    backend.add_special_tokens([AddedToken(each, special=True) for each in own])
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{_BOS} $A", special_tokens=[(_BOS, backend.token_to_id(_BOS))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=_BOS, eos_token=_EOS, clean_up_tokenization_spaces=False
    )
    if template is not None:
        tokenizer.chat_template = template.source
    return tokenizer
