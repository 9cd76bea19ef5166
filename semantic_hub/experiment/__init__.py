"""TODO semantic_hub/experiment."""
