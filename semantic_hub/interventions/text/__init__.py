"""TODO semantic_hub/interventions/text."""
