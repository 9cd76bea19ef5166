"""TODO semantic_hub/lenses."""
