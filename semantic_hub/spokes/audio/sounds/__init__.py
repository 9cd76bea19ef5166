"""TODO semantic_hub/spokes/audio/sounds."""
