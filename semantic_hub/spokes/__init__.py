"""What are the data, and what do they mean?

A package for each data type: `language`, `arithmetic`, `code`, `semantics`, `vision`, `audio`, each
with pairs, read-outs and interventions. `registry` knows them by name; `lexicon` has words in many
languages, `routes` ways from one form to another, `sampling` evenly spaced items. No model code.
"""

from semantic_hub.spokes import arithmetic, audio, code, language, semantics, vision

__all__ = ["arithmetic", "audio", "code", "language", "semantics", "vision"]
