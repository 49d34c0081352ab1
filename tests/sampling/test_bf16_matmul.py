"""Products in bfloat16 round what they say they round, with and without the instructions."""

from functools import partial

import pytest
import torch

from codesample import ModelOptions
from codesample.errors import ModelError, ParameterError
from codesample.sampling import Sampler, bf16_matmul, packed_weights
from codesample.sampling.arranged_weights import ArrangedWeight, PlainWeight
from codesample.sampling.attention_hook import IN_BF16, NAME
from codesample.sampling.bf16_matmul import Bf16Weight, RoundedWeight, bf16_kernel, fits_in_bf16
from codesample.sampling.int8_matmul import int8_kernel
from codesample.sampling.packed_weights import PackedWeights, expect_matmul, matmul_of
from codesample.testing.models import byte_tokenizer, random_model

PROMPT = "def add(a, b):\n"


def by_hand(rows, weight):
    """Return the product as the definition has it."""
    return (rows.bfloat16().double() @ weight.bfloat16().double().t()).bfloat16().float()


@pytest.fixture(params=[RoundedWeight, Bf16Weight], ids=lambda kind: kind.__name__)
def packed(request):
    if request.param is Bf16Weight:
        if not bf16_kernel():
            pytest.skip("this processor has no instructions for it")
        return Bf16Weight
    return lambda weight: RoundedWeight(weight, PlainWeight)


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(1, 1), (33,), (2, 3, 5), (0,), (300,)])
def test_a_product_is_that_of_the_rounded_numbers(shape, packed):
    torch.manual_seed(0)
    rows, weight, bias = torch.randn(*shape, 72), torch.randn(50, 72), torch.randn(50)
    found, expected = packed(weight).multiplied(rows, None), by_hand(rows, weight)
    assert (found.shape, found.dtype) == (expected.shape, torch.float32)
    # where sums in float32 and float64 lie on two sides of a middle, the last of eight digits differs
    torch.testing.assert_close(found, expected, atol=2**-8, rtol=2**-7)
    assert not found.numel() or (found == expected).double().mean() > 0.95
    assert torch.equal(packed(weight).multiplied(rows, bias), found + bias)
    if rows.numel():
        assert packed(weight).multiplied(rows, bias.double()).dtype == torch.float32


def test_which_weights_bfloat16_holds():
    weight = torch.randn(700, 33)
    assert not fits_in_bf16(weight)
    assert fits_in_bf16(weight.bfloat16().float())
    held = weight.bfloat16().float()
    held[699, 32] += 2**-12
    assert not fits_in_bf16(held)
    assert fits_in_bf16(torch.zeros(0, 4))


@pytest.fixture(scope="module")
def model():
    return random_model("qwen2", seed=3)


@pytest.fixture(scope="module")
def tiny():
    return Sampler("tiny", step="bfloat16")


def test_sampling_rounds_and_says_nearly_the_same(tiny):
    exact = Sampler("tiny").sample(PROMPT, n=1, max_new_tokens=12, temperature=0, stop=())[0]
    found = tiny.sample(PROMPT, n=1, max_new_tokens=12, temperature=0, stop=())[0]
    assert found.token_ids[:4] == exact.token_ids[:4]
    assert found.logprobs != exact.logprobs
    assert found.logprobs[0] == pytest.approx(exact.logprobs[0], abs=0.1)
    assert tiny.describe()["matmul"] == "bfloat16"


def test_the_head_stays_in_float32_without_instructions(model, monkeypatch):
    monkeypatch.setattr(packed_weights, "bf16_kernel", lambda: False)
    found = {
        layer: type(each.packed) for each in PackedWeights(model, "bfloat16")._copies for layer in each.layers
    }
    assert found.pop(model.lm_head) is ArrangedWeight
    assert set(found.values()) == {RoundedWeight}


