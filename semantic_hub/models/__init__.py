"""TODO semantic_hub/models."""
