import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config

from codesample.sampling.own_forward import OwnForward, forget_lengths, rope_switch
from codesample.testing.models import random_model

SIZES = {
    "vocab_size": 60,
    "bos_token_id": 0,
    "eos_token_id": None,
    "pad_token_id": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 40,
}
LONG = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}


def made(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    return model.double().eval()


def greedy(model, ids, steps):
    """Draw greedily over `OwnForward`; returns tokens and the logits that each came from."""
    forward, row, seen = OwnForward(model), list(ids), []
    with torch.inference_mode():
        seen.append(forward.begin(row))
        for _ in range(steps):
            row.append(int(seen[-1].argmax()))
            seen.append(forward.step([tuple(row)]))
    return row[len(ids) :], torch.cat(seen)


def of_generate(model, ids, steps):
    seen = []
    hook = model.register_forward_hook(lambda _m, _a, output: seen.append(output.logits[:, -1]))
    out = model.generate(torch.tensor([ids]), max_new_tokens=steps + 1, do_sample=False, use_cache=True)
    hook.remove()
    return out[0, len(ids) : -1].tolist(), torch.cat(seen)


@pytest.mark.parametrize("start", [5, 30, 45], ids=["before it", "across it", "behind it"])
@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SIZES, rope_parameters=DYNAMIC),
        LlamaConfig(**SIZES, rope_parameters=LONG | {"factor": 4.0, "original_max_position_embeddings": 32}),
    ],
    ids=["dynamic", "longrope"],
)
def test_rotary_positions_that_switch_are_those_of_generate_in_a_new_model(config, start):
    ids = torch.randint(3, 60, (start,), generator=torch.Generator().manual_seed(1)).tolist()
    expected = of_generate(made(config), ids, 12)
    model = made(config)
    # a longer text before it must not matter
    greedy(model, ids * 4, 3)
    got = greedy(model, ids, 12)
    assert got[0] == expected[0]
    torch.testing.assert_close(got[1], expected[1])


@pytest.mark.parametrize("start", [5, 30, 45])
def test_phi3_reads_everything_again_at_its_switch(start):
    config = Phi3Config(
        **(SIZES | {"max_position_embeddings": 80}), rope_parameters=LONG, original_max_position_embeddings=32
    )
    model = made(config)
    ids = torch.randint(3, 60, (start,), generator=torch.Generator().manual_seed(1)).tolist()
    tokens, got = greedy(model, ids, 12)
    row = ids + tokens
    with torch.inference_mode():
        expected = [
            model(torch.tensor([row[:end]]), use_cache=False).logits[:, -1]
            for end in range(start, start + 13)
        ]
    torch.testing.assert_close(got, torch.cat(expected))


@pytest.mark.parametrize(
    ("rope", "switch"),
    [
        (None, None),
        ({"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}, None),
        (DYNAMIC, 39),
        (LONG | {"original_max_position_embeddings": 32}, 32),
        ({"full_attention": DYNAMIC, "sliding_attention": {"rope_type": "default"}}, 39),
    ],
)
def test_the_switch_is_read_from_the_configuration(rope, switch):
    config = LlamaConfig(**SIZES)
    config.rope_parameters = rope
    assert rope_switch(config) == switch


def test_lengths_that_were_seen_are_forgotten():
    model = made(LlamaConfig(**SIZES, rope_parameters=DYNAMIC))
    long = torch.randint(3, 60, (1, 90), generator=torch.Generator().manual_seed(1))
    short = long[:, :40]
    with torch.inference_mode():
        expected = model(short).logits
        model(long)
        assert not torch.equal(model(short).logits, expected)
        forget_lengths(model)
        assert torch.equal(model(short).logits, expected)


@pytest.mark.parametrize("cached", [True, False])
def test_rows_may_be_picked_and_taken_more_than_once(cached):
    model = random_model("bloom").double()
    forward = OwnForward(model, cached=cached)
    rows = [(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 6)]
    with torch.inference_mode():
        forward.begin(rows[0][:3])
        forward.pick(torch.tensor([0, 0, 0]))
        forward.step(rows)
        forward.pick(torch.tensor([2, 0]))
        got = forward.step([(*rows[2], 7), (*rows[0], 8)])
        expected = [model(torch.tensor([row])).logits[:, -1] for row in ((*rows[2], 7), (*rows[0], 8))]
    torch.testing.assert_close(got, torch.cat(expected))
