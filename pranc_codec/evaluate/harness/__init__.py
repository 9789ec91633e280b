"""Runs codecs over images: processes, clusters, measurements, stored results."""
