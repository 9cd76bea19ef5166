"""TODO semantic_hub/alignment."""
