"""Other engines beside this sampler on a CPU, each in a process and an environment of its own."""
