"""Whatever is done to a model between two calls, the second draws what a new sampler draws."""

import copy
import gc
import sys
import weakref
from collections import OrderedDict

import peft
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, Phi3Config

from codesample.errors import CodesampleError, ModelError
from codesample.records import GivenText, Request, SamplingParams
from codesample.sampling import Sampler, model_state, weight_numbers
from codesample.sampling.weights_watch import Change, WeightsWatch
from codesample.testing.models import random_model

PROMPT = "def f(x):\n    return x + 1\n"
# of a space, which the prompt has nine times
AT = 220


@pytest.fixture(scope="module")
def pristine():
    return random_model("llama", seed=5)


@pytest.fixture
def model(pristine):
    return copy.deepcopy(pristine)


def with_lora(model, *, names=("default",)):
    """Put adapters into the model's own layers; they do something at once."""
    for name in names:
        settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])
        model = (
            peft.get_peft_model(model, settings, adapter_name=name)
            if not isinstance(model, peft.PeftModel)
            else model.add_adapter(name, settings) or model
        )
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    return model.eval()


def no_grad(edit):
    return torch.no_grad()(edit)


def step_of(optimiser):
    def edit(model):
        steps = optimiser(model.parameters())
        model.train()
        model(torch.tensor([[1, 2, 3, 4]]), labels=torch.tensor([[1, 2, 3, 4]])).loss.backward()
        steps.step()
        model.zero_grad()
        model.eval()

    return edit


def state(model):
    return {name: tensor + 0.1 for name, tensor in model.state_dict().items()}


def replaced_data(model):
    model.model.embed_tokens.weight.data = model.model.embed_tokens.weight.data.roll(1, 0)


def replaced_twice(model):
    # the second allocation may well lie where the first weight was
    weight = model.model.layers[0].self_attn.k_proj.weight
    weight.data = weight.data.roll(1, 0)
    weight.data = weight.data.roll(1, 0)


def transposed(model):
    # the same storage, read in another order
    weight = model.model.layers[0].self_attn.q_proj.weight
    assert weight.shape[0] == weight.shape[1]
    weight.data = weight.data.t()


def in_inference_mode(model):
    with torch.inference_mode():
        model.model.layers[0].mlp.gate_proj.weight[7].mul_(3)


def through_numpy(model):
    model.model.layers[1].mlp.up_proj.weight.detach().numpy()[:, 3] = 0.5


def head_untied(model):
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().flip(0))


def shorter(model):
    del model.model.layers[2]
    model.config.num_hidden_layers = 2


def swapped(model):
    first, second, _ = model.model.layers
    first.mlp, second.mlp = second.mlp, first.mlp


def louder(module):
    class Louder(type(module)):
        def forward(self, *given, **named):
            return 1.5 * super().forward(*given, **named)

    module.__class__ = Louder


def parametrized(model):
    class Negated(nn.Module):
        def forward(self, weight):
            return -weight

    nn.utils.parametrize.register_parametrization(model.model.layers[1].self_attn.o_proj, "weight", Negated())


def kept_in_a_list(model):
    # a layer that torch knows nothing of
    attention = model.model.layers[0].self_attn
    layer = nn.Linear(64, 64, bias=False)
    attention.kept = [layer]
    plain = type(attention.o_proj).forward
    attention.o_proj.forward = lambda x: plain(attention.o_proj, x) + layer(x)


