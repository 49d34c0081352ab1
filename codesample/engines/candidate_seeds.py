"""Seeds for engines whose own random streams begin at a number: one of its own for each candidate."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["candidate_seed"]


def candidate_seed(seed: int, task_id: str, index: int, *, bits: int) -> int:
    """Return the seed of one candidate.

    A hash, for engines count on from a seed to the next: neighbouring ones would share candidates.
    """
    digest = blake2b(f"{seed}\0{index}\0{task_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - bits)
