"""transformers' `generate` as a process that is asked; words: folder of the model, precision, threads."""

import torch
import transformers
from rival_protocol import TEMPERATURE, TOP_P, serve


def load(folder, precision, threads):
    """Return facts and how to draw."""
    torch.set_num_threads(int(threads))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, precision))
    # a checkpoint's own penalties and truncation are no part of what is asked, and no token is an end
    model.generation_config = transformers.GenerationConfig(pad_token_id=0)

    def draw(prompt, n, new, greedy, seed):
        torch.manual_seed(seed)
        chosen = {"do_sample": False}
        if not greedy:
            chosen = {
                "do_sample": True,
                "temperature": TEMPERATURE,
                "top_p": TOP_P,
                "top_k": 0,
                "num_return_sequences": n,
            }
        # greedy candidates are alike, and it refuses to return several
        ids = torch.tensor([prompt] * (n if greedy else 1))
        found = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, **chosen)
        return found[:, len(prompt) :].tolist()

    return {"transformers": transformers.__version__, "torch": torch.__version__}, draw


if __name__ == "__main__":
    serve(load)
