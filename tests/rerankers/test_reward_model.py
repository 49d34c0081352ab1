from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, Message, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.reward_model import reward_model
from codesample.rerankers.sequence_classifier import open_classifier

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from codesample.testing.models import byte_tokenizer  # noqa: E402

VIEW = PublicView("t", "t/0", "p", "Add one.", "f", ())
PROGRAMS = ("def f(x):\n    return x + 1\n", "def f(x): return x", "pass", "def f(x):\n    return x + 1\n")
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"


def _saved(
    folder: Path, kind: str, *, labels: Sequence[str] = ("score",), template: str | None = None
) -> str:
    torch.manual_seed(len(labels))
    names = {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "pad_token_id": 258}
    sizes: dict[str, Any] = {
        "vocab_size": 259,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
    }
    heads = {"num_attention_heads": 4, "max_position_embeddings": 96}
    config = {"llama": transformers.LlamaConfig, "bert": transformers.BertConfig}[kind](
        **sizes, **heads, **names
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


def _score(
    model: str, programs: Sequence[str] = PROGRAMS, *, asked: Any = None, **parameters: Any
) -> tuple[list[float | None], Context]:
    ctx = Context(VIEW, asked=asked)
    candidates = [Candidate("t/0", at, each, program=each) for at, each in enumerate(programs)]
    return reward_model.with_parameters(model=model, **parameters).score(VIEW, candidates, ctx), ctx


def _logits(folder: str, *texts: str) -> list[float]:
    """Read a text, or a pair, all by itself."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return list(model(**tokenizer(*texts, return_tensors="pt")).logits[0].tolist())


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_one_output_is_the_score_and_a_batch_changes_nothing(kind: str, tmp_path: Path) -> None:
    folder = _saved(tmp_path, kind)
    scores, ctx = _score(folder)
    alone = [_logits(folder, "Add one.", each)[0] for each in PROGRAMS]
    assert scores == pytest.approx(alone, rel=1e-4, abs=1e-5)
    assert scores[0] == scores[3]
    assert len(set(scores)) == 3
    assert _score(folder, batch=1)[0] == pytest.approx(scores, rel=1e-4, abs=1e-5)
    assert not ctx.notes


def test_a_chat_template_gets_the_turns_and_the_program_as_the_answer(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "llama", template=TEMPLATE)
    turns = (Message("system", "S"), Message("user", "U"), Message("assistant", "```python\n"))
    for asked, before in ((None, "<user>Add one.\n"), (turns, "<system>S\n<user>U\n")):
        scores, _ = _score(folder, ["pass\n"], asked=asked)
        expected = _logits(folder, f"{before}<assistant>```python\npass\n```\n")
        assert scores == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_labels_give_odds_or_a_probability_by_hand(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "bert", labels=("wrong", "Correct", "error"))
    logits = _logits(folder, "Add one.", "pass")
    total = sum(map(math.exp, logits))
    for label, at in (("correct", 1), ("Wrong", 0), (2, 2)):
        share = math.exp(logits[at]) / total
        (probability,), _ = _score(folder, ["pass"], label=label, scale="probability")
        (odds,), _ = _score(folder, ["pass"], label=label)
        assert probability == pytest.approx(share, rel=1e-4)
        assert odds == pytest.approx(math.log(share / (1 - share)), rel=1e-3, abs=1e-4)
    for wrong in ("corect", 3, -1, None):
        with pytest.raises(
            RerankerError, match=r"expected one of its labels: 0 \(wrong\), 1 \(Correct\), 2 \(error\)"
        ):
            _score(folder, label=wrong)


def test_of_two_labels_the_second_is_the_good_one_and_of_one_there_is_no_choice(tmp_path: Path) -> None:
    two = _saved(tmp_path / "two", "bert", labels=("bad", "good"))
    assert _score(two)[0] == _score(two, label="good")[0]
    bad = _score(two, label="bad")[0]
    assert _score(two)[0] == pytest.approx([-(score or 0.0) for score in bad], rel=1e-4, abs=1e-5)
    one = _saved(tmp_path / "one", "bert")
    with pytest.raises(
        RerankerError, match=r"label='score' of .*: expected no label, since it has one output"
    ):
        _score(one, label="score")


def test_a_text_that_is_too_long_loses_its_beginning_and_that_is_told(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "llama", template=TEMPLATE)
    long = "x" * 300
    scores, ctx = _score(folder, [f"{long}pass", f"{long}{long}pass", "pass"])
    # what is left of the two is the same
    assert scores[0] == pytest.approx(scores[1], rel=1e-4, abs=1e-5)
    assert scores[0] != scores[2]
    assert list(ctx.notes.values()) == [2]
    assert "a text longer than" in next(iter(ctx.notes))


def test_a_checkpoint_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(
        vocab_size=259, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(RerankerError, match=r"is no trained sequence classifier: it lacks score\.weight"):
        _score(str(tmp_path))


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match="absent: no sequence classifier could be loaded"):
        _score(str(tmp_path / "absent"))
    with pytest.raises(ParameterError, match=r"needs model, a text: reward_model\(model=...\)"):
        reward_model.score(VIEW, [Candidate("t/0", 0, "x", program="x")], Context(VIEW))


def test_it_is_loaded_once(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "bert")
    before = open_classifier.cache_info().misses
    for _ in range(3):
        _score(folder)
    assert open_classifier.cache_info().misses == before + 1


def test_a_template_that_refuses_is_told_with_the_name(tmp_path: Path) -> None:
    folder = _saved(tmp_path, "llama", template="{{ raise_exception('no system turn') }}")
    with pytest.raises(RerankerError, match="its chat template refuses the messages: no system turn"):
        _score(folder)
