"""Condensing classifiers: trainings, their files, and magnitude pruning at equal bytes."""
