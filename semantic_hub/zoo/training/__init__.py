"""TODO semantic_hub/zoo/training."""
