"""TODO semantic_hub/reporting."""
