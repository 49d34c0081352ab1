import copy
import threading

import peft
import pytest
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    StoppingCriteria,
    T5Config,
    T5ForConditionalGeneration,
    TextIteratorStreamer,
    TextStreamer,
)

import codesample
from codesample.errors import ParameterError
from codesample.sampling.arranged_weights import ArrangedWeight, arranged_kernel
from codesample.sampling.weights_watch import STATE_KEY
from codesample.testing.models import random_model

EOS, PAD = 257, 258


def batch(*prompts):
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), PAD)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return {"input_ids": ids, "attention_mask": mask}


ONE = batch(list(range(40, 70)))
RAGGED = batch(list(range(40, 70)), [5, 6, 7], list(range(100, 120)))


@pytest.fixture(scope="module")
def double():
    return random_model("llama", seed=11).double()


class Recorder:
    """A streamer that takes whatever it gets."""

    def __init__(self):
        self.got, self.ended = [], 0

    def put(self, value):
        self.got.append(value.tolist())

    def end(self):
        self.ended += 1


class StopAfter(StoppingCriteria):
    """Ends each row at its own length, and looks at what it is given."""

    def __init__(self):
        self.seen = []

    def __call__(self, input_ids, scores, **_):
        self.seen.append(None if scores is None else len(scores))
        lengths = torch.arange(len(input_ids)) * 2 + 34
        return torch.full((len(input_ids),), input_ids.shape[1]) >= lengths


class Shift(LogitsProcessor):
    def __call__(self, input_ids, scores):
        return scores.roll(1, -1)


