"""Runs in the process of whoever wants verdicts: the executor, its scheduler thread, workers seen from it."""
