"""Runs in every process of the sandbox: what crosses between them, and how they are started.

Children load all but `messages` and `launch`, which are for the caller and its workers.
"""
