"""TODO semantic_hub/interventions/patching."""
