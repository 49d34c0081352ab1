"""vLLM in this process or under it, as an engine; importing this loads nothing of it."""
