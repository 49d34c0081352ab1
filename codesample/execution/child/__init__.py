"""Runs in a zygote and in the confined children forked from it: all that shares a process with a program."""
