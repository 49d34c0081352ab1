"""vLLM on a CPU as a process that is asked; words: folder of the model, precision, threads."""

import vllm
from rival_protocol import TEMPERATURE, TOP_P, serve


def load(folder, precision, threads):
    """Return facts and how to draw."""
    engine = vllm.LLM(model=folder, dtype=precision, max_model_len=8704, max_num_seqs=64, seed=0)

    def draw(prompt, n, new, greedy, seed):
        chosen = (
            {"temperature": 0.0}
            if greedy
            else {"temperature": TEMPERATURE, "top_p": TOP_P, "seed": seed, "n": n}
        )
        params = vllm.SamplingParams(max_tokens=new, min_tokens=new, ignore_eos=True, **chosen)
        asked = [{"prompt_token_ids": prompt}] * (n if greedy else 1)
        engine.reset_prefix_cache()
        outputs = engine.generate(asked, params, use_tqdm=False)
        return [each.token_ids for output in outputs for each in output.outputs]

    return {"vllm": vllm.__version__}, draw


if __name__ == "__main__":
    serve(load)
