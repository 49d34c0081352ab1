"""Completions for TRL by the native engine: shapes, probabilities, and weights of the moment."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from adding_tasks import adding

from codesample import Sampler, rewards
from codesample.errors import ParameterError

PROMPTS = [adding()[0].prompt] * 3 + [adding()[1].prompt] * 3
TEMPLATE = (
    "{% for m in messages %}<|bos|>{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|bos|>assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def tiny() -> Any:
    return Sampler("tiny").checkpoint


def trainer_of(checkpoint: Any, **changes: Any) -> Any:
    """Stand in for a `GRPOTrainer`: what of it a rollout reads, under TRL's names."""
    model = copy.deepcopy(checkpoint.model).train()
    known = {
        "model": model,
        "accelerator": SimpleNamespace(unwrap_model=lambda each: each, process_index=0),
        "processing_class": checkpoint.tokenizer,
        "args": SimpleNamespace(generation_kwargs=None, seed=0),
        "state": SimpleNamespace(global_step=0),
        "eos_token_ids": [2],
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": None,
        "repetition_penalty": 1.0,
        "max_completion_length": 24,
        "mask_truncated_completions": False,
        "chat_template": None,
        "chat_template_kwargs": {},
        "is_deepspeed_enabled": False,
    }
    return SimpleNamespace(**known | changes)


def logprobs_of(trainer: Any, drawn: dict[str, list[Any]], at: int) -> torch.Tensor:
    """Return what the trainer computes for a completion, with its temperature."""
    ids = torch.tensor([drawn["prompt_ids"][at] + drawn["completion_ids"][at]])
    with torch.no_grad():
        logits = trainer.model.eval()(ids).logits[0] / trainer.temperature
    trainer.model.train()
    begin = len(drawn["prompt_ids"][at])
    chosen = logits[begin - 1 : -1].log_softmax(-1)
    return chosen.gather(1, ids[0, begin:, None])[:, 0]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_that_the_trainer_computes(tiny: Any, temperature: float) -> None:
    trainer = trainer_of(tiny, temperature=temperature)
    drawn = rewards.rollout_for_trl()(PROMPTS, trainer)
    assert drawn.keys() == {"prompt_ids", "completion_ids", "logprobs"}
    assert {len(each) for each in drawn.values()} == {len(PROMPTS)}
    for at, prompt in enumerate(PROMPTS):
        assert drawn["prompt_ids"][at] == tiny.tokenizer(prompt)["input_ids"]
        assert len(drawn["logprobs"][at]) == len(drawn["completion_ids"][at]) > 0
        exact = logprobs_of(trainer, drawn, at)
        assert torch.allclose(torch.tensor(drawn["logprobs"][at]), exact, atol=2e-4)


def test_a_completion_holds_the_token_that_ended_it_and_no_more_than_the_limit(tiny: Any) -> None:
    drawn = rewards.rollout_for_trl()(PROMPTS * 3, trainer_of(tiny, max_completion_length=20))
    ended = [each for each in drawn["completion_ids"] if each[-1] == 2]
    cut = [each for each in drawn["completion_ids"] if each[-1] != 2]
    assert ended
    assert cut
    assert all(2 not in each[:-1] for each in drawn["completion_ids"])
    assert {len(each) for each in cut} == {20}


def test_filters_are_the_trainers(tiny: Any) -> None:
    drawn = rewards.rollout_for_trl()(PROMPTS, trainer_of(tiny, top_k=1))
    assert len({tuple(each) for each in drawn["completion_ids"][:3]}) == 1
    assert max(abs(value) for each in drawn["logprobs"] for value in each) < 1e-6


def test_what_a_stop_cuts_off_was_drawn_and_stays(tiny: Any) -> None:
    drawn = rewards.rollout_for_trl(stop=("\n",))(PROMPTS, trainer_of(tiny, max_completion_length=60))
    texts = tiny.tokenizer.batch_decode(drawn["completion_ids"], skip_special_tokens=True)
    assert all("\n" in text for text in texts)
    assert [len(each) for each in drawn["logprobs"]] == [len(each) for each in drawn["completion_ids"]]


def test_weights_are_those_of_the_moment(tiny: Any) -> None:
    trainer, rollout = trainer_of(tiny), rewards.rollout_for_trl()
    rollout(PROMPTS, trainer)
    optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=1e-2)
    ids = torch.tensor([tiny.tokenizer(PROMPTS[0])["input_ids"]])
    trainer.model(ids, labels=ids).loss.backward()
    optimizer.step()
    trainer.state.global_step = 1
    drawn = rollout(PROMPTS, trainer)
    for at in range(len(PROMPTS)):
        assert torch.allclose(torch.tensor(drawn["logprobs"][at]), logprobs_of(trainer, drawn, at), atol=2e-4)


