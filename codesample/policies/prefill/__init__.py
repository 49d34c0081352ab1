"""How long prompts are run: which earlier keys each of their tokens attends to, and in which process."""
