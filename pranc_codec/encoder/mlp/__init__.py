"""The encoder of the mlp profile."""