CALLS = {
    "greedy": {},
    "max_length": {"max_length": 41},
    "min_new_tokens": {"min_new_tokens": 9, "eos_token_id": list(range(200))},
    "several ends": {"eos_token_id": list(range(90))},
    "an end and no padding": {"eos_token_id": list(range(60)), "pad_token_id": None},
    "repetition penalty": {"repetition_penalty": 1.7},
    "bad words": {"bad_words_ids": [[3], [4, 5], [77]], "no_repeat_ngram_size": 2},
    "suppressed and forced": {"suppress_tokens": [9, 10, 11], "forced_eos_token_id": 20},
    "guidance": {"guidance_scale": 1.4},
    "allowed by a function": {"prefix_allowed_tokens_fn": lambda row, ids: [ids[-1].item() // 2 + 1, 30, 31]},
    "a processor of one's own": {"logits_processor": [Shift()]},
    "a criterion of one's own": {"stopping_criteria": [StopAfter()], "eos_token_id": None},
    "such a criterion beside an end": {"stopping_criteria": [StopAfter()], "eos_token_id": list(range(60))},
    "several sequences": {"num_return_sequences": 3, "do_sample": True},
    "sampled": {"do_sample": True},
    "sampled narrowly": {"do_sample": True, "temperature": 0.7, "top_k": 9, "top_p": 0.8},
    "sampled until an end": {"do_sample": True, "num_return_sequences": 4, "eos_token_id": list(range(80))},
    "without a cache": {"use_cache": False},
}


def both(model, *given, **named):
    """Call `model.generate` and ours from the same state of torch's generator."""
    found = []
    for call in (model.generate, lambda *g, **n: codesample.generate(model, *g, **n)):
        torch.manual_seed(5)
        found.append(call(*given, **{"max_new_tokens": 12, "do_sample": False} | copy.copy(named)))
    return found


@pytest.mark.parametrize("inputs", [ONE, RAGGED], ids=["one prompt", "ragged prompts"])
@pytest.mark.parametrize("settings", CALLS.values(), ids=CALLS.keys())
def test_gives_what_generate_gives(settings, inputs, double):
    theirs, ours = both(double, **inputs, **settings)
    assert torch.equal(ours, theirs)
    assert ours.shape[1] > inputs["input_ids"].shape[1]


def test_scores_and_logits_are_those_of_generate(double):
    settings = {"eos_token_id": list(range(60)), "repetition_penalty": 1.3}
    wanted = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
    theirs, ours = both(double, **RAGGED, **settings, **wanted)
    assert torch.equal(ours.sequences, theirs.sequences)
    for name in ("scores", "logits"):
        for step, expected in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            live = (step != 0).any(-1)
            torch.testing.assert_close(step[live], expected[live])
    lacking = codesample.generate(double, **ONE, max_new_tokens=2, return_dict_in_generate=True)
    assert lacking.scores is lacking.logits is None
    assert isinstance(codesample.generate(double, **ONE, max_new_tokens=2, output_scores=True), torch.Tensor)


def test_criteria_see_the_scores_that_generate_shows_them(double):
    for wanted in ({}, {"return_dict_in_generate": True, "output_scores": True}):
        criteria = StopAfter(), StopAfter()
        double.generate(**RAGGED, stopping_criteria=[criteria[0]], max_new_tokens=6, **wanted)
        codesample.generate(double, **RAGGED, stopping_criteria=[criteria[1]], max_new_tokens=6, **wanted)
        assert criteria[0].seen == criteria[1].seen


def test_a_config_object_counts_as_there(double):
    config = GenerationConfig(
        max_new_tokens=7, repetition_penalty=1.5, eos_token_id=list(range(60)), pad_token_id=PAD
    )
    expected = double.generate(**RAGGED, generation_config=config)
    before = config.to_dict()
    assert torch.equal(codesample.generate(double, **RAGGED, generation_config=config), expected)
    assert torch.equal(
        codesample.generate(double, RAGGED["input_ids"], config, attention_mask=RAGGED["attention_mask"]),
        expected,
    )
    assert config.to_dict() == before


@pytest.mark.parametrize("place", ["argument", "config", "model"])
@pytest.mark.parametrize("inputs", [ONE, RAGGED], ids=["one prompt", "ragged prompts"])
def test_stop_strings_end_sequences_wherever_they_are_set(place, inputs, double, tokenizer):
    model = copy.copy(double)
    model.generation_config = copy.deepcopy(double.generation_config)
    plain = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    width = inputs["input_ids"].shape[1]
    # a character of each row that is one token, and one that only begins so
    stops = [tokenizer.decode([next(t for t in row[width:].tolist() if t < 94)]) for row in plain] + ["\0no"]
    settings = {"tokenizer": tokenizer, "max_new_tokens": 12, "do_sample": False}
    if place == "argument":
        settings["stop_strings"] = stops
    elif place == "config":
        del settings["max_new_tokens"], settings["do_sample"]
        settings["generation_config"] = GenerationConfig(max_new_tokens=12, stop_strings=stops)
    else:
        model.generation_config.stop_strings = stops
    expected = model.generate(**inputs, **settings)
    assert expected.shape[1] < plain.shape[1] or not torch.equal(expected, plain)
    assert torch.equal(codesample.generate(model, **inputs, **settings), expected)
    assert torch.equal(codesample.generate(model, **inputs, **settings), expected)


def test_stop_strings_without_a_tokenizer_are_refused(double):
    with pytest.raises(ParameterError, match=r"stop_strings = \['x'\] without a tokenizer"):
        codesample.generate(double, **ONE, stop_strings=["x"])


@pytest.mark.parametrize("inputs", [ONE, RAGGED], ids=["one prompt", "ragged prompts"])
def test_a_streamer_gets_what_generate_gives_it(inputs, double):
    theirs, ours = Recorder(), Recorder()
    settings = {"max_new_tokens": 9, "eos_token_id": list(range(60)), "do_sample": False}
    double.generate(**inputs, **settings, streamer=theirs)
    codesample.generate(double, **inputs, **settings, streamer=ours)
    assert ours.got == theirs.got
    assert ours.ended == theirs.ended == 1
    assert ours.got[0] == inputs["input_ids"].tolist()


def test_text_streamers_write_what_they_write_there(double, tokenizer, capsys):
    settings = {"max_new_tokens": 9, "do_sample": False}
    for skip_prompt in (False, True):
        double.generate(**ONE, **settings, streamer=TextStreamer(tokenizer, skip_prompt=skip_prompt))
        expected = capsys.readouterr().out
        codesample.generate(
            double, **ONE, **settings, streamer=TextStreamer(tokenizer, skip_prompt=skip_prompt)
        )
        assert capsys.readouterr().out == expected != ""
    with pytest.raises(ValueError, match="batch size 1"):
        codesample.generate(double, **RAGGED, **settings, streamer=TextStreamer(tokenizer))


def test_text_can_be_read_in_another_thread_while_it_comes(double, tokenizer):
    settings = {"max_new_tokens": 9, "do_sample": False}
    texts = []
    for call in (double.generate, lambda **named: codesample.generate(double, **named)):
        streamer = TextIteratorStreamer(tokenizer, timeout=60)
        thread = threading.Thread(target=call, kwargs={**ONE, **settings, "streamer": streamer})
        thread.start()
        texts.append(list(streamer))
        thread.join()
    assert texts[0] == texts[1]
    assert "".join(texts[0])


# of padded rows, Gemma 2's own logits are no numbers in float64
@pytest.mark.parametrize(("architecture", "inputs"), [("gpt2", RAGGED), ("gemma2", ONE), ("bloom", RAGGED)])
def test_other_families_and_those_of_the_ordinary_path(architecture, inputs, tokenizer):
    model = random_model(architecture).double()
    theirs, ours = Recorder(), Recorder()
    settings = {"max_new_tokens": 8, "do_sample": False, "stop_strings": ["!"], "tokenizer": tokenizer}
    for call, streamer in ((model.generate, theirs), (lambda **n: codesample.generate(model, **n), ours)):
        streamer.result = call(**inputs, **settings, streamer=streamer)
    assert torch.equal(ours.result, theirs.result)
    assert ours.got == theirs.got


ASSISTANT = random_model("llama", seed=1)
IN_A_RECORD = {"return_dict_in_generate": True}
REFUSED = {
    "num_beams": ({"num_beams": 4}, r"num_beams = 4 \(beam search\)"),
    "diverse": ({"num_beam_groups": 2}, r"num_beam_groups = 2 \(diverse beam search\)"),
    "penalty_alpha": ({"penalty_alpha": 0.6, "top_k": 4}, r"penalty_alpha = 0\.6 \(contrastive search\)"),
    "dola_layers": ({"dola_layers": "low"}, r"dola_layers = low \(DoLa decoding\)"),
    "constraints": ({"force_words_ids": [[5]]}, r"force_words_ids = list \(constrained beam search\)"),
    "assistant_model": ({"assistant_model": ASSISTANT}, r"assistant_model = LlamaForCausalLM \(assisted"),
    "prompt lookup": ({"prompt_lookup_num_tokens": 3}, r"prompt_lookup_num_tokens = 3 \(assisted decoding\)"),
    "early exit": ({"assistant_early_exit": 2}, r"assistant_early_exit = 2 \(assisted decoding\)"),
    "a cache": ({"past_key_values": object()}, r"past_key_values = object \(going on from a cache\)"),
    "a quantised cache": ({"cache_implementation": "quantized"}, r"cache_implementation = quantized"),
    "healing": ({"token_healing": True}, r"token_healing = True"),
    "another function": ({"custom_generate": print}, r"custom_generate = .*another custom_generate"),
    "embeddings": ({"inputs_embeds": torch.zeros(1, 30, 64)}, "inputs_embeds"),
    "positions": ({"position_ids": torch.arange(30)[None] + 3}, "position_ids"),
    "hidden states": (
        {"output_hidden_states": True, "return_dict_in_generate": True},
        "output_hidden_states",
    ),
    "attentions": ({"output_attentions": True, "return_dict_in_generate": True}, "output_attentions"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_it_does_not_do_is_refused_by_name_with_a_way_out(given, message, llama):
    with pytest.raises(ParameterError, match=message) as refused:
        codesample.generate(llama, **ONE, max_new_tokens=2, **given)
    assert "call model.generate" in str(refused.value)


@pytest.mark.parametrize("place", ["config", "model"])
def test_a_mode_is_refused_wherever_it_is_set(place, llama):
    model = copy.copy(llama)
    model.generation_config = copy.deepcopy(llama.generation_config)
    config = GenerationConfig(num_beams=3) if place == "config" else None
    if place == "model":
        model.generation_config.num_beams = 3
    with pytest.raises(ParameterError, match="num_beams = 3"):
        codesample.generate(model, **ONE, generation_config=config, max_new_tokens=2)
    assert codesample.generate(model, **ONE, num_beams=1, max_new_tokens=2).shape[1] == 32


def test_an_argument_that_nobody_knows_is_refused_as_generate_refuses_it(llama):
    for call in (llama.generate, lambda **named: codesample.generate(llama, **named)):
        with pytest.raises(ValueError, match=r"not used by the model: \['max_new_tokns'\]"):
            call(**ONE, max_new_tokns=3)


def test_what_is_no_causal_language_model_is_refused_by_name(llama):
    sizes = {"vocab_size": 30, "d_model": 8, "d_ff": 8, "d_kv": 4, "num_layers": 1, "num_heads": 2}
    for model, message in (
        (T5ForConditionalGeneration(T5Config(**sizes)), "is an encoder-decoder"),
        (llama.model, "LlamaModel has no language-modelling head"),
        (torch.nn.DataParallel(llama), r"the model is DataParallel; .* model\.module"),
        (torch.compile(llama), r"the model is OptimizedModule; .* model\._orig_mod"),
        (torch.nn.Linear(2, 2), "the model is Linear"),
        ("tiny", "the model is str"),
    ):
        with pytest.raises(ParameterError, match=message):
            codesample.generate(model, **ONE, max_new_tokens=2)


def test_an_adapted_model_is_taken_out_of_what_peft_puts_around_it(double):
    lora = peft.get_peft_model(
        copy.deepcopy(double), peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    expected = lora.generate(**RAGGED, max_new_tokens=8, do_sample=False)
    assert torch.equal(codesample.generate(lora, **RAGGED, max_new_tokens=8, do_sample=False), expected)
    with lora.disable_adapter():
        plain = codesample.generate(lora, **RAGGED, max_new_tokens=8, do_sample=False)
    assert torch.equal(plain, double.generate(**RAGGED, max_new_tokens=8, do_sample=False))
    assert not torch.equal(plain, expected)
    tuned = peft.get_peft_model(
        random_model("llama"), peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    )
    with pytest.raises(ParameterError, match=r"the adapter is PREFIX_TUNING, .* call model\.generate"):
        codesample.generate(tuned, **ONE, max_new_tokens=2)


@pytest.mark.skipif(not arranged_kernel(), reason="needs oneDNN")
def test_it_multiplies_with_copies_of_weights_that_follow_the_model(monkeypatch):
    model = random_model("qwen2", seed=3)
    seen = []
    plain = ArrangedWeight.multiplied
    monkeypatch.setattr(ArrangedWeight, "multiplied", lambda *given: seen.append(1) or plain(*given))
    settings = {"max_new_tokens": 6, "do_sample": False}
    first = codesample.generate(model, **ONE, **settings)
    assert seen
    copies = model.__dict__[STATE_KEY].packed
    codesample.generate(model, **ONE, **settings)
    assert model.__dict__[STATE_KEY].packed is copies
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight[:, 5:50] += 1.0
    expected = model.generate(**ONE, **settings)
    assert not torch.equal(first, expected)
    assert torch.equal(codesample.generate(model, **ONE, **settings), expected)


def test_a_hook_that_the_shared_path_cannot_serve_is_served(double, caplog):
    model = copy.deepcopy(double)
    settings = {"max_new_tokens": 6, "do_sample": False}
    codesample.generate(model, **RAGGED, **settings)

    def centred(module, given, result):
        counts = torch.arange(1, result[0].shape[1] + 1)[:, None]
        return (result[0] - result[0].cumsum(1) / counts, *result[1:])

    model.model.layers[0].self_attn.register_forward_hook(centred)
    theirs, ours = both(model, **RAGGED, **settings)
    assert torch.equal(ours, theirs)
    assert "takes the ordinary path" in caplog.text


def test_a_model_that_is_changed_meanwhile_is_told_of(double, caplog):
    model = copy.deepcopy(double)

    class Trainer(Recorder):
        def put(self, value):
            if len(self.got) == 3:
                with torch.no_grad():
                    model.lm_head.weight.mul_(0.5)
            super().put(value)

    codesample.generate(model, **ONE, max_new_tokens=6, do_sample=False, streamer=Trainer())
    assert "changed while it generated" in caplog.text
    theirs, ours = both(model, **ONE)
    assert torch.equal(ours, theirs)


def test_padding_behind_a_prompt_is_not_read(double):
    alone = codesample.generate(double, torch.tensor([[65, 66, 67]]), max_new_tokens=4, do_sample=False)
    padded, mask = torch.tensor([[65, 66, 67, 258]]), torch.tensor([[1, 1, 1, 0]])
    both = codesample.generate(double, padded, attention_mask=mask, max_new_tokens=4, do_sample=False)
    assert both[0, 4:].tolist() == alone[0, 3:].tolist()


def test_a_row_without_a_token_is_refused(double):
    ids, mask = torch.tensor([[258, 258], [65, 66]]), torch.tensor([[0, 0], [1, 1]])
    with pytest.raises(ParameterError, match="row 0 keeps no token"):
        codesample.generate(double, ids, attention_mask=mask, max_new_tokens=2)
