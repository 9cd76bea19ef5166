"""Data and meaning, one module for each data type; no model code."""

from semantic_hub.spokes import arithmetic, language

__all__ = ["arithmetic", "language"]
