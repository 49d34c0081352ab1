"""Sampling and judging on the nodes of a Ray cluster, with one driver that writes; imports Ray late."""
