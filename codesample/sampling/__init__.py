"""Prompts in, candidates out."""
