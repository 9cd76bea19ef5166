"""TODO semantic_hub/prompts."""
