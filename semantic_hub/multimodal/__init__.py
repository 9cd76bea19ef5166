"""TODO semantic_hub/multimodal."""
