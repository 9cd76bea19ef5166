"""Data and meaning, one module for each data type; no model code."""

from semantic_hub.spokes import arithmetic, audio, code, language, semantics, vision

__all__ = ["arithmetic", "audio", "code", "language", "semantics", "vision"]
