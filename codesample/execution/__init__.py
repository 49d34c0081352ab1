"""Programs in, verdicts out. Imports no torch."""
