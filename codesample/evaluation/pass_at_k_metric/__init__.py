"""pass@k as a metric of the `evaluate` library: the folder that `evaluate.load` takes."""
