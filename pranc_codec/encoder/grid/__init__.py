"""Encoding in the grid profile."""
