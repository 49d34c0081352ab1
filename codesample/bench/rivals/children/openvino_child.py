"""OpenVINO GenAI as a process that is asked; words: folder of the model, precision, threads."""

import openvino
import openvino_genai
from rival_protocol import TEMPERATURE, TOP_P, serve

_CACHE_GB = 4


def load(folder, precision, threads):
    """Return facts and how to draw; its paged attention stores the prompt of all candidates once."""
    settings = {"INFERENCE_NUM_THREADS": int(threads)}
    if precision == "bfloat16":
        # else keys and values have 8 bits
        settings |= {"INFERENCE_PRECISION_HINT": "bf16", "KV_CACHE_PRECISION": "bf16"}
    if precision == "float32":
        settings |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = _CACHE_GB
    scheduler.enable_prefix_caching = False
    pipe = openvino_genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", settings)

    def draw(prompt, n, new, greedy, seed):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = new
        config.ignore_eos = True
        if not greedy:
            config.do_sample = True
            config.temperature, config.top_p, config.rng_seed = TEMPERATURE, TOP_P, seed
            config.num_return_sequences = n
        ids = openvino.Tensor([prompt])
        # greedy candidates are alike, and it refuses to return several
        copies = n if greedy else 1
        results = pipe.generate([ids] * copies, [config] * copies)
        return [row for result in results for row in result.m_generation_ids]

    return {"openvino": openvino.get_version(), "openvino_genai": openvino_genai.__version__}, draw


if __name__ == "__main__":
    serve(load)
