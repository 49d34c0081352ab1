"""Verdicts and scores in, numbers out; and the driver that takes a task through a run."""
