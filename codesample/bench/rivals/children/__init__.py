"""Scripts of processes that draw, each run by the interpreter of its engine; nothing here imports another."""
