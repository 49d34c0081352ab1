"""Verifiable rewards for reinforcement learning: programs that models write, graded by the confined executor.

    from codesample import rewards

    trainer = GRPOTrainer(model, rewards.for_trl("mbpp_train"), train_dataset=rewards.dataset("mbpp_train"))

Importing this loads neither torch nor a trainer.
"""

from __future__ import annotations

from codesample.rewards.openrlhf_reward import OpenRlhfReward, for_openrlhf
from codesample.rewards.prompt_rows import dataset
from codesample.rewards.trl_reward import AsyncTrlReward, TrlReward, for_trl
from codesample.rewards.trl_rollout import TrlRollout, rollout_for_trl
from codesample.rewards.verl_reward import VerlReward, for_verl

__all__ = [
    "AsyncTrlReward",
    "OpenRlhfReward",
    "TrlReward",
    "TrlRollout",
    "VerlReward",
    "dataset",
    "for_openrlhf",
    "for_trl",
    "for_verl",
    "rollout_for_trl",
]
