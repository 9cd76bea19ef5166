"""TODO semantic_hub/lenses/translators."""
