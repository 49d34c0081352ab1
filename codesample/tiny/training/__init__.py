"""What trained the built-in model: corpus, tokenizer, training loop. Nothing loads it to sample."""
