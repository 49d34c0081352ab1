"""Trains the built-in model's tokenizer: byte-level BPE whose tokens never cross a line end.

A newline is a piece of its own, and so is a run of two or more spaces: indentation is cheap, and a prompt
that ends with a newline is tokenised exactly as it is inside a longer text.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

__all__ = ["BOS", "EOS", "PAD", "train_tokenizer"]

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
_PIECES = r"\n| {2,}| ?_?[A-Za-z]+| ?-?[0-9]{1,2},?| ?[^\sA-Za-z0-9_]+|_|\s"


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """Train on `texts` and wrap the result so that `AutoTokenizer.from_pretrained` reads it back.

    Args:
        texts: Functions of the corpus.
        vocabulary: Number of tokens, the 256 bytes and three special tokens included.

    Returns:
        A tokenizer that puts BOS in front of a text and decodes to exactly the text it was given.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in (PAD, BOS, EOS)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
