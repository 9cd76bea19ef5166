"""TODO semantic_hub/activations."""
