"""TODO semantic_hub/interventions."""
