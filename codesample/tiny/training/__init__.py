"""What trained the built-in model: corpus, tokenizer, training loop. Nothing loads it to sample.

Beside training, only the proof that the task `mini` and the corpus are disjoint needs a part of it:
`corpus` reads mini's problems and leaves out what they ask for, `normalise` and the notation of `composition`
decide what is the same. The proof is `tests/tiny/training/test_corpus.py`.
"""
