"""TODO semantic_hub/statistics."""
