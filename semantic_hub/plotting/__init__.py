"""TODO semantic_hub/plotting."""