EDITS = {
    "a slice zeroed in place": no_grad(lambda m: m.model.layers[0].self_attn.o_proj.weight[:, 32:64].zero_()),
    "one row of the embedding": no_grad(lambda m: m.model.embed_tokens.weight[AT].mul_(-1)),
    "one neuron": no_grad(lambda m: m.model.layers[1].mlp.down_proj.weight[5].add_(1)),
    "one number": no_grad(lambda m: m.model.layers[1].mlp.down_proj.weight[5, 7].add_(3)),
    "a norm's weight": no_grad(lambda m: m.model.layers[0].input_layernorm.weight[3:9].mul_(4)),
    "add_": no_grad(lambda m: m.model.layers[2].self_attn.v_proj.weight.add_(0.1)),
    "copy_": no_grad(lambda m: m.lm_head.weight.copy_(m.lm_head.weight.roll(3, 0))),
    "buffers and weights, one by one": no_grad(lambda m: [t.mul_(1.1) for t in m.state_dict().values()]),
    "written through detach()": lambda m: m.model.layers[0].mlp.up_proj.weight.detach()[2].fill_(1),
    "in inference mode": in_inference_mode,
    "a parameter replaced": lambda m: setattr(
        m.model.layers[0].mlp.up_proj, "weight", nn.Parameter(torch.randn(96, 64))
    ),
    "a bias added": lambda m: setattr(
        m.model.layers[0].self_attn.v_proj, "bias", nn.Parameter(torch.ones(32))
    ),
    ".data replaced": replaced_data,
    ".data replaced twice": replaced_twice,
    "a row written through .data": lambda m: m.model.layers[0].mlp.up_proj.weight.data[2].fill_(1),
    "a column written through .data": lambda m: m.model.layers[0].mlp.up_proj.weight.data[:, 7].fill_(1),
    "columns of o_proj through .data": lambda m: (
        m.model.layers[0].self_attn.o_proj.weight.data[:, 32:64].zero_()
    ),
    "a row of the embedding through .data": lambda m: m.model.embed_tokens.weight.data[AT].mul_(-1),
    "all weights a little through .data": lambda m: [p.data.mul_(1.05) for p in m.parameters()],
    "through numpy": through_numpy,
    "a module replaced": lambda m: setattr(m.model.layers[1], "mlp", copy.deepcopy(m.model.layers[0].mlp)),
    "the last layer dropped": shorter,
    "modules swapped": swapped,
    "load_state_dict": lambda m: m.load_state_dict(state(m)),
    "load_state_dict(assign=True)": lambda m: m.load_state_dict(state(m), assign=True),
    "a step of SGD": step_of(lambda p: torch.optim.SGD(p, lr=0.5)),
    "a step of AdamW": step_of(lambda p: torch.optim.AdamW(p, lr=0.05)),
    "a step of AdamW, fused": step_of(lambda p: torch.optim.AdamW(p, lr=0.05, fused=True)),
    "to(float64) and slightly rounded": lambda m: m.to(torch.bfloat16).to(torch.float64),
    "to(bfloat16) and back": lambda m: m.to(torch.bfloat16).float(),
    "a forward hook": lambda m: m.model.layers[0].mlp.register_forward_hook(lambda _, x, y: 2 * y),
    "a pre-hook": lambda m: m.model.layers[0].mlp.register_forward_pre_hook(lambda _, x: (x[0].flip(-1),)),
    "a hook with keywords": lambda m: m.model.layers[1].register_forward_pre_hook(
        lambda _, x, y: ((x[0] * 2, *x[1:]), y), with_kwargs=True
    ),
    "a norm's epsilon": lambda m: setattr(m.model.layers[0].input_layernorm, "variance_epsilon", 5.0),
    "the scale of attention": lambda m: setattr(m.model.layers[1].self_attn, "scaling", 1.5),
    "a setting of the configuration": lambda m: setattr(m.config, "num_hidden_layers", 2),
    "the rotary frequencies, in place": no_grad(lambda m: m.model.rotary_emb.inv_freq.mul_(0.3)),
    "the rotary frequencies, replaced": lambda m: setattr(
        m.model.rotary_emb, "inv_freq", m.model.rotary_emb.inv_freq * 0.3
    ),
    "the scaling of rotary positions": lambda m: setattr(m.model.rotary_emb, "attention_scaling", 1.4),
    "the head's weight replaced": head_untied,
    "forward of a layer patched": lambda m: setattr(m.model.layers[1].mlp, "forward", lambda x: x),
    "forward of a linear layer patched": lambda m: setattr(
        m.model.layers[1].self_attn.o_proj, "forward", lambda x: x.flip(-1)
    ),
    "another class for a module": lambda m: louder(m.model.layers[0].mlp),
    "a weight transposed by .data": transposed,
    "a parametrization": parametrized,
    "a layer in a plain list": kept_in_a_list,
    "an adapter added": with_lora,
}


