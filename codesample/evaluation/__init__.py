"""Verdicts and scores in, numbers out; and what takes a task through a run."""
