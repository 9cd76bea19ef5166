"""Sounds: clips, files, synthesis, spoken words, spectrograms."""
