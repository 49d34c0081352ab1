"""Our sampler as a process that is asked like its rivals; words: folder of the model, step, threads."""

from dataclasses import replace

import torch
from rival_protocol import TEMPERATURE, TOP_P, serve

from codesample import SamplingParams
from codesample.bench.machine import machine
from codesample.sampling.prompts import Prompt
from codesample.sampling.sampler import Sampler


def load(folder, step, threads):
    """Return facts and how to draw."""
    torch.set_num_threads(int(threads))
    # a prompt is read at every call, as by the others
    sampler = Sampler(folder, device="cpu", dtype="float32", step=step, prefix_cache=0)
    sampler.checkpoint = replace(sampler.checkpoint, eos_ids=frozenset())

    def draw(prompt, n, new, greedy, seed):
        params = SamplingParams(
            temperature=0.0 if greedy else TEMPERATURE, top_p=TOP_P, max_new_tokens=new, seed=seed
        )
        asked = [Prompt("prompt", tuple(prompt), tuple(range(n)), new)]
        drawn = sorted(sampler.stream_prompts(asked, params), key=lambda each: each.index)
        return [each.token_ids for each in drawn]

    return machine(("commit", "torch", "transformers")), draw


if __name__ == "__main__":
    serve(load)
