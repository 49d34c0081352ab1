"""Tokenizers of every kind of decoder, and whether streamed text is what they decode, at random.

    python tests/sampling/helpers/decoder_families.py COUNT

checks COUNT random sequences of tokens, in turn of each kind, and says how many were garbled.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, CTRLTokenizer, PreTrainedTokenizerFast

from codesample.sampling.text import TextStream
from codesample.sampling.token_decoder import TokenDecoder
from codesample.testing.tokenizer_families import CORPUS, family_tokenizer

TEXTS = [
    *CORPUS[:7],
    "# 龘靐齉\n",
    "x = '龘' + 'é🦊'  # ▁ \ufffd\n",
    "  if  a.b(c , d) :\r\n\t\tdon't  do ' that '\n\n\n",
    "ﷺ ̈ e\u0301 \u200d👩‍👩‍👧",
]
_BYTES = [f"<0x{i:02X}>" for i in range(256)]
_SPECIAL = ["<s>", "</s>", "<|im_start|>"]


def _wrapped(backend: Tokenizer) -> PreTrainedTokenizerFast:
    backend.add_special_tokens([AddedToken(each, special=True) for each in _SPECIAL])
    backend.add_tokens(
        [AddedToken("<tool>"), AddedToken(" <plain> ", single_word=False), AddedToken("\t\t\t")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
    )


def _sentencepiece(steps: list[Any], *, prepend: bool = False) -> Tokenizer:
    """BPE over ▁ with bytes as fall-back: what Llama, Mistral and Gemma have, by the steps of the decoder."""
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    before = [normalizers.Prepend("▁")] if prepend else []
    backend.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", *_BYTES], show_progress=False)
    lines = [line for text in CORPUS for line in text.splitlines() if line.isascii()]
    backend.train_from_iterator(lines, trainer)
    stated = json.loads(backend.to_str())
    stated["added_tokens"] = [each for each in stated["added_tokens"] if each["content"] == "<unk>"]
    backend = Tokenizer.from_str(json.dumps(stated))
    backend.decoder = decoders.Sequence(steps)
    return backend


def _llama() -> Tokenizer:
    replace, strip = decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)
    return _sentencepiece([replace, decoders.ByteFallback(), decoders.Fuse(), strip], prepend=True)


def _gemma() -> Tokenizer:
    return _sentencepiece([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])


def _metaspace_fallback() -> Tokenizer:
    return _sentencepiece([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])


def _strips_three() -> Tokenizer:
    steps = [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " "), decoders.Strip(" ", 3, 0)]
    return _sentencepiece(steps)


def _strips_each_token() -> Tokenizer:
    steps = [decoders.Replace(Regex("▁+"), " "), decoders.Strip("e", 1, 0), decoders.ByteFallback()]
    return _sentencepiece(steps)


def _looks_across_tokens() -> Tokenizer:
    """No decoder that is known to look at one token after the other: it replaces in the whole text."""
    steps = [
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Replace("▁", " "),
        decoders.Replace("  ", "_"),
    ]
    return _sentencepiece(steps)


def _wordpiece() -> Tokenizer:
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=250, special_tokens=["[UNK]"], show_progress=False)
    backend.train_from_iterator(CORPUS, trainer)
    backend.decoder = decoders.WordPiece()
    return backend


def _suffixed_bpe() -> Tokenizer:
    backend = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    backend.decoder = decoders.BPEDecoder(suffix="</w>")
    return backend


def _characters() -> Tokenizer:
    letters = sorted({letter for text in TEXTS for letter in text})
    backend = Tokenizer(
        models.WordLevel({each: i for i, each in enumerate([*letters, "", "?"])}, unk_token="?")
    )
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    return backend


def _no_decoder() -> Tokenizer:
    backend = _characters()
    backend.decoder = None
    return backend


def _byte_t5() -> ByT5Tokenizer:
    tokenizer = ByT5Tokenizer()
    tokenizer.add_tokens(["<tool>", " <plain> "])
    return tokenizer


def _joined_words() -> CTRLTokenizer:
    """Slow, and a word is only whole once the next token has come."""
    folder = Path(mkdtemp())
    words = ["def", "re@@", "turn", "x", "+", "1@@", "2", "é@@", "龘", "(@@", ")", "if", "\ufffd"]
    vocabulary = {word: i for i, word in enumerate(["<unk>", *words])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CTRLTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


FAMILIES: dict[str, Callable[[], Any]] = {
    "byte_level": lambda: _wrapped(family_tokenizer("byte_level").backend_tokenizer),
    "byte_level_lines": lambda: _wrapped(family_tokenizer("byte_level_lines").backend_tokenizer),
    "llama": lambda: _wrapped(_llama()),
    "gemma": lambda: _wrapped(_gemma()),
    "metaspace_fallback": lambda: _wrapped(_metaspace_fallback()),
    "unigram": lambda: _wrapped(family_tokenizer("unigram").backend_tokenizer),
    "wordpiece": lambda: _wrapped(_wordpiece()),
    "suffixed_bpe": lambda: _wrapped(_suffixed_bpe()),
    "characters": lambda: _wrapped(_characters()),
    "no_decoder": lambda: _wrapped(_no_decoder()),
    "strips_three": lambda: _wrapped(_strips_three()),
    "strips_each_token": lambda: _wrapped(_strips_each_token()),
    "looks_across_tokens": lambda: _wrapped(_looks_across_tokens()),
    "byte_t5": _byte_t5,
    "joined_words": _joined_words,
}

STOPS = ("\n\n", "\nd", "print", "龘", " f", "é", "x", "1", "</s>")


@cache
def tokenizer_of(family: str) -> Any:
    return FAMILIES[family]()


@cache
def _pools(family: str) -> tuple[list[int], list[int], list[int], list[list[int]]]:
    """All tokens, those that are bytes or hold parts of characters, added ones, and texts as tokens."""
    tokenizer = tokenizer_of(family)
    everything = list(range(len(tokenizer)))
    parts = [i for i in everything if "\ufffd" in tokenizer.decode([i])]
    strings = tokenizer.convert_ids_to_tokens(everything)
    parts += [i for i, text in zip(everything, strings, strict=True) if str(text).startswith("<0x")]
    texts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    added = [i for i in tokenizer.added_tokens_decoder if i < len(tokenizer)]
    return everything, parts or everything, added or everything, [ids for ids in texts if ids]


def random_sequence(family: str, rng: random.Random, length: int) -> list[int]:
    """Tokens at random: any, bytes, added ones, and stretches of real texts."""
    everything, parts, added, texts = _pools(family)
    ids: list[int] = []
    while len(ids) < length:
        kind = rng.random()
        if kind < 0.3:
            ids.append(rng.choice(everything))
        elif kind < 0.5:
            ids += rng.choices(parts, k=rng.randint(1, 4))
        elif kind < 0.6:
            ids.append(rng.choice(added))
        else:
            text = rng.choice(texts)
            start = rng.randrange(len(text))
            ids += text[start : start + rng.randint(1, 12)]
    return ids[:length]


def random_prompt(family: str, rng: random.Random) -> list[int]:
    """Tokens of the beginning of a text."""
    tokenizer, text = tokenizer_of(family), rng.choice(TEXTS).replace("\ufffd", "")
    bos = [tokenizer.bos_token_id] if getattr(tokenizer, "bos_token_id", None) is not None else []
    start = bos if rng.random() < 0.5 else []
    return start + list(tokenizer(text[: rng.randrange(len(text))], add_special_tokens=False)["input_ids"])


@cache
def decoder_for(family: str) -> TokenDecoder:
    return TokenDecoder(tokenizer_of(family))


def text_behind(family: str, prompt: list[int], ids: list[int]) -> str | None:
    """What all tokens decode to behind the prompt; None where they change what the prompt decodes to."""
    tokenizer = tokenizer_of(family)

    def text(ids: list[int]) -> str:
        return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    whole, before = text(prompt + ids), text(prompt)
    return whole[len(before) :] if whole.startswith(before) else None


def fault_of(family: str, rng: random.Random) -> str:
    """Stream one random sequence; say what is wrong with its text, "" for nothing."""
    prompt, ids = random_prompt(family, rng), random_sequence(family, rng, rng.randint(1, 24))
    stops = rng.sample(STOPS, rng.randint(0, 2))
    stream = TextStream(decoder_for(family), prompt, stops)
    pieces, settled, used = "", 0, 0
    for token in ids:
        used += 1
        found = stream.push(token)
        pieces += stream.text[settled : stream.settled]
        settled = stream.settled
        if found:
            break
    stream.finish()
    pieces += stream.text[settled:]
    if pieces != stream.text:
        return f"the pieces are {pieces!r}, the text is {stream.text!r}; prompt {prompt}, tokens {ids}"
    ends = stream.ends(used)
    if list(ends) != sorted(ends) or ends[-1] != len(stream.text):
        return f"tokens end at {ends}, and the text has {len(stream.text)} characters"
    exact = text_behind(family, prompt, ids[:used])
    if exact is None:
        return ""
    places = [at for stop in stops if (at := exact.find(stop)) >= 0]
    if (stream.stop is not None) != bool(places):
        return f"stopped at {stream.stop!r} in {exact!r} with stops {stops}"
    exact = exact[: min(places, default=len(exact))]
    before = text_behind(family, prompt, ids[: used - 1])
    if stream.stop is not None and before is not None and any(stop in before for stop in stops):
        return f"went on behind a stop of {stops} in {before!r}"
    return "" if stream.text == exact else f"the text is {stream.text!r}, expected {exact!r}; tokens {ids}"


if __name__ == "__main__":
    found, source = Counter[str](), random.Random(0)
    for number in range(int(sys.argv[1])):
        name = list(FAMILIES)[number % len(FAMILIES)]
        if fault := fault_of(name, source):
            found[name] += 1
            print(f"{name}: {fault}")
    print(f"{sum(found.values())} of {sys.argv[1]} garbled, of {len(FAMILIES)} kinds: {dict(found)}")
