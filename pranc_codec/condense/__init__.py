"""Experiments: small classifiers condensed to files, against pruning at equal bytes."""
