"""TODO semantic_hub/zoo/world."""