# what a stale copy or a stored prompt has no part in
NEVER_STALE = {
    "a forward hook on the model": lambda m: m.register_forward_hook(
        lambda _, x, y: setattr(y, "logits", y.logits.roll(1, -1)) or y
    ),
    "the head replaced": lambda m: m.set_output_embeddings(nn.Linear(64, 259, bias=False)),
    "the last norm's epsilon": lambda m: setattr(m.model.norm, "variance_epsilon", 5.0),
}

# done to a model with two adapters, the first of them in use
ADAPTER_EDITS = {
    "disabled": lambda lora: lora.base_model.disable_adapter_layers(),
    "switched": lambda lora: lora.set_adapter("second"),
    "both in use": lambda lora: lora.base_model.set_adapter(["default", "second"]),
    "merged": lambda lora: lora.merge_adapter() or scaled(lora, 3.0),
    "scaled": lambda lora: scaled(lora, 3.0),
    "deleted": lambda lora: lora.delete_adapter("default"),
    "unloaded": lambda lora: lora.unload(),
    "its weights trained": no_grad(
        lambda lora: [p.add_(0.1) for name, p in lora.named_parameters() if "lora_B.default" in name]
    ),
}


def scaled(lora, factor):
    for module in lora.modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            module.scaling["default"] *= factor


def drawn(sampler, **params):
    found = sampler.sample(PROMPT, n=2, **{"temperature": 0.6, "max_new_tokens": 3} | params)
    return [(c.token_ids, c.logprobs) for c in found]


def equal(some, others):
    return all(
        tokens == others_tokens and logprobs == pytest.approx(others_logprobs, abs=1e-4)
        for (tokens, logprobs), (others_tokens, others_logprobs) in zip(some, others, strict=True)
    )


