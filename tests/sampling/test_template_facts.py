"""What templates do to turns, told from small ones that do it."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.sampling.template_facts import TemplateFacts, template_facts
from codesample.testing.models import byte_tokenizer

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
ASK = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
SOUND = TemplateFacts("taken", "taken", strips=False, thinks=False)


def facts(template: str | None) -> TemplateFacts | None:
    tokenizer: Any = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>"]})
    tokenizer.chat_template = template
    return template_facts(tokenizer)


def test_a_plain_template_has_no_trap() -> None:
    assert facts(TURNS + ASK) == SOUND


def test_without_a_template_there_are_no_facts() -> None:
    assert facts(None) is None
    assert facts("{{ raise_exception('never') }}") is None


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (REFUSES + TURNS + ASK, "refused"),
        (
            TURNS.replace("{% for", "{% for", 1).replace("in messages", "in messages if m.role != 'system'")
            + ASK,
            "dropped",
        ),
        ("{{ messages[0].content }}" + TURNS + ASK, "taken"),
    ],
)
def test_what_becomes_of_a_system_turn(template: str, expected: str) -> None:
    found = facts(template)
    assert found is not None
    assert found.system == expected


def test_a_template_that_strips_turns() -> None:
    found = facts(TURNS.replace("m.content", "m.content | trim") + ASK)
    assert found is not None
    assert found.strips
    assert found.prefill == "taken"


def test_a_template_that_takes_no_beginning_of_an_answer() -> None:
    only_users = "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('x') }}{% endif %}"
    found = facts(only_users + "<|user|>{{ m.content }}<|end|>{% endfor %}" + ASK)
    assert found is not None
    assert (found.prefill, found.system) == ("refused", "refused")


@pytest.mark.parametrize(
    ("template", "thinks"),
    [
        (TURNS + ASK + "{% if add_generation_prompt %}<think>\n{% endif %}", True),
        (TURNS + ASK + "{% if enable_thinking is defined %}<think></think>{% endif %}", True),
        (TURNS + ASK, False),
    ],
)
def test_thinking_is_seen(template: str, thinks: bool) -> None:
    found = facts(template)
    assert found is not None
    assert found.thinks is thinks
