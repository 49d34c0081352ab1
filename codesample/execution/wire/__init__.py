"""Runs in every process of the sandbox: what crosses between them, and how they are started.

Children load `codec` and `channel` alone; `messages` and `launch` are for the caller and its workers.
"""