def test_adapters_are_sampled_as_they_are_trained(tiny: Any) -> None:
    peft = pytest.importorskip("peft")
    trainer, rollout = trainer_of(tiny), rewards.rollout_for_trl()
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj", "up_proj"], lora_dropout=0.5)
    trainer.model = peft.get_peft_model(trainer.model, config).train()
    before = rollout(PROMPTS, trainer)
    assert torch.allclose(torch.tensor(before["logprobs"][0]), logprobs_of(trainer, before, 0), atol=2e-4)
    with torch.no_grad():
        for name, each in trainer.model.named_parameters():
            if "lora_B" in name:
                each.add_(0.05 * torch.ones_like(each))
    trainer.state.global_step = 1
    drawn = rollout(PROMPTS, trainer)
    assert torch.allclose(torch.tensor(drawn["logprobs"][0]), logprobs_of(trainer, drawn, 0), atol=2e-4)
    assert trainer.model.training
    # the adapter does something
    with trainer.model.disable_adapter():
        assert not torch.allclose(
            torch.tensor(drawn["logprobs"][0]), logprobs_of(trainer, drawn, 0), atol=1e-2
        )


def test_modules_are_left_in_the_mode_that_they_were_in(tiny: Any) -> None:
    trainer = trainer_of(tiny)
    trainer.model.model.layers[1].eval()
    before = {name: each.training for name, each in trainer.model.named_modules()}
    rewards.rollout_for_trl()(PROMPTS, trainer)
    assert {name: each.training for name, each in trainer.model.named_modules()} == before
    assert all(each.requires_grad for each in trainer.model.parameters())


def test_what_casts_around_a_model_is_set_aside_while_it_is_sampled(tiny: Any) -> None:
    trainer = trainer_of(tiny)

    def casting(*given: Any, **more: Any) -> Any:
        raise AssertionError("sampled through what accelerate has put before the model")

    trainer.model._original_forward = trainer.model.forward
    trainer.model.forward = casting
    plain = rewards.rollout_for_trl()(PROMPTS, trainer_of(tiny))
    assert rewards.rollout_for_trl()(PROMPTS, trainer) == plain
    assert trainer.model.forward is casting


def test_completions_repeat_with_seed_step_and_process_and_differ_otherwise(tiny: Any) -> None:
    trainer = trainer_of(tiny, max_completion_length=8)

    def drawn(rollout: Any, *, step: int = 0, rank: int = 0) -> Any:
        trainer.state.global_step, trainer.accelerator.process_index = step, rank
        return rollout(PROMPTS, trainer)["completion_ids"]

    rollout = rewards.rollout_for_trl()
    first, again = drawn(rollout), drawn(rollout)
    assert first == drawn(pickle.loads(pickle.dumps(rewards.rollout_for_trl())))
    others = [
        again,
        drawn(rewards.rollout_for_trl(seed=1)),
        drawn(rewards.rollout_for_trl(), step=1),
        drawn(rewards.rollout_for_trl(), rank=1),
    ]
    assert first not in others
    assert first[:3] != first[3:]
    assert len({tuple(each) for each in first}) > 2


def test_conversations_go_through_the_trainers_template(tiny: Any) -> None:
    trainer = trainer_of(tiny, chat_template=TEMPLATE)
    conversation = [{"role": "user", "content": "Write add."}]
    drawn = rewards.rollout_for_trl()([conversation] * 2, trainer)
    text = tiny.tokenizer.decode(drawn["prompt_ids"][0])
    assert text == "<|bos|>user: Write add.\n<|bos|>assistant: "
    assert drawn["prompt_ids"][0] == drawn["prompt_ids"][1]


def test_no_prompts_give_no_completions(tiny: Any) -> None:
    assert rewards.rollout_for_trl()([], trainer_of(tiny)) == {
        "prompt_ids": [],
        "completion_ids": [],
        "logprobs": [],
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_vllm": True}, "does not serve use_vllm: leave use_vllm out, or rollout_func"),
        ({"tools": [len]}, "does not serve tools"),
        (
            {"args": SimpleNamespace(generation_kwargs={"num_beams": 2}, seed=0)},
            "generation_kwargs = {",
        ),
        ({"mask_truncated_completions": True}, "mask_truncated_completions masks what a stop has ended"),
    ],
)
def test_settings_that_are_not_served_are_refused(tiny: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        rewards.rollout_for_trl(stop=("\n",))(PROMPTS, trainer_of(tiny, **changes))


def test_a_prompt_that_leaves_no_room_is_refused(tiny: Any) -> None:
    with pytest.raises(ParameterError, match=r"a prompt has \d+ tokens, and the model takes 1 to 1024"):
        rewards.rollout_for_trl()(["x = 1\n" * 1000], trainer_of(tiny))
    with pytest.raises(ParameterError, match="stop holds an empty text"):
        rewards.rollout_for_trl(stop=("",))
