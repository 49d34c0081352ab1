"""Exit statuses by which a child says why it ended, where it ends by our own code."""

__all__ = ["BROKEN", "MEMORY", "UNCONFINED"]

UNCONFINED, BROKEN, MEMORY = 71, 70, 86