@torch.inference_mode()
def test_prompts_are_rounded_too(model):
    ids = torch.arange(2).repeat(1, 300)
    plain = model(ids).logits
    with PackedWeights(model, "bfloat16").used():
        found = model(ids).logits
    assert not torch.equal(found, plain)
    assert (found - plain).norm() <= 0.02 * plain.norm()


@pytest.mark.parametrize("matmul", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("has_tiles", [True, False])
def test_attention_is_rounded_beside_layers_that_are_where_a_processor_multiplies_tiles(
    model, monkeypatch, matmul, has_tiles
):
    if matmul == "int8" and int8_kernel() is None:
        pytest.skip("no library here multiplies in 8 bits exactly")
    monkeypatch.setattr(packed_weights, "multiplies_tiles", lambda: has_tiles)
    rounded = has_tiles and matmul != "float32"
    assert PackedWeights(model, matmul).attention == (IN_BF16 if rounded else NAME)


def test_what_is_drawn_behind_a_long_prompt_follows_from_rounded_attention(monkeypatch):
    model, found = random_model("qwen2", seed=3), {}
    model.config.max_position_embeddings = 1024
    for has_tiles in (True, False):
        monkeypatch.setattr(packed_weights, "multiplies_tiles", lambda tiles=has_tiles: tiles)
        sampler = Sampler(model, tokenizer=byte_tokenizer(), step="bfloat16")
        for prompt in (PROMPT, 40 * PROMPT):
            drawn = sampler.sample(prompt, n=32, max_new_tokens=3, temperature=0.0, stop=())
            found[has_tiles, prompt] = torch.tensor([each.logprobs for each in drawn])
    assert torch.equal(found[True, PROMPT], found[False, PROMPT])
    rounded, plain = found[True, 40 * PROMPT], found[False, 40 * PROMPT]
    assert not torch.equal(rounded, plain)
    torch.testing.assert_close(rounded, plain, atol=0.05, rtol=0)


def test_where_a_policy_runs_prompts_itself_attention_is_as_exact_as_ever(monkeypatch):
    model, found = random_model("qwen2", seed=3), []
    model.config.max_position_embeddings = 1024
    for has_tiles in (True, False):
        monkeypatch.setattr(packed_weights, "multiplies_tiles", lambda tiles=has_tiles: tiles)
        sampler = Sampler(model, tokenizer=byte_tokenizer(), step="bfloat16")
        chosen = sampler.with_policy("prefill=criti(budget=64)")
        drawn = chosen.sample(40 * PROMPT, n=32, max_new_tokens=3, temperature=0.0, stop=())
        found.append([each.logprobs for each in drawn])
    assert found[0] == found[1]


def test_it_is_the_default_for_what_is_stored_so_where_there_are_instructions(model, tmp_path, monkeypatch):
    exact = random_model("qwen2", seed=4).bfloat16()
    assert matmul_of(exact.float(), "auto", left_open=True) == ("bfloat16" if bf16_kernel() else "float32")
    monkeypatch.setattr(packed_weights, "bf16_kernel", lambda: True)
    assert matmul_of(exact.float(), "auto", left_open=True) == "bfloat16"
    assert matmul_of(exact.float(), "auto", left_open=False) == "float32"
    assert matmul_of(model, "auto", left_open=True) == "float32"
    assert matmul_of(exact.double(), "auto", left_open=True) == "float32"
    assert matmul_of(random_model("gpt2").bfloat16().float(), "auto", left_open=True) == "float32"
    assert Sampler("tiny").describe()["matmul"] == "float32"
    sampler = Sampler("tiny")
    sampler.checkpoint.model.bfloat16().float()
    tokenizer = sampler.checkpoint.tokenizer
    # whoever loads a model has chosen its numbers
    assert Sampler(sampler.checkpoint.model, tokenizer=tokenizer).describe()["matmul"] == "float32"
    folder = tmp_path / "stored"
    sampler.checkpoint.model.bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert Sampler(folder).describe()["matmul"] == "bfloat16"
    assert Sampler(folder, dtype="float32").describe()["matmul"] == "float32"
    assert Sampler(folder, dtype="bfloat16").describe()["matmul"] == "bfloat16"
    assert Sampler(folder, step="float32").describe()["matmul"] == "float32"
    assert Sampler(folder, step="plain").describe()["matmul"] == "float32"


def test_once_weights_are_changed_past_bfloat16_none_is_rounded(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_weights, "bf16_kernel", lambda: True)
    monkeypatch.setattr(packed_weights, "Bf16Weight", partial(RoundedWeight, pack=PlainWeight))
    first = Sampler("tiny")
    first.checkpoint.model.bfloat16().save_pretrained(tmp_path)
    first.checkpoint.tokenizer.save_pretrained(tmp_path)
    sampler, named = Sampler(tmp_path), Sampler(tmp_path, step="bfloat16")
    model, tokenizer = sampler.checkpoint.model, sampler.checkpoint.tokenizer
    asked = {"prompt": PROMPT, "n": 2, "max_new_tokens": 5}
    rounded = sampler.sample(**asked)
    assert named.sample(**asked) == rounded
    stored = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for each in (*model.parameters(), *named.checkpoint.model.parameters()):
            each *= 1.0001
    exact = Sampler(model, tokenizer=tokenizer, step="float32").sample(**asked)
    assert sampler.sample(**asked) == exact
    assert sampler.describe()["matmul"] == "float32"
    # whoever names it has it
    assert named.sample(**asked) != exact
    assert named.describe()["matmul"] == "bfloat16"
    model.load_state_dict(stored, strict=False)
    assert sampler.sample(**asked) == rounded
    assert sampler.describe()["matmul"] == "bfloat16"


def test_the_ordinary_path_says_what_it_multiplies_in(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_weights, "bf16_kernel", lambda: True)
    model, tokenizer = random_model("bloom", seed=1), byte_tokenizer()
    for step in ("bfloat16", "int8"):
        with pytest.raises(ModelError, match=f"{step}: the model takes the ordinary path, .*leave it out"):
            Sampler(model, tokenizer=tokenizer, step=step)
    model.bfloat16().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert Sampler(tmp_path).describe()["matmul"] == "float32"


def test_what_cannot_be_done_is_refused_at_load():
    with pytest.raises(
        ModelError, match=r"bfloat16: expected a model with linear layers in float32 on a CPU"
    ):
        Sampler("tiny", dtype="float64", step="bfloat16")
    # its one linear layer is the head, which is not rounded
    with pytest.raises(ModelError, match=r"got torch.float32 on cpu in GPT2LMHeadModel"):
        expect_matmul(random_model("gpt2"), "bfloat16")
    expect_matmul(random_model("gpt2"), "int8")
    with pytest.raises(
        ParameterError, match=r"cpu_matmul = 'bf16': expected auto, float32, bfloat16 or int8"
    ):
        ModelOptions("tiny", cpu_matmul="bf16")
    with pytest.raises(ParameterError, match="cpu_matmul = 'bfloat16' with compile"):
        ModelOptions("tiny", cpu_matmul="bfloat16", compile=True)


def test_a_torch_without_the_calls_or_with_wrong_products_is_noticed(monkeypatch):
    rounded = RoundedWeight(torch.zeros(1, 1), PlainWeight)
    monkeypatch.setattr(Bf16Weight, "__init__", lambda self, weight: setattr(self, "of", weight))
    right = lambda self, rows, bias: rounded.__class__(self.of, PlainWeight).multiplied(rows, bias)
    monkeypatch.setattr(Bf16Weight, "multiplied", right)
    assert bf16_matmul._works.__wrapped__()
    monkeypatch.setattr(Bf16Weight, "multiplied", lambda self, rows, bias: 1.1 * right(self, rows, bias))
    assert not bf16_matmul._works.__wrapped__()
    monkeypatch.setattr(Bf16Weight, "multiplied", lambda *_: torch.ops.mkldnn.no_such())
    assert not bf16_matmul._works.__wrapped__()
