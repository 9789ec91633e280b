"""Encoding in the mlp profile."""
