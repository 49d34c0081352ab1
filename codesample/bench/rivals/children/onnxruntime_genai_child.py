"""ONNX Runtime GenAI as a process that is asked; words: folder of the model, precision, threads."""

import json

import numpy
import onnxruntime_genai
from rival_protocol import TEMPERATURE, TOP_P, serve


def load(folder, precision, threads):
    """Return facts and how to draw."""
    config = onnxruntime_genai.Config(folder)
    session = {"session_options": {"intra_op_num_threads": int(threads)}}
    config.overlay(json.dumps({"model": {"decoder": session}}))
    model = onnxruntime_genai.Model(config)

    def draw(prompt, n, new, greedy, seed):
        params = onnxruntime_genai.GeneratorParams(model)
        length = len(prompt) + new
        params.set_search_options(
            do_sample=not greedy,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            top_k=0,
            batch_size=n,
            # the end of a text is none before that
            min_length=length,
            max_length=length,
            random_seed=seed,
        )
        generator = onnxruntime_genai.Generator(model, params)
        generator.append_tokens(numpy.array([prompt] * n, dtype=numpy.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return [list(generator.get_sequence(row))[len(prompt) :] for row in range(n)]

    return {"onnxruntime_genai": onnxruntime_genai.__version__, "precision": precision}, draw


if __name__ == "__main__":
    serve(load)
