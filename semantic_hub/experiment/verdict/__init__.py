"""TODO semantic_hub/experiment/verdict."""
