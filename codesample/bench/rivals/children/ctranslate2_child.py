"""CTranslate2 as a process that is asked; words: folder of the model, precision, threads."""

import json
from pathlib import Path

import ctranslate2
from rival_protocol import TEMPERATURE, TOP_P, serve


def load(folder, precision, threads):
    """Return facts and how to draw."""
    generator = ctranslate2.Generator(
        folder, device="cpu", compute_type=precision, intra_threads=int(threads), inter_threads=1
    )
    texts = json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))

    def draw(prompt, n, new, greedy, seed):
        ctranslate2.set_random_seed(seed)
        chosen = (
            {}
            if greedy
            else {"sampling_topk": 0, "sampling_topp": TOP_P, "sampling_temperature": TEMPERATURE}
        )
        given = [texts[id_] for id_ in prompt]
        results = generator.generate_batch(
            [given] * (n if greedy else 1),
            num_hypotheses=1 if greedy else n,
            beam_size=1,
            max_length=new,
            min_length=new,
            include_prompt_in_result=False,
            **chosen,
        )
        return [row for result in results for row in result.sequences_ids]

    return {"ctranslate2": ctranslate2.__version__}, draw


if __name__ == "__main__":
    serve(load)
