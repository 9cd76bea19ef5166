"""TODO semantic_hub/interventions/steering."""
