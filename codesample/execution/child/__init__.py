"""The confined child and the zygote it is forked from: what shares a process with a program."""
