"""TODO semantic_hub/zoo/planted."""
