"""From a model's name to a model with numbers and a tokenizer, or to an error that says what is amiss."""
