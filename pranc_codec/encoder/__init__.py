"""The encoder: finds the symbols of an image in one of the profiles, and writes its file."""
