"""The caller's side of the sandbox: the executor, its scheduler, and a worker as these see it."""
