"""What keeps a program away from the machine: Landlock, seccomp, limits, namespaces, and their report."""
