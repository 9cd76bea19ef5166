"""TODO semantic_hub/spokes/vision/images."""
