"""Runs in a zygote's start: the folder that its interpreter searches first, and what it finds there."""
