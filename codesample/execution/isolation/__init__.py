"""Runs in zygotes and their children, where rights are given up: Landlock, seccomp, limits, namespaces.

The caller reads its report of what this machine grants.
"""
