"""Runs in a worker, a trusted process started by exec: tests, and programs seen from outside."""
