"""`python -m codesample`, where the command is not on the path."""

from codesample.cli import main

main()
