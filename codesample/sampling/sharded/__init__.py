"""Models in shards: one model over several processes, which sample as if they were one."""
