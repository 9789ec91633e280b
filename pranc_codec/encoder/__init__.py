"""Encoder: fits a network to an image and writes it."""
