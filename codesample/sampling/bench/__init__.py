"""Benchmarks of sampling: this engine beside what people use today, in one process, on equal tokens."""
