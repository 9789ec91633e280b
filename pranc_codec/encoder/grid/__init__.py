"""The encoder of the grid profile."""
