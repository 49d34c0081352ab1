"""llama.cpp as a process that is asked, by the C interface; words: the model's file, precision, threads.

The prompt is decoded once and its cells are shared with every other sequence; then all sequences go on as one
batch a step. That is how its own batched example does it.
"""

import ctypes

import llama_cpp
from rival_protocol import TEMPERATURE, TOP_P, serve

_CHUNK = 2048


def load(file, precision, threads):
    """Return facts and how to draw."""
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(file.encode(), settings)
    if not model:
        raise OSError(f"{file}: cannot be loaded")

    def draw(prompt, n, new, greedy, seed):
        context = _context(model, len(prompt) + n * new, max(n, 1), int(threads))
        chain = _chain(greedy, seed)
        try:
            return _drawn(context, chain, prompt, n, new)
        finally:
            llama_cpp.llama_sampler_free(chain)
            llama_cpp.llama_free(context)

    return {"llama_cpp_python": llama_cpp.__version__, "precision": precision}, draw


def _context(model, tokens, sequences, threads):
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx, settings.n_seq_max = tokens + 64, sequences
    settings.n_batch = settings.n_ubatch = _CHUNK
    settings.n_ubatch = 512
    settings.n_threads = settings.n_threads_batch = threads
    settings.kv_unified = True
    settings.no_perf = True
    context = llama_cpp.llama_init_from_model(model, settings)
    if not context:
        raise MemoryError(f"no room for {tokens} tokens")
    return context


def _chain(greedy, seed):
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    steps = (
        [llama_cpp.llama_sampler_init_greedy()]
        if greedy
        else [
            llama_cpp.llama_sampler_init_temp(TEMPERATURE),
            llama_cpp.llama_sampler_init_top_p(TOP_P, 1),
            llama_cpp.llama_sampler_init_dist(seed),
        ]
    )
    for each in steps:
        llama_cpp.llama_sampler_chain_add(chain, each)
    return chain


def _drawn(context, chain, prompt, n, new):
    batch = llama_cpp.llama_batch_init(_CHUNK, 0, 1)
    try:
        for start in range(0, len(prompt), _CHUNK):
            part = prompt[start : start + _CHUNK]
            _fill(batch, [(id_, start + i, 0, start + i == len(prompt) - 1) for i, id_ in enumerate(part)])
            _decode(context, batch)
        last = batch.n_tokens - 1
        memory = llama_cpp.llama_get_memory(context)
        for row in range(1, n):
            llama_cpp.llama_memory_seq_cp(memory, 0, row, -1, -1)
        rows = [[llama_cpp.llama_sampler_sample(chain, context, last)] for _ in range(n)]
        for step in range(1, new):
            _fill(batch, [(row[-1], len(prompt) + step - 1, i, True) for i, row in enumerate(rows)])
            _decode(context, batch)
            for i, row in enumerate(rows):
                row.append(llama_cpp.llama_sampler_sample(chain, context, i))
        return rows
    finally:
        llama_cpp.llama_batch_free(batch)


def _fill(batch, tokens):
    batch.n_tokens = len(tokens)
    for i, (id_, position, sequence, wanted) in enumerate(tokens):
        batch.token[i], batch.pos[i] = id_, position
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        batch.logits[i] = ctypes.c_int8(wanted)


def _decode(context, batch):
    failed = llama_cpp.llama_decode(context, batch)
    if failed:
        raise RuntimeError(f"llama_decode returned {failed}")


if __name__ == "__main__":
    serve(load)