def stale(sampler):
    """Draw as if changes were not looked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WeightsWatch, "same", lambda *_, **__: True)
        patch.setattr(WeightsWatch, "settle", lambda _: None)
        try:
            return drawn(sampler)
        except (CodesampleError, RuntimeError):
            return None


def new_sampler(sampler):
    """Return a sampler that has only ever seen the model as it is now."""
    return Sampler(sampler.checkpoint.model, tokenizer=sampler.checkpoint.tokenizer)


def assert_as_new(sampler, *, was_stale=True):
    new = new_sampler(sampler)
    expected = drawn(new)
    if was_stale:
        before = stale(sampler)
        assert before is None or not equal(before, expected), "an edit that no one could notice"
    assert equal(drawn(sampler), expected)
    for name in ("shared", "notice", "kv_shapes", "rope_switch"):
        assert getattr(sampler.checkpoint, name) == getattr(new.checkpoint, name)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edited_model_is_sampled_as_it_is(edit, model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    edit(model)
    assert_as_new(sampler)


@pytest.mark.parametrize("edit", NEVER_STALE.values(), ids=NEVER_STALE.keys())
def test_what_is_read_anew_in_each_step_changes_at_once(edit, model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    before = drawn(sampler)
    edit(model)
    assert_as_new(sampler, was_stale=False)
    assert not equal(before, drawn(sampler))


@pytest.mark.parametrize("edit", ADAPTER_EDITS.values(), ids=ADAPTER_EDITS.keys())
def test_an_adapter_is_followed(edit, model, tokenizer):
    lora = with_lora(model, names=("default", "second"))
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    edit(lora)
    assert_as_new(sampler)


def test_an_adapter_that_is_disabled_for_a_while_and_enabled_again(model, tokenizer):
    lora = with_lora(model)
    sampler = Sampler(model, tokenizer=tokenizer)
    enabled = drawn(sampler)
    with lora.disable_adapter():
        assert_as_new(sampler)
    assert_as_new(sampler)
    assert equal(drawn(sampler), enabled)


@pytest.mark.parametrize("everywhere", [False, True], ids=["of a module", "of all modules"])
@pytest.mark.parametrize("before", [False, True], ids=["hook", "pre-hook"])
def test_a_hook_is_noticed_when_it_comes_and_when_it_goes(everywhere, before, model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    plain = drawn(sampler)
    target = model.model.layers[0].mlp

    def louder(module, given, result=None):
        if module is not target:
            return None
        return (given[0] * 2,) if result is None else result * 2

    if everywhere:
        register = (
            nn.modules.module.register_module_forward_pre_hook
            if before
            else nn.modules.module.register_module_forward_hook
        )
    else:
        register = target.register_forward_pre_hook if before else target.register_forward_hook
    handle = register(louder)
    try:
        assert_as_new(sampler)
    finally:
        handle.remove()
    assert_as_new(sampler)
    assert equal(drawn(sampler), plain)


def test_hooks_that_are_dropped_by_another_dictionary_can_come_again(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    for module in model.modules():
        module._forward_hooks = OrderedDict()
    drawn(sampler)
    model.model.layers[0].mlp.register_forward_hook(lambda _, x, y: 2 * y)
    assert_as_new(sampler)


def test_a_function_of_the_models_own_file_that_is_put_in_place_of_another(model, tokenizer, monkeypatch):
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    home = sys.modules[type(model).__module__]
    rotate = home.apply_rotary_pos_emb
    monkeypatch.setattr(home, "apply_rotary_pos_emb", lambda q, k, *rest: rotate(q, 1.5 * k, *rest))
    assert_as_new(sampler)
    monkeypatch.undo()
    assert_as_new(sampler)
    plain = type(model.model.norm).forward
    monkeypatch.setattr(type(model.model.norm), "forward", lambda self, x: plain(self, x).flip(-1))
    assert_as_new(sampler)


def centred(module, given, result):
    """Take from each position the mean of those of its pass up to it, which over stored keys are others."""
    counts = torch.arange(1, result[0].shape[1] + 1)[:, None]
    return (result[0] - result[0].cumsum(1) / counts, *result[1:])


def test_a_hook_that_the_shared_path_cannot_serve_leads_to_the_ordinary_one(model, tokenizer, caplog):
    sampler = Sampler(model, tokenizer=tokenizer)
    plain = drawn(sampler)
    handle = model.model.layers[0].self_attn.register_forward_hook(centred)
    assert_as_new(sampler)
    assert not sampler.checkpoint.shared
    assert "the model has changed: LlamaForCausalLM gives other logits over the shared store" in caplog.text
    handle.remove()
    assert_as_new(sampler, was_stale=False)
    assert sampler.checkpoint.shared
    assert equal(drawn(sampler), plain)


def test_a_model_that_no_text_can_be_drawn_from_any_more_is_refused_by_every_call(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    plain = drawn(sampler)
    # each position sees the last one
    handle = model.model.layers[0].mlp.register_forward_hook(lambda _, x, y: y + y[:, -1:])
    for _ in range(2):
        with pytest.raises(ModelError, match="lets tokens see later ones"):
            drawn(sampler)
    handle.remove()
    assert equal(drawn(sampler), plain)


def test_a_plain_edit_of_weights_does_not_probe_again(model, tokenizer, monkeypatch):
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    probes = []
    plain = model_state.probe_shared_path
    monkeypatch.setattr(model_state, "probe_shared_path", lambda m: probes.append(1) or plain(m))
    with torch.no_grad():
        model.lm_head.weight.add_(0.1)
    drawn(sampler)
    assert not probes
    model.model.norm.register_forward_hook(lambda *_: None)
    drawn(sampler)
    assert len(probes) == 1


def test_an_rl_loop_samples_each_state_of_the_model(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = []
    for _ in range(4):
        assert_as_new(sampler, was_stale=bool(seen))
        candidates = sampler.sample(PROMPT, n=4, max_new_tokens=5)
        seen.append([c.logprobs for c in candidates])
        model.train()
        ids = torch.tensor(
            [[*sampler.checkpoint.encode(PROMPT), *c.token_ids] for c in candidates if len(c.token_ids) == 5]
        )
        model(ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert model.training
    assert len({str(each) for each in seen}) == 4


def test_nothing_is_dropped_where_nothing_changed(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    copies, generation, computed = sampler._state.packed, sampler._state.generation, sampler.cache_info
    for quiet in (
        lambda: None,
        model.train,
        model.eval,
        lambda: model.requires_grad_(False),
        lambda: model.requires_grad_(True),
        lambda: model(torch.tensor([[1, 2]]), labels=torch.tensor([[1, 2]])).loss.backward(),
        model.zero_grad,
        lambda: setattr(model.model.norm, "variance_epsilon", float(str(model.model.norm.variance_epsilon))),
        lambda: setattr(model.generation_config, "eos_token_id", 7),
        lambda: model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=2),
        lambda: list(sampler.read([GivenText(PROMPT, "pass")])),
        lambda: model.to(torch.float32),
    ):
        quiet()
        drawn(sampler)
    now = sampler.cache_info
    assert now.hits == now.lookups - 1 == 12
    assert now.tokens_computed == computed.tokens_computed + 12
    assert sampler._state.generation == generation
    assert sampler._state.packed is copies


def test_a_reading_follows_as_well(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    given = [GivenText(PROMPT, "return 3")]
    before = list(sampler.read(given))
    model.model.layers[0].self_attn.register_forward_hook(centred)
    got, expected = list(sampler.read(given)), list(new_sampler(sampler).read(given))
    assert got[0].logprobs == pytest.approx(expected[0].logprobs, abs=1e-4)
    assert got[0].logprobs != pytest.approx(before[0].logprobs, abs=1e-2)


def test_what_cannot_be_noticed_can_be_told(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer)
    before = drawn(sampler)
    # two numbers between those that are kept
    model.model.layers[0].mlp.up_proj.weight.data[40, 1:3] += 100.0
    assert equal(drawn(sampler), before)
    sampler.forget()
    assert_as_new(sampler, was_stale=False)
    assert not equal(drawn(sampler), before)


@pytest.mark.parametrize("architecture", ["llama", "bloom"], ids=["shared path", "ordinary path"])
def test_candidates_of_an_open_stream_are_each_of_one_state_of_the_model(architecture, tokenizer, caplog):
    model = random_model(architecture, seed=2).double()
    sampler = Sampler(model, tokenizer=tokenizer, max_rows=6)
    requests = [Request("a", PROMPT, tuple(range(9))), Request("b", PROMPT + "    # more", (0, 1, 2))]
    params = SamplingParams(max_new_tokens=20, logit_bias=((257, 4.0),))

    def all_of(sampler):
        return {(c.task_id, c.index): c for c in sampler.stream(requests, params)}

    old = all_of(Sampler(copy.deepcopy(model), tokenizer=tokenizer))
    assert len({len(c.token_ids) for c in old.values()}) > 3
    stream = sampler.stream(requests, params)
    first = [next(stream) for _ in range(3)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.03)
    rest = list(stream)
    new = all_of(new_sampler(sampler))
    assert old != new
    assert len(first) + len(rest) == 12
    for candidate in first:
        assert candidate.token_ids == old[candidate.task_id, candidate.index].token_ids
    for candidate in rest:
        expected = new[candidate.task_id, candidate.index]
        assert candidate.token_ids == expected.token_ids
        assert candidate.logprobs == pytest.approx(expected.logprobs)
    assert any(c.token_ids != old[c.task_id, c.index].token_ids for c in rest)


@pytest.fixture(scope="module")
def growing():
    """A model that keeps the rotary frequencies of the longest text of its last pass."""
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    sizes = {"vocab_size": 259, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    more = {"num_attention_heads": 2, "pad_token_id": 258, "original_max_position_embeddings": 40}
    torch.manual_seed(0)
    config = Phi3Config(**sizes, **more, rope_parameters=rope)
    return AutoModelForCausalLM.from_config(config).double().eval()


def test_what_a_model_does_to_itself_is_no_change(growing, tokenizer):
    sampler = Sampler(growing, tokenizer=tokenizer, max_rows=2)
    requests = [Request("short", "x" * 12, tuple(range(5))), Request("long", "y" * 36, tuple(range(3)))]
    params = SamplingParams(max_new_tokens=9, temperature=1.5)
    states = set()
    alone = [c for r in requests for c in Sampler(growing, tokenizer=tokenizer).stream([r], params)]
    generation = sampler._state.generation
    streams = [sampler.stream([request], params) for request in requests]
    found = []
    while streams:
        # the two paths by turns
        streams = [s for s in streams if (c := next(s, None)) is not None and found.append(c) is None]
        states.add(str([id(buffer) for buffer in growing.buffers()]) + str(list(growing.buffers())))
    assert {(c.task_id, c.index): c.token_ids for c in found} == {
        (c.task_id, c.index): c.token_ids for c in alone
    }
    assert len(found) == 8
    list(sampler.read([GivenText("y" * 36, "z" * 12)]))
    assert len(states) > 1
    assert sampler._state.generation - generation <= 1


def test_a_stream_that_the_changed_model_cannot_go_on_with_says_so(model, tokenizer):
    sampler = Sampler(model, tokenizer=tokenizer, max_rows=2)
    stream = sampler.stream([Request("a", PROMPT, (0, 1, 2, 3))], SamplingParams(max_new_tokens=4))
    next(stream)
    model.double()
    with pytest.raises(ModelError, match="ask for those that are missing in a new call"):
        list(stream)
    assert_as_new(sampler, was_stale=False)


def test_weights_that_were_made_in_inference_mode_have_no_counter(model, tokenizer):
    with torch.inference_mode():
        model.model.layers[0].mlp.up_proj.weight = nn.Parameter(torch.randn(96, 64), requires_grad=False)
    assert model.model.layers[0].mlp.up_proj.weight.is_inference()
    sampler = Sampler(model, tokenizer=tokenizer)
    drawn(sampler)
    with torch.inference_mode():
        model.model.layers[0].mlp.up_proj.weight[:, 3:9] = 2.0
    assert_as_new(sampler)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kept", [0, 2**29], ids=["views made anew", "views kept"])
def test_every_row_and_every_column_of_a_matrix_is_looked_at(kept, dtype, model, monkeypatch):
    monkeypatch.setattr(weight_numbers, "_KEPT_VIEWS", kept)
    model.to(dtype)
    model.model.layers[1].self_attn.q_proj.weight = nn.Parameter(torch.randn(64, 64, dtype=dtype).T)
    watch = WeightsWatch(model)
    for weight in (
        model.model.layers[0].mlp.up_proj.weight.data,
        model.model.layers[0].mlp.down_proj.weight.data,
        model.model.layers[1].self_attn.q_proj.weight.data,
        model.model.embed_tokens.weight.data,
    ):
        for lines in (weight, weight.T):
            for line in lines:
                before = line.clone()
                line += 1.0
                assert watch.same(thorough=False)
                assert not watch.same(thorough=True)
                line.copy_(before)
    assert watch.same(thorough=True)


def test_numbers_that_are_none_are_no_change(model):
    model.lm_head.weight.data[3:9] = float("nan")
    watch = WeightsWatch(model)
    assert watch.same(thorough=True)
    assert watch.look() is Change.NONE


def test_a_weight_that_was_replaced_is_not_kept(model):
    watch = WeightsWatch(model)
    layer = model.model.layers[0].mlp.up_proj
    old = weakref.ref(layer.weight)
    layer.weight = nn.Parameter(layer.weight.detach() + 1)
    assert old() is None
    assert watch.look() is Change.WEIGHTS
    assert watch.look() is Change.NONE


def test_a_watched_model_can_go_copied_and_be_written(pristine, tmp_path):
    model = copy.deepcopy(pristine)
    state = model_state.state_of(model)
    assert model_state.state_of(model) is state
    other = copy.deepcopy(model)
    assert model_state.state_of(other) is not state
    shallow = copy.copy(model)
    assert model_state.state_of(shallow) is not state
    torch.save(model, tmp_path / "model.pt")
    assert torch.load(tmp_path / "model.pt", weights_only=False).lm_head.weight.equal(model.lm_head.weight)
    model.save_pretrained(tmp_path / "folder")
    weight = weakref.ref(model.model.layers[0].mlp.up_proj.weight)
    gc.collect()
    gc.disable()
    try:
        del model, shallow, other, state
        assert weight() is None
    finally:
        gc.enable()
