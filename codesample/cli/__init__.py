"""The command line: one module per command, which parses and prints and decides nothing."""

from codesample.cli.process import main

__all__ = ["main"]
