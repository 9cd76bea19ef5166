"""TODO semantic_hub/spokes/lexicon."""
