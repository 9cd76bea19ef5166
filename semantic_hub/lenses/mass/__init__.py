"""TODO semantic_hub/lenses/mass."""
