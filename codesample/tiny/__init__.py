"""The built-in model: corpus, training, weights, card."""
