"""Inside the real GRPO trainer of TRL: the program on the page learns; adapters and messages are served."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra 'rl': pip install .[rl]")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rl.md"
pytestmark = pytest.mark.slow


def test_the_program_on_the_page_earns_more_as_it_learns(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    quiet = os.environ | {"TRL_EXPERIMENTAL_SILENCE": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=500, cwd=tmp_path, env=quiet
    )
    assert done.returncode == 0, done.stderr
    earned = ast.literal_eval(done.stdout.splitlines()[-1])
    assert len(earned) == 6
    # 16 completions a step: a few right ones before anything is learnt, most of them in the end
    assert earned[0] <= 0.5
    assert fmean(earned[-3:]) >= earned[0] + 0.25
    assert "not judged" not in done.stderr


def test_an_adapter_trains_on_two_rewards_and_conversations(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("peft")
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    import codesample.tiny
    from codesample import rewards

    name = str(Path(codesample.tiny.__file__).parent / "weights")
    tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(name),
        processing_class=tokenizer,
        reward_funcs=[
            rewards.for_trl("mini", no_program=-0.5),
            rewards.for_trl("mini", partial=True, asynchronous=True),
        ],
        rollout_func=rewards.rollout_for_trl(),
        train_dataset=rewards.dataset("mini").select(range(4)),
        peft_config=LoraConfig(target_modules=["q_proj", "v_proj"], r=4),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            num_generations=4,
            per_device_train_batch_size=4,
            max_completion_length=12,
            max_steps=2,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            bf16=False,
            use_cpu=True,
            disable_tqdm=True,
            log_completions=True,
        ),
    )
    trainer.train()
    lines = [line for line in trainer.state.log_history if "reward" in line]
    assert len(lines) == 2
    for line in lines:
        assert line["codesample/harness_errors"] == line["codesample_partial/harness_errors"] == 0.0
        assert -0.5 <= line["rewards/codesample/mean"] <= line["rewards/codesample_partial/mean"] <= 1.0
        assert 0.0 <= line["codesample/no_program"] <= 1.0
